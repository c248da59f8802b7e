"""Soft deletes and restores of many links, in batches of conditional statements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, TypeVar

from functions import metrics
from functions.aws.calls import RETRYABLE, backoff, is_retryable, note_capacity
from functions.aws.codec import runs, to_item
from functions.aws.dynamodb import STATEMENT_BATCH, Table
from functions.aws.fast_json import HOLE, around, quote
from functions.aws.parallel import in_parallel
from functions.domain.click_retention import CLICK_RETENTION
from functions.domain.clock import current_deadline
from functions.domain.errors import InternalError, Unavailable
from functions.domain.outcomes import Outcome
from functions.repositories.link_items import LINK, is_live, live_keys
from functions.repositories.link_states import (
    DELETED,
    STATE,
    DeletedState,
    LinkState,
    decode_deleted_state,
    decode_state,
)

#: The policy attributes of a restored link, in the order of the statement's values.
RESTORED_POLICIES = ("ttl", "policies", CLICK_RETENTION)

Decoded = TypeVar("Decoded")


class LinkBatches(Table):
    """Reads and writes the attributes of links that deletions and restores change."""

    def __init__(self, client: Any, name: str) -> None:
        super().__init__(client, name)
        # One statement text for all links, so that DynamoDB parses one plan. It applies only to a
        # live link (livePk) that was not restored after this deletion was accepted
        # (fencingToken): a late worker of an undone deletion can never delete it again. An UPDATE
        # whose item does not exist fails its condition too, so it creates nothing.
        where = 'WHERE "pk"=? AND "sk"=? AND "livePk" IS NOT MISSING AND "fencingToken"<?'
        # The images are deleted with the link (the stream's old image names them). After a restore
        # they are rendered again, and a later erasure does not count them a second time.
        remove = 'REMOVE "livePk" REMOVE "liveSk" REMOVE "qrKeys"'
        # Without retention a deleted link is kept, even if as a live one it would have expired.
        self._mark = (
            f'UPDATE "{name}" SET "deletedAt"=? SET "deletionId"=? {remove} REMOVE "ttl" {where}'
        )
        self._mark_with_ttl = (
            f'UPDATE "{name}" SET "deletedAt"=? SET "deletionId"=? SET "ttl"=? {remove} {where}'
        )
        # Only links of exactly this deletion, and only once: a link that was deleted again in the
        # meantime has the id of another deletion.
        where = 'WHERE "pk"=? AND "sk"=? AND "deletionId"=? AND "livePk" IS MISSING'
        live = 'SET "livePk"=? SET "liveSk"=? SET "fencingToken"=?'
        remove = 'REMOVE "deletedAt" REMOVE "deletionId"'
        # One statement for each combination of policies that a restored link may have.
        self._restore = {
            kept: f'UPDATE "{name}" {live} {_set_or_remove(kept)} {remove} {where}'
            for kept in product(*((None, each) for each in RESTORED_POLICIES))
        }

    # -- read -------------------------------------------------------------------------------

    def states(self, workspace_id: str, link_ids: Sequence[str]) -> dict[str, LinkState]:
        """The state of every link that exists (soft-deleted ones included), by id."""
        found = self._read(workspace_id, link_ids, decode_state, STATE)
        return {state.id: state for state in found}

    def fences(self, workspace_id: str, link_ids: Sequence[str]) -> dict[str, str]:
        """``fencingToken`` of every live link, by id: all that a soft delete needs.

        Like :meth:`states`, with a third of the bytes.
        """
        return dict(self._read(workspace_id, link_ids, _fence, _FENCE))

    def deleted_states(self, workspace_id: str, link_ids: Sequence[str]) -> dict[str, DeletedState]:
        """What a restore must know of every link that exists, by id."""
        found = self._read(workspace_id, link_ids, decode_deleted_state, DELETED)
        return {state.id: state for state in found}

    def _read(
        self,
        workspace_id: str,
        link_ids: Sequence[str],
        decode: Callable[[dict[str, Any]], Decoded | None],
        attributes: Sequence[str],
    ) -> list[Decoded]:
        return self._read_items(
            link_ids,
            keys=lambda batch: _encoded_keys(workspace_id, batch),
            decode=decode,
            attributes=attributes,
        )

    # -- soft delete ------------------------------------------------------------------------

    def mark_deleted(
        self,
        workspace_id: str,
        link_ids: Sequence[str],
        *,
        deletion_id: str,
        deleted_at: str,
        ttl: int | None,
    ) -> bytearray:
        """Soft-delete links with the fencing condition; one :class:`Outcome` byte per id, in order.

        ``NOT_FOUND`` means gone, ``FAILED`` deleted by another request, and ``RESTORED`` deleted
        and restored by others since this deletion was accepted.

        25 conditional statements a call, in parallel. Statements that were throttled or failed
        retryably are repeated together, with full jitter, until the deadline; what is left then
        stays ``PENDING``. Repeating a statement is harmless: a link whose first response was lost
        is recognised by this ``deletionId``.

        Raises ``InternalError`` when DynamoDB refuses a statement permanently.
        """
        outcomes = bytearray([Outcome.PENDING]) * len(link_ids)
        statement = self._mark if ttl is None else self._mark_with_ttl
        values = [{"S": deleted_at}, {"S": deletion_id}]
        if ttl is not None:
            values.append({"N": str(ttl)})
        # The statements differ only in the link's key; the rest is encoded once.
        before, after = around(
            {
                "Statement": statement,
                "Parameters": [*values, {"S": HOLE}, LINK, {"S": deletion_id}],
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        )
        prefix = f"{workspace_id}#"
        self._execute(
            outcomes,
            workspace_id,
            link_ids,
            statement=lambda position: before + quote(prefix + link_ids[position]) + after,
            applied=Outcome.DELETED,
            refused=lambda item: _why_not_marked(item, deletion_id),
        )
        return outcomes

    # -- restore ----------------------------------------------------------------------------

    def restore(
        self,
        workspace_id: str,
        states: Sequence[DeletedState],
        *,
        deletion_id: str,
        restore_id: str,
        attributes: Sequence[dict[str, Any]],
    ) -> bytearray:
        """Restore links that this deletion soft-deleted; one ``Outcome`` byte each.

        Works like :meth:`mark_deleted`. ``RESTORED`` means live again (by this or another restore),
        ``NOT_FOUND`` gone, ``FAILED`` deleted again since. The link gets its old place in the list,
        and ``restore_id`` as its fencing token. ``attributes`` has, for each link, a value of each
        of :data:`RESTORED_POLICIES`, or None to remove it.
        """
        outcomes = bytearray([Outcome.PENDING]) * len(states)

        def statement(position: int) -> dict[str, Any]:
            state, wanted = states[position], attributes[position]
            place = live_keys(workspace_id, state.id, state.created_at)
            values = [place["livePk"], place["liveSk"], {"S": restore_id}]
            values += to_item({name: wanted[name] for name in RESTORED_POLICIES}).values()
            kept = tuple(None if wanted[name] is None else name for name in RESTORED_POLICIES)
            key = [{"S": f"{workspace_id}#{state.id}"}, LINK]
            return {
                "Statement": self._restore[kept],
                "Parameters": [*values, *key, {"S": deletion_id}],
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }

        self._execute(
            outcomes,
            workspace_id,
            [state.id for state in states],
            statement=statement,
            applied=Outcome.RESTORED,
            refused=lambda item: _why_not_restored(item, restore_id),
        )
        return outcomes

    # -- statements -------------------------------------------------------------------------

    def _execute(
        self,
        outcomes: bytearray,
        workspace_id: str,
        link_ids: Sequence[str],
        *,
        statement: Callable[[int], str | dict[str, Any]],
        applied: Outcome,
        refused: Callable[[dict[str, Any] | None], Outcome],
    ) -> None:
        """Execute one conditional statement for each ``PENDING`` position, until the deadline.

        ``refused`` turns the item that refused a statement into an outcome.
        """
        refusals: dict[int, dict[str, Any] | None] = {}

        def send(batch: Sequence[int]) -> None:
            if current_deadline().passed:
                return
            responses = self._responses([statement(position) for position in batch])
            for position, response in zip(batch, responses, strict=False):
                failure = response.get("Error")
                if failure is None:
                    outcomes[position] = applied
                elif failure["Code"] in _CONDITION:
                    refusals[position] = failure.get("Item")
                elif failure["Code"] not in RETRYABLE:
                    raise InternalError(f"DynamoDB refused a statement: {failure['Code']}")

        waiting: list[int] = list(range(len(outcomes)))
        attempt = 0
        while waiting:
            in_parallel(send, list(runs(waiting, STATEMENT_BATCH)))
            if refusals:
                named = {position: link_ids[position] for position in refusals}
                for position, item in self._refused_by(workspace_id, named, refusals).items():
                    outcomes[position] = refused(item)
                refusals.clear()
            waiting = [position for position in waiting if outcomes[position] == Outcome.PENDING]
            attempt += 1
            metrics.count("ThrottledStatements", len(waiting))
            if waiting and not backoff(attempt):
                break

    def _responses(self, statements: list[str | dict[str, Any]]) -> list[dict[str, Any]]:
        """One response per statement of a batch; [] if the call should be repeated."""
        execute = self._client.batch_execute_statement
        try:
            response = execute(Statements=statements, ReturnConsumedCapacity="TOTAL")
            note_capacity(execute, response)
            responses: list[dict[str, Any]] = response["Responses"]
        except Exception as error:
            if is_retryable(error):
                return []
            raise InternalError from error
        if len(responses) != len(statements):
            raise InternalError("DynamoDB did not answer every statement of a batch")
        return responses

    def _refused_by(
        self,
        workspace_id: str,
        link_ids: dict[int, str],
        items: dict[int, dict[str, Any] | None],
    ) -> dict[int, dict[str, Any] | None]:
        """The item that refused each statement, by position; None where there is no link.

        A failure without an item means that there is no link, or that DynamoDB omitted the item
        although ALL_OLD was requested. A strongly consistent read decides. If the read fails, the
        position is missing in the result and its statement is repeated.
        """
        unexplained = [link_ids[position] for position, item in items.items() if not item]
        if not unexplained:
            return items

        try:
            found = self._read(workspace_id, unexplained, dict, _REFUSED_BY)
        except Unavailable:
            return {position: item for position, item in items.items() if item}
        by_id = {item["id"]["S"]: item for item in found}
        return {position: item or by_id.get(link_ids[position]) for position, item in items.items()}


_CONDITION = frozenset({"ConditionalCheckFailed", "ConditionalCheckFailedException"})
_FENCE = ("id", "livePk", "fencingToken")
_REFUSED_BY = ("id", "livePk", "fencingToken", "deletionId")


_BEFORE_PK, _AFTER_PK = around({"pk": {"S": HOLE}, "sk": LINK})


def _encoded_keys(workspace_id: str, link_ids: Sequence[str]) -> list[str]:
    """The keys of these links as JSON: encoding them one by one is most of a call's cost."""
    prefix = f"{workspace_id}#"
    return [_BEFORE_PK + quote(prefix + link_id) + _AFTER_PK for link_id in link_ids]


