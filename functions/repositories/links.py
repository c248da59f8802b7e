"""The ``links`` table: link items, code items, the index of live links.

Items (``pk``, ``sk``):

- link: ``{workspaceId}#{linkId}``, ``LINK``. Live exactly while it has ``livePk``; the attribute
  ``fencingToken`` is the fence: :data:`~functions.domain.ids.NEVER` or the id of the last restore.
- code: ``CODE#{code}``, ``CODE`` → ``workspaceId``, ``linkId``. Immutable; once its link is erased,
  what :mod:`~functions.domain.code_release` leaves.
- external id: ``EXT#{workspaceId}#{externalId}``, ``EXT`` → ``linkId``.

The sparse index ``live`` (``livePk={workspaceId}#{shard}``, ``liveSk={createdAt}#{linkId}``,
keys only) lists the live links of a workspace in eight shards.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from itertools import product
from operator import itemgetter
from typing import Any, NamedTuple

from functions import metrics
from functions.aws.client import (
    RETRYABLE,
    ConditionFailed,
    TransactionCancelled,
    backoff,
    batch_get,
    call,
    in_parallel,
    is_retryable,
    note_capacity,
    read_item,
    transact,
    update,
)
from functions.aws.codec import from_item, runs, to_item
from functions.aws.fast_json import HOLE, around, quote
from functions.domain import code_release
from functions.domain.click_retention import CLICK_RETENTION
from functions.domain.clock import current_deadline
from functions.domain.code_release import CodeRelease
from functions.domain.errors import InternalError, Unavailable
from functions.domain.ids import NO_RESTORE, SHARDS, shard_of
from functions.domain.outcomes import Outcome
from functions.repositories.idempotency import KeyTaken

#: API limits: BatchGetItem keys, BatchExecuteStatement statements, TransactWriteItems actions.
READ_BATCH = 100
STATEMENT_BATCH = 25
TRANSACTION_ACTIONS = 100

#: What a restored link holds of its workspace's policies, in the order of a statement's values.
RESTORED_POLICIES = ("ttl", "policies", CLICK_RETENTION)


class ExternalIdTaken(Exception):
    """The external id belongs to another link of the workspace."""


class LinkState(NamedTuple):
    """What a deletion must know of a link before it touches it."""

    id: str
    live: bool
    fencing_token: str
    short_code: str
    external_id: str | None
    click_count: int
    last_click_at: str | None
    qr_keys: tuple[str, ...] = ()


class DeletedState(NamedTuple):
    """What a restore must know of a link. ``ttl`` is when DynamoDB may remove it (Unix time)."""

    id: str
    live: bool
    deletion_id: str | None
    created_at: str
    expires_at: str | None
    ttl: int | None


class Registered(Enum):
    """What became of a QR image's key."""

    YES = 1
    NO_ROOM = 2
    NOT_LIVE = 3