def _fence(item: dict[str, Any]) -> tuple[str, str] | None:
    return (item["id"]["S"], item["fencingToken"]["S"]) if is_live(item) else None


def _why_not_marked(item: dict[str, Any] | None, deletion_id: str) -> Outcome:
    if not item:
        return Outcome.NOT_FOUND
    if item.get("deletionId", {}).get("S") == deletion_id:
        return Outcome.DELETED
    if is_live(item):
        # The link may have been restored between the failure and the read, with an older fencing
        # token. The statement applies to it now, so it is sent again.
        return Outcome.PENDING if item["fencingToken"]["S"] < deletion_id else Outcome.RESTORED
    return Outcome.FAILED


def _set_or_remove(kept: Sequence[str | None]) -> str:
    """The part of a restore's statement that sets these policies and removes the others."""
    return " ".join(
        f'REMOVE "{name}"' if value is None else f'SET "{name}"=?'
        for name, value in zip(RESTORED_POLICIES, kept, strict=True)
    )


def _why_not_restored(item: dict[str, Any] | None, restore_id: str) -> Outcome:
    if not item:
        return Outcome.NOT_FOUND
    # Live again: by this statement, whose response was lost, or by another restore. With this
    # token it was live again, and has been deleted since.
    live_since = is_live(item) or item["fencingToken"]["S"] >= restore_id
    return Outcome.RESTORED if live_since else Outcome.FAILED