class LinksTable:
    """Reads and writes of links; every method is bounded by the deadline that it is given."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name
        # One statement text for every link, so that DynamoDB parses one plan. It applies only
        # to a live link (livePk) that was not restored after this deletion was accepted
        # (fencingToken): a stale worker of an undone deletion can never take it away again. An
        # UPDATE whose item does not exist fails its condition too: nothing is resurrected.
        where = 'WHERE "pk"=? AND "sk"=? AND "livePk" IS NOT MISSING AND "fencingToken"<?'
        # The images go with the link (the stream's old image names them): after a restore they
        # are rendered anew, and an erasure later on does not count them a second time.
        remove = 'REMOVE "livePk" REMOVE "liveSk" REMOVE "qrKeys"'
        # Without retention a deleted link stays for ever, even if it was to expire as a live one.
        self._mark = (
            f'UPDATE "{name}" SET "deletedAt"=? SET "deletionId"=? {remove} REMOVE "ttl" {where}'
        )
        self._mark_with_ttl = (
            f'UPDATE "{name}" SET "deletedAt"=? SET "deletionId"=? SET "ttl"=? {remove} {where}'
        )
        # Only what this very deletion took, and only once: a link deleted again meanwhile has
        # another deletion's id.
        where = 'WHERE "pk"=? AND "sk"=? AND "deletionId"=? AND "livePk" IS MISSING'
        live = 'SET "livePk"=? SET "liveSk"=? SET "fencingToken"=?'
        remove = 'REMOVE "deletedAt" REMOVE "deletionId"'
        # Set or removed by each workspace's policies: by the names that are set.
        self._restore = {
            kept: f'UPDATE "{name}" {live} {_set_or_remove(kept)} {remove} {where}'
            for kept in product(*((None, each) for each in RESTORED_POLICIES))
        }

    # -- one link ---------------------------------------------------------------------------

    def get(self, workspace_id: str, link_id: str) -> dict[str, Any] | None:
        """The link item, strongly consistent, live or soft-deleted; None when there is none."""
        item = read_item(self._client, self.name, _link_key(workspace_id, link_id))
        return from_item(item) if item else None

    def resolve_code(self, code: str) -> tuple[str, str] | None:
        """``(workspace_id, link_id)`` behind a short code, strongly consistent."""
        item = read_item(self._client, self.name, _code_key(code))
        # A code that is reserved or in quarantine is taken, but leads nowhere.
        return (
            (item["workspaceId"]["S"], item["linkId"]["S"]) if item and "linkId" in item else None
        )

    def resolve_external_id(self, workspace_id: str, external_id: str) -> str | None:
        """The id of the link with this external id, strongly consistent."""
        item = read_item(self._client, self.name, _external_key(workspace_id, external_id))
        return item["linkId"]["S"] if item else None

    # -- many links -------------------------------------------------------------------------

    def states(self, workspace_id: str, link_ids: Sequence[str]) -> dict[str, LinkState]:
        """The state of every link that exists (soft-deleted ones included), by id.

        100 keys a call, strongly consistent, in parallel; only the attributes of
        :class:`LinkState` travel.
        """

        def read(batch: Sequence[str]) -> list[LinkState]:
            keys = _encoded_keys(workspace_id, batch)
            return [_state(item) for item in self._batch_get(keys, _STATE)]

        batches = list(runs(link_ids, READ_BATCH))
        return {state.id: state for states in in_parallel(read, batches) for state in states}

    def fences(self, workspace_id: str, link_ids: Sequence[str]) -> dict[str, str]:
        """``fencingToken`` of every link that is live, by id: all that a soft delete must know.

        Like :meth:`states`, with a third of the bytes.
        """

        def read(batch: Sequence[str]) -> list[tuple[str, str]]:
            items = self._batch_get(_encoded_keys(workspace_id, batch), _FENCE)
            return [
                (item["id"]["S"], item["fencingToken"]["S"]) for item in items if "livePk" in item
            ]

        batches = list(runs(link_ids, READ_BATCH))
        return {link_id: fence for live in in_parallel(read, batches) for link_id, fence in live}

    def get_many(self, workspace_id: str, link_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Whole link items by id, strongly consistent."""
        prefix = f"{workspace_id}#"

        def read(batch: Sequence[str]) -> list[dict[str, Any]]:
            keys = [{"pk": {"S": prefix + link_id}, "sk": _LINK} for link_id in batch]
            return [from_item(item) for item in self._batch_get(keys, None)]

        batches = list(runs(link_ids, READ_BATCH))
        return {link["id"]: link for links in in_parallel(read, batches) for link in links}

    def taken_codes(self, workspace_id: str, codes: Sequence[str]) -> set[str]:
        """Which of these short codes the workspace may not use: a link has them, or they are
        still in quarantine or reserved for another workspace."""
        names = {f"#{number}": name for number, name in enumerate(code_release.ATTRIBUTES)}
        now = time.time()

        def read(batch: Sequence[str]) -> list[str]:
            items = self._batch_get([_code_key(code) for code in batch], names)
            return [
                item["pk"]["S"].removeprefix("CODE#")
                for item in items
                if not code_release.is_free(item, workspace_id, now)
            ]

        batches = list(runs(codes, READ_BATCH))
        return {code for taken in in_parallel(read, batches) for code in taken}

    def code_items(self, codes: Sequence[str]) -> dict[str, dict[str, Any]]:
        """What holds each of these short codes, strongly consistent; nothing for a free one.

        ``workspaceId`` and ``linkId`` of a link, or what :mod:`~functions.domain.code_release`
        leaves of one.
        """

        def read(batch: Sequence[str]) -> list[dict[str, Any]]:
            items = self._batch_get([_code_key(code) for code in batch], None)
            return [from_item(item) for item in items]

        found = in_parallel(read, list(runs(codes, READ_BATCH))) if codes else []
        return {item["pk"].removeprefix("CODE#"): item for part in found for item in part}

    def external_id_owners(self, workspace_id: str, external_ids: Sequence[str]) -> dict[str, str]:
        """The link of the workspace that has each of these external ids, strongly consistent."""
        prefix = f"EXT#{workspace_id}#"

        def read(batch: Sequence[str]) -> list[tuple[str, str]]:
            keys = [_external_key(workspace_id, external_id) for external_id in batch]
            items = self._batch_get(keys, None)
            return [(item["pk"]["S"].removeprefix(prefix), item["linkId"]["S"]) for item in items]

        found = in_parallel(read, list(runs(external_ids, READ_BATCH))) if external_ids else []
        return {external_id: link_id for part in found for external_id, link_id in part}

    def taken_external_ids(self, workspace_id: str, external_ids: Sequence[str]) -> set[str]:
        """Which of these external ids belong to a link of the workspace already."""
        prefix = f"EXT#{workspace_id}#"

        def read(batch: Sequence[str]) -> list[str]:
            keys = [_external_key(workspace_id, external_id) for external_id in batch]
            items = self._batch_get(keys, {"#a": "pk"})
            return [item["pk"]["S"].removeprefix(prefix) for item in items]

        batches = list(runs(external_ids, READ_BATCH))
        return {taken for found in in_parallel(read, batches) for taken in found}

    def _batch_get(
        self,
        keys: Sequence[dict[str, Any] | str],
        names: dict[str, str] | None,
    ) -> list[dict[str, Any]]:
        request: dict[str, Any] = {"Keys": keys, "ConsistentRead": True}
        if names is not None:
            request |= {
                "ProjectionExpression": ",".join(names),
                "ExpressionAttributeNames": names,
            }
        found = batch_get(self._client, {self.name: request})
        return [item for _, item in found]

    # -- create -----------------------------------------------------------------------------

    def create(
        self,
        links: Sequence[dict[str, Any]],
        *,
        token: str,
        made: dict[str, Any] | None = None,
    ) -> list[str]:
        """Create up to 33 links with their codes in one transaction, all or none.

        Returns [] when all were created, else per link what stood in the way: ``""``,
        ``"code"`` or ``"externalId"``. ``token`` makes a repeated call (a lost answer) harmless.
        ``made`` is an action that goes with them; raises ``KeyTaken`` when it is refused.
        """
        actions: list[dict[str, Any]] = []
        meaning: list[tuple[int, str]] = []
        for position, link in enumerate(links):
            workspace_id, link_id = link["workspaceId"], link["id"]
            pointer = {"workspaceId": {"S": workspace_id}, "linkId": {"S": link_id}}
            code = _code_key(link["shortCode"]) | pointer
            action = self._put(code, condition=code_release.IS_FREE)
            action["Put"] |= code_release.is_free_parameters(workspace_id, time.time())
            actions.append(action)
            meaning.append((position, "code"))
            if link.get("externalId") is not None:
                external_id_is_free = "attribute_not_exists(pk)"
                key = _external_key(workspace_id, link["externalId"])
                actions.append(
                    self._put(key | {"linkId": {"S": link_id}}, condition=external_id_is_free)
                )
                meaning.append((position, "externalId"))
            item = (
                _link_key(workspace_id, link_id)
                | to_item(link)
                | live_keys(workspace_id, link_id, link["createdAt"])
            )
            item["fencingToken"] = {"S": NO_RESTORE}
            id_is_new = "attribute_not_exists(pk)"
            actions.append(self._put(item, condition=id_is_new))
            meaning.append((position, "id"))
        if made is not None:
            actions.append(made)
        try:
            transact(self._client, actions, token=token)
        except TransactionCancelled as cancelled:
            if made is not None and cancelled.refused[-1]:
                raise KeyTaken from None
            obstacles = [""] * len(links)
            for (position, what), reason in zip(meaning, cancelled.reasons, strict=False):
                if reason.get("Code") == "ConditionalCheckFailed" and what != "id":
                    obstacles[position] = what
            if not any(obstacles):
                raise InternalError from cancelled
            return obstacles
        return []

    def _put(self, item: dict[str, Any], *, condition: str) -> dict[str, Any]:
        return {"Put": {"TableName": self.name, "Item": item, "ConditionExpression": condition}}

    # -- update -----------------------------------------------------------------------------

    def update(
        self, workspace_id: str, link_id: str, changes: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Set (or, for None, remove) these attributes of a live link; the link after it.

        None when it is not live: the condition keeps an update from bringing a link back.
        """
        is_live = "attribute_exists(livePk)"
        try:
            answer = call(
                self._client.update_item,
                TableName=self.name,
                Key=_link_key(workspace_id, link_id),
                ConditionExpression=is_live,
                ReturnValues="ALL_NEW",
                **_change(changes),
            )
        except ConditionFailed:
            return None
        return from_item(answer["Attributes"])

    def update_external_id(self, link: dict[str, Any], changes: dict[str, Any]) -> bool:
        """Like :meth:`update` for changes with an external id: its own item moves along.

        All in one transaction. False when the link is no longer live or has another external id
        than ``link`` (as it was read) says. Raises :class:`ExternalIdTaken`.
        """
        workspace_id, link_id = link["workspaceId"], link["id"]
        old, new = link.get("externalId"), changes["externalId"]
        update = _change(changes)
        update["ExpressionAttributeNames"]["#old"] = "externalId"
        if old is None:
            # Of two updates at once, both reading no external id, only one may claim one.
            as_it_was_read = "attribute_not_exists(#old)"
        else:
            as_it_was_read = "#old=:old"
            update["ExpressionAttributeValues"][":old"] = {"S": old}
        actions: list[dict[str, Any]] = [
            {
                "Update": {
                    "TableName": self.name,
                    "Key": _link_key(workspace_id, link_id),
                    "ConditionExpression": f"attribute_exists(livePk) AND {as_it_was_read}",
                    **update,
                }
            }
        ]
        if new is not None:
            external_id_is_free = "attribute_not_exists(pk)"
            item = _external_key(workspace_id, new) | {"linkId": {"S": link_id}}
            actions.append(self._put(item, condition=external_id_is_free))
        if old is not None:
            actions.append(self._delete_pointer(_external_key(workspace_id, old), link_id))
        try:
            transact(self._client, actions)
        except TransactionCancelled as cancelled:
            if cancelled.refused[0]:
                return False
            if new is not None and cancelled.refused[1]:
                raise ExternalIdTaken from None
            raise InternalError from cancelled
        return True

    # -- QR images --------------------------------------------------------------------------

    def register_qr_key(
        self, workspace_id: str, link_id: str, key: str, *, maximum: int
    ) -> Registered:
        """Note on the link that a rendered image will lie under ``key``, at most ``most`` keys.

        The link's delete finds the image by it, which is why it comes before the image.
        """
        # Only a live link: the old image of a delete's stream record has every key, or the
        # image is never stored. A key that is there already may always be set again.
        live_with_room = (
            "attribute_exists(livePk) AND (attribute_not_exists(qrKeys)"
            " OR size(qrKeys)<:most OR contains(qrKeys,:key))"
        )
        met = update(
            self._client,
            self.name,
            _link_key(workspace_id, link_id),
            "ADD qrKeys :keys",
            condition=live_with_room,
            values={":keys": {"SS": [key]}, ":key": {"S": key}, ":most": {"N": str(maximum)}},
        )
        if met is not None:
            return Registered.NO_ROOM if "livePk" in met else Registered.NOT_LIVE
        return Registered.YES

    # -- list -------------------------------------------------------------------------------

    def live_ids(
        self,
        workspace_id: str,
        *,
        after: str | None,
        page: int,
        since: str | None = None,
    ) -> Iterator[tuple[str, str]]:
        """``(live_sk, link_id)`` newest first, merged from the shards, from below ``after``.

        ``after`` is a ``live_sk`` or a moment; ``since`` is the moment after which links were
        created. Lazy: a shard's next ``page`` keys are read only when the merge reaches them.
        """
        shards = [
            self._live_shard(f"{workspace_id}#{shard}", after=after, since=since, page=page)
            for shard in range(SHARDS)
        ]
        first_pages = in_parallel(next, shards)
        started = [_chain(first, shard) for first, shard in zip(first_pages, shards, strict=True)]
        yield from heapq.merge(*started, key=itemgetter(0), reverse=True)

    def _live_shard(
        self,
        shard: str,
        *,
        after: str | None,
        since: str | None,
        page: int,
    ) -> Iterator[list[tuple[str, str]]]:
        parameters: dict[str, Any] = {
            "TableName": self.name,
            "IndexName": "live",
            "KeyConditionExpression": "livePk=:shard",
            "ExpressionAttributeValues": {":shard": {"S": shard}},
            "ScanIndexForward": False,
            "Limit": page,
        }
        values = parameters["ExpressionAttributeValues"]
        if after is not None:
            values[":after"] = {"S": after}
        if since is not None:
            # "$" follows "#": behind every link of that very moment.
            values[":since"] = {"S": f"{since}$"}
        if after is not None and since is not None:
            if after < f"{since}$":
                yield []
                return
            # Both ends are inclusive; ``after`` itself is dropped below.
            parameters["KeyConditionExpression"] += " AND liveSk BETWEEN :since AND :after"
        elif after is not None:
            parameters["KeyConditionExpression"] += " AND liveSk<:after"
        elif since is not None:
            parameters["KeyConditionExpression"] += " AND liveSk>:since"
        while True:
            answer = call(self._client.query, **parameters)
            yield [
                (item["liveSk"]["S"], item["pk"]["S"].rpartition("#")[2])
                for item in answer["Items"]
                if item["liveSk"]["S"] != after
            ]
            if "LastEvaluatedKey" not in answer:
                return
            parameters["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

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
        """Soft-delete links under the fence; one :class:`Outcome` byte per id, in order.

        25 conditional statements a call, in parallel. A statement that failed because of load is
        tried again with others of its kind, with full jitter, until the deadline; what is left
        then stays ``PENDING``. Every statement may be repeated without harm: one that was
        applied although its answer was lost is recognised by our ``deletionId``.

        Raises ``InternalError`` when DynamoDB refuses in a way that no retry can mend.
        """
        outcomes = bytearray([Outcome.PENDING]) * len(link_ids)
        statement = self._mark if ttl is None else self._mark_with_ttl
        values = [{"S": deleted_at}, {"S": deletion_id}]
        if ttl is not None:
            values.append({"N": str(ttl)})
        # The statements differ only in the link's key: the rest is encoded once for all.
        before, after = around(
            {
                "Statement": statement,
                "Parameters": [*values, {"S": HOLE}, _LINK, {"S": deletion_id}],
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

        ``refused`` turns the item that a refused statement met into an outcome.
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
                for position, item in self._met(workspace_id, named, refusals).items():
                    outcomes[position] = refused(item)
                refusals.clear()
            waiting = [position for position in waiting if outcomes[position] == Outcome.PENDING]
            attempt += 1
            metrics.count("ThrottledStatements", len(waiting))
            if waiting and not backoff(attempt):
                break

    def _responses(self, statements: list[str | dict[str, Any]]) -> list[dict[str, Any]]:
        """One response for each statement of a batch; [] when the call should be repeated."""
        execute = self._client.batch_execute_statement
        try:
            answer = execute(Statements=statements, ReturnConsumedCapacity="TOTAL")
            note_capacity(execute, answer)
            responses: list[dict[str, Any]] = answer["Responses"]
        except Exception as error:
            if is_retryable(error):
                return []
            raise InternalError from error
        if len(responses) != len(statements):
            raise InternalError("DynamoDB did not answer every statement of a batch")
        return responses

    def _met(
        self,
        workspace_id: str,
        link_ids: dict[int, str],
        items: dict[int, dict[str, Any] | None],
    ) -> dict[int, dict[str, Any] | None]:
        """The item that each refused statement met, by position; None where there is no link.

        A refusal without an item means that there is no link, or that DynamoDB left the item out
        although ALL_OLD was asked for. Which of them is decided by a strongly consistent read. If
        that is not possible the position is missing here: its statement is repeated.
        """
        unexplained = [link_ids[position] for position, item in items.items() if not item]
        if not unexplained:
            return items

        def read(batch: Sequence[str]) -> list[dict[str, Any]]:
            return self._batch_get(_encoded_keys(workspace_id, batch), _MET)

        try:
            found = in_parallel(read, list(runs(unexplained, READ_BATCH)))
        except Unavailable:
            return {position: item for position, item in items.items() if item}
        by_id = {item["id"]["S"]: item for part in found for item in part}
        return {position: item or by_id.get(link_ids[position]) for position, item in items.items()}

    # -- restore ----------------------------------------------------------------------------

    def deleted_states(self, workspace_id: str, link_ids: Sequence[str]) -> dict[str, DeletedState]:
        """What a restore must know of every link that exists, by id; strongly consistent."""

        def read(batch: Sequence[str]) -> list[DeletedState]:
            keys = _encoded_keys(workspace_id, batch)
            return [_deleted_state(item) for item in self._batch_get(keys, _DELETED)]

        batches = list(runs(link_ids, READ_BATCH))
        found = in_parallel(read, batches) if batches else []
        return {state.id: state for part in found for state in part}

    def restore(
        self,
        workspace_id: str,
        states: Sequence[DeletedState],
        *,
        deletion_id: str,
        restore_id: str,
        attributes: Sequence[dict[str, Any]],
    ) -> bytearray:
        """Make links live again that this deletion soft-deleted; one ``Outcome`` byte each.

        As :meth:`mark_deleted`. ``RESTORED`` is live again (by us, or by another restore),
        ``NOT_FOUND`` gone, ``FAILED`` deleted again meanwhile. The link gets its place in the
        list back, and ``restore_id`` as its fence against workers of the deletion. ``attributes``
        has a value, or None to remove it, of each of :data:`RESTORED_POLICIES` for each link.
        """
        outcomes = bytearray([Outcome.PENDING]) * len(states)

        def statement(position: int) -> dict[str, Any]:
            state, wanted = states[position], attributes[position]
            place = live_keys(workspace_id, state.id, state.created_at)
            values = [place["livePk"], place["liveSk"], {"S": restore_id}]
            values += to_item({name: wanted[name] for name in RESTORED_POLICIES}).values()
            kept = tuple(None if wanted[name] is None else name for name in RESTORED_POLICIES)
            key = [{"S": f"{workspace_id}#{state.id}"}, _LINK]
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
            refused=_why_not_restored,
        )
        return outcomes

    # -- erase ------------------------------------------------------------------------------

    def erase(self, actions: list[dict[str, Any]]) -> None:
        """Apply :meth:`erase_actions` (and the record's own action) in one transaction."""
        transact(self._client, actions)

    def erase_actions(
        self,
        workspace_id: str,
        state: LinkState,
        *,
        live_only: bool = False,
        release: CodeRelease | None = None,
    ) -> list[dict[str, Any]]:
        """The transaction actions that remove a link, its code and its external id for good.

        ``release`` says from whom its code is kept for a time.

        The first is the link's own.
        """
        # Only an existing link: of two racing erasures one must report it, the other not.
        link_exists = "attribute_exists(livePk)" if live_only else "attribute_exists(pk)"
        # Only as it was read. An external id set meanwhile would stay behind, taken for ever; an
        # image registered meanwhile would not be in the erasure's record, which names them.
        values: dict[str, Any] = {}
        if state.external_id is None:
            link_exists += " AND attribute_not_exists(externalId)"
        else:
            link_exists += " AND externalId=:external"
            values[":external"] = {"S": state.external_id}
        if state.qr_keys:
            link_exists += " AND qrKeys=:images"
            values[":images"] = {"SS": list(state.qr_keys)}
        else:
            link_exists += " AND attribute_not_exists(qrKeys)"
        link: dict[str, Any] = {
            "TableName": self.name,
            "Key": _link_key(workspace_id, state.id),
            "ConditionExpression": link_exists,
        }
        if values:
            link["ExpressionAttributeValues"] = values
        actions: list[dict[str, Any]] = [
            {"Delete": link},
            self._release_code(state.short_code, state.id, "linkId=:link", release),
        ]
        if state.external_id is not None:
            actions.append(
                self._delete_pointer(_external_key(workspace_id, state.external_id), state.id)
            )
        return actions

    def release_actions(
        self,
        workspace_id: str,
        link_id: str,
        *,
        code: str | None,
        external_id: str | None,
        release: CodeRelease | None,
    ) -> list[dict[str, Any]]:
        """The transaction actions that free the code and external id of a link that is gone."""
        actions = []
        # Free already, or still ours; never another link's.
        not_another_links = "attribute_not_exists(pk) OR linkId=:link"
        if code is not None:
            actions.append(self._release_code(code, link_id, not_another_links, release))
        if external_id is not None:
            key = _external_key(workspace_id, external_id)
            actions.append(self._delete_pointer(key, link_id, not_another_links))
        return actions

    def _release_code(
        self, code: str, link_id: str, still_ours: str, release: CodeRelease | None
    ) -> dict[str, Any]:
        if release is None:
            return self._delete_pointer(_code_key(code), link_id, still_ours)
        left = release.left()
        names = {f"#{number}": name for number, name in enumerate(left)}
        values = to_item({f":{number}": value for number, value in enumerate(left.values())})
        sets = ", ".join(f"#{number}=:{number}" for number in range(len(left)))
        return {
            "Update": {
                "TableName": self.name,
                "Key": _code_key(code),
                # What is left says who may use the code from when on, and nothing of the link.
                "UpdateExpression": f"SET {sets} REMOVE linkId, workspaceId",
                "ConditionExpression": still_ours,
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values | {":link": {"S": link_id}},
            }
        }

    def _delete_pointer(
        self,
        key: dict[str, Any],
        link_id: str,
        # Only while it points here: a code or external id is never taken from another link.
        still_ours: str = "linkId=:link",
    ) -> dict[str, Any]:
        return {
            "Delete": {
                "TableName": self.name,
                "Key": key,
                "ConditionExpression": still_ours,
                "ExpressionAttributeValues": {":link": {"S": link_id}},
            }
        }


_LINK = {"S": "LINK"}
_CONDITION = frozenset({"ConditionalCheckFailed", "ConditionalCheckFailedException"})
_FENCE = {"#a": "id", "#b": "livePk", "#c": "fencingToken"}
_MET = _FENCE | {"#d": "deletionId"}
_STATE = {
    "#a": "id",
    "#b": "livePk",
    "#c": "fencingToken",
    "#d": "shortCode",
    "#e": "externalId",
    "#f": "clickCount",
    "#g": "lastClickAt",
    "#h": "qrKeys",
}


def _why_not_marked(item: dict[str, Any] | None, deletion_id: str) -> Outcome:
    if not item:
        return Outcome.NOT_FOUND
    if item.get("deletionId", {}).get("S") == deletion_id:
        return Outcome.DELETED
    if "livePk" in item:
        # An item that was read after the refusal may have come back in between, under an older
        # fence: the statement applies to it now, so it is sent again.
        return Outcome.PENDING if item["fencingToken"]["S"] < deletion_id else Outcome.RESTORED
    return Outcome.NOT_FOUND


def _state(item: dict[str, Any]) -> LinkState:
    external_id = item.get("externalId")
    last_click = item.get("lastClickAt")
    return LinkState(
        item["id"]["S"],
        "livePk" in item,
        item["fencingToken"]["S"],
        item["shortCode"]["S"],
        external_id["S"] if external_id else None,
        int(item["clickCount"]["N"]) if "clickCount" in item else 0,
        last_click["S"] if last_click else None,
        tuple(item["qrKeys"]["SS"]) if "qrKeys" in item else (),
    )


def _change(changes: dict[str, Any]) -> dict[str, Any]:
    """The parameters of an update that sets these attributes, and removes those that are None."""
    names = {f"#{position}": name for position, name in enumerate(changes)}
    values: dict[str, Any] = {}
    sets, removes = [], []
    for position, value in enumerate(changes.values()):
        if value is None:
            removes.append(f"#{position}")
        else:
            sets.append(f"#{position}=:{position}")
            values |= to_item({f":{position}": value})
    return {
        "UpdateExpression": f"SET {','.join(sets)}"
        + (f" REMOVE {','.join(removes)}" if removes else ""),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


#: What a restore reads of a link, by the aliases of an expression.
_DELETED = {
    "#a": "id",
    "#b": "livePk",
    "#c": "deletionId",
    "#d": "createdAt",
    "#e": "expiresAt",
    "#f": "ttl",
}


def _deleted_state(item: dict[str, Any]) -> DeletedState:
    return DeletedState(
        id=item["id"]["S"],
        live="livePk" in item,
        deletion_id=item["deletionId"]["S"] if "deletionId" in item else None,
        created_at=item["createdAt"]["S"],
        expires_at=item["expiresAt"]["S"] if "expiresAt" in item else None,
        ttl=int(item["ttl"]["N"]) if "ttl" in item else None,
    )


def _set_or_remove(kept: Sequence[str | None]) -> str:
    """The part of a restore's statement that sets these policies and removes the others."""
    return " ".join(
        f'REMOVE "{name}"' if value is None else f'SET "{name}"=?'
        for name, value in zip(RESTORED_POLICIES, kept, strict=True)
    )


def _why_not_restored(item: dict[str, Any] | None) -> Outcome:
    if not item:
        return Outcome.NOT_FOUND
    # Live again: by this very statement, whose answer was lost, or by another restore.
    return Outcome.RESTORED if "livePk" in item else Outcome.FAILED


def _link_key(workspace_id: str, link_id: str) -> dict[str, Any]:
    return {"pk": {"S": f"{workspace_id}#{link_id}"}, "sk": _LINK}


_AROUND_PK = around({"pk": {"S": HOLE}, "sk": _LINK})


def _encoded_keys(workspace_id: str, link_ids: Sequence[str]) -> list[str]:
    """The JSON of the keys of these links."""
    before, after = _AROUND_PK
    prefix = f"{workspace_id}#"
    return [before + quote(prefix + link_id) + after for link_id in link_ids]


def _code_key(code: str) -> dict[str, Any]:
    return {"pk": {"S": f"CODE#{code}"}, "sk": {"S": "CODE"}}


def _external_key(workspace_id: str, external_id: str) -> dict[str, Any]:
    return {"pk": {"S": f"EXT#{workspace_id}#{external_id}"}, "sk": {"S": "EXT"}}


def live_keys(workspace_id: str, link_id: str, created_at: str) -> dict[str, Any]:
    """A live link's place in the index: its shard, and its age within it."""
    return {
        "livePk": {"S": f"{workspace_id}#{shard_of(link_id)}"},
        "liveSk": {"S": f"{created_at}#{link_id}"},
    }


def _chain(
    first: list[tuple[str, str]], rest: Iterator[list[tuple[str, str]]]
) -> Iterator[tuple[str, str]]:
    yield from first
    for page in rest:
        yield from page
