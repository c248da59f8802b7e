"""The ``deletions`` table: the durable record of every delete, only created and advanced.

Items (``pk``, ``sk``):

- header: ``{workspaceId}``, ``{deletionId}``. While work is left it carries ``openPk`` (four
  shards) and ``openSk`` (``{leaseUntil}#{deletionId}``), the keys of the sparse index ``open``.
- ids that do not fit the header: ``{workspaceId}#{deletionId}``, ``CHUNK#{n}``.
- outcome of one erasing transaction: the same ``pk``, ``DONE#{n}``, put by that transaction.
- a restore of what this deletion took, by :mod:`~functions.repositories.restores`: the same
  ``pk``, ``RESTORE#{restoreId}``.
- idempotency keys, by :mod:`~functions.repositories.idempotency`.
- a header whose deletion had nothing to delete, and its chunks, have a ``ttl``.

No method deletes or replaces an item, and no role of the stack may.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from functions.aws.client import (
    ConditionFailed,
    TransactionCancelled,
    call,
    in_parallel,
    query,
    read_item,
    transact,
    update,
)
from functions.aws.codec import from_item, to_item
from functions.domain.clock import current_deadline, iso
from functions.domain.code_release import CodeRelease
from functions.domain.deletion_filter import DeletionFilter
from functions.domain.errors import InternalError, Unavailable
from functions.domain.ids import pack_ids, shard_of, time_of, unpack_ids
from functions.domain.outcomes import Outcome, count, pack_outcomes, unpack_outcomes
from functions.domain.policies import Policies
from functions.repositories.idempotency import IdempotencyKey, IdempotencyTable, KeyTaken

if TYPE_CHECKING:
    from functions.domain.deletion_names import DeletionState, Mode
    from functions.domain.record_types import Actor, DeletionCounts, Receipt

#: Ids that the header holds itself (4 KB); more are put as chunks of 2,500 (40 KB) before it.
INLINE_IDS = 256
CHUNK_IDS = 2_500

EVERY_DELETION = DeletionFilter()

#: Shards of the index of open deletions.
OPEN_SHARDS = 4


@dataclass(frozen=True, slots=True)
class FilterRequest:
    """What a deletion by filter was asked to find: the filter as the caller wrote it.

    ``most`` is the plan's limit of ids, ``digest`` the exact set that the caller confirmed,
    ``reads_per_minute`` how fast the background may read links, ``slot`` which of the workspace's
    slots the deletion holds while it waits for that.
    """

    filter: dict[str, Any]
    maximum: int
    digest: str | None = None
    reads_per_minute: int | None = None
    slot: int | None = None


@dataclass(slots=True)
class Deletion:
    """One deletion: what was asked, by whom, and what became of each id.

    ``link_ids`` is [] when only the header was read and the ids are in chunks; ``outcomes`` has
    one byte per id, in the order of the request; ``counts`` is what the record last said of them.
    ``lease`` names the worker that holds it. A deletion by filter has a ``selector`` and, while
    it is ``accepted``, no ids yet; ``failure`` says why one was given up before deleting anything.
    """

    id: str
    workspace_id: str
    mode: Mode
    state: DeletionState
    actor: Actor
    created_at: str
    source_ip: str | None = None
    reason: str | None = None
    completed_at: str | None = None
    link_ids: list[str] = field(default_factory=list)
    outcomes: bytearray = field(default_factory=bytearray)
    #: ``outcomes`` as the record that was read has them: packed anew they may be other bytes.
    packed_outcomes: bytes = b""
    id_chunks: int = 0
    chunk_prefix: str = ""
    filter_request: FilterRequest | None = None
    failure: str | None = None
    counts: DeletionCounts = field(default_factory=lambda: count(b""))
    lease: str | None = None
    lease_until: float = 0.0
    retention_days: int | None = None
    policies: dict[str, Any] = field(default_factory=dict)
    #: Where an export that comes first stands: ``baseUrl``, ``position``, ``done``,
    #: and the ``slot`` of the workspace that it holds.
    export: dict[str, Any] | None = None
    receipt: Receipt | None = None
    #: When (Unix seconds) DynamoDB may remove the record; only one that deletes nothing has it.
    #: Until DynamoDB does, within days, it is shown as any other.
    ttl: int | None = None

    @property
    def open(self) -> bool:
        """Whether deleting is still going on (an erasure's cleanup is not deleting)."""
        return self.state in ("accepted", "exporting", "deleting")

    @property
    def pending(self) -> list[int]:
        """Positions of the ids without an outcome."""
        return [i for i, outcome in enumerate(self.outcomes) if outcome == Outcome.PENDING]

    def ids_with(self, *wanted: Outcome) -> list[str]:
        """The ids with one of these outcomes, in request order."""
        return [
            link_id
            for link_id, outcome in zip(self.link_ids, self.outcomes, strict=True)
            if outcome in wanted
        ]


def release_of_codes(deletion: Deletion) -> CodeRelease | None:
    """From whom the codes of an erasure are kept for a time, by its workspace's policies.

    Counted from the deletion's own time, so that a repeated transaction is identical.
    """
    policies = Policies.read(deletion.policies)
    return CodeRelease.by(
        policies, deletion.workspace_id, time_of(deletion.id), deletion_id=deletion.id
    )


class SlotTaken(Exception):
    """Another request claimed a slot first; ``refused`` says of each claim whether it was taken."""

    def __init__(self, refused: Sequence[bool]) -> None:
        super().__init__("a slot was taken")
        self.refused = refused


class DeletionsTable:
    """Creates and advances deletion records."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name
        self.keys = IdempotencyTable(client, name)

    # -- read -------------------------------------------------------------------------------

    def header(self, workspace_id: str, deletion_id: str) -> Deletion | None:
        """The record without chunked ids; None when the workspace has no such deletion."""
        item = read_item(
            self._client,
            self.name,
            {"pk": {"S": workspace_id}, "sk": {"S": deletion_id}},
        )
        return read_header(item) if item else None

    def load(self, workspace_id: str, deletion_id: str) -> Deletion | None:
        """The whole record, with all ids and, for an open erasure, what its transactions did."""
        deletion = self.header(workspace_id, deletion_id)
        if deletion is None:
            return None
        if deletion.id_chunks:
            keys = [chunk_key(deletion, number) for number in range(deletion.id_chunks)]
            packed = in_parallel(lambda key: read_item(self._client, self.name, key), keys)
            deletion.link_ids = unpack_ids(b"".join(item["ids"]["B"] for item in packed if item))
        if deletion.mode == "erase" and deletion.open:
            self.read_done(deletion)
        return deletion

    def page_of_ids(self, deletion: Deletion, start: int, limit: int) -> list[str]:
        """Ids ``start`` to ``start + limit`` of a record, reading only the chunks they are in."""
        if not deletion.id_chunks:
            return deletion.link_ids[start : start + limit]
        numbers = range(
            start // CHUNK_IDS, min(deletion.id_chunks, -(-(start + limit) // CHUNK_IDS))
        )
        keys = [chunk_key(deletion, number) for number in numbers]
        items = in_parallel(lambda key: read_item(self._client, self.name, key), keys)
        ids = unpack_ids(b"".join(item["ids"]["B"] for item in items if item))
        skipped = start - numbers.start * CHUNK_IDS
        return ids[skipped : skipped + limit]

    def newest(
        self,
        workspace_id: str,
        *,
        limit: int,
        before: str | None,
        only: DeletionFilter = EVERY_DELETION,
    ) -> tuple[list[Deletion], str | None]:
        """Matching headers among ``limit`` of a workspace, newest first, without ids and outcomes.

        Also the id of the last header that was looked at; None when no more follow. ``before`` is
        such an id, and the headers after it are read. A running erasure comes with its outcomes:
        its header lags behind its transactions, and ``GET /api/deletions/{id}`` counts what they
        did.
        """
        if only.matches_nothing:
            return [], None
        answer = call(
            self._client.query,
            TableName=self.name,
            # A list is read far more often than written, and ids and outcomes are most of it:
            # what is projected away still costs its read units, but no time on the wire.
            ProjectionExpression=",".join(_LISTED),
            ScanIndexForward=False,
            Limit=limit,
            ConsistentRead=True,
            **headers_query(workspace_id, before=before, only=only, names=_LISTED),
        )
        found = [read_header(item) for item in answer["Items"]]
        running = [n for n, each in enumerate(found) if each.open and each.mode == "erase"]

        def read(number: int) -> None:
            whole = self.header(workspace_id, found[number].id)
            if whole is not None:
                if whole.open:
                    self.read_done(whole)
                found[number] = whole

        if running:
            in_parallel(read, running)
        last = answer.get("LastEvaluatedKey")
        return found, last["sk"]["S"] if last else None

    def read_done(self, deletion: Deletion) -> None:
        """Take over what erasing transactions recorded as their own outcome items."""
        done = query(
            self._client,
            self.name,
            KeyConditionExpression="pk=:parts AND begins_with(sk,:done)",
            ExpressionAttributeValues={
                ":parts": {"S": f"{deletion.workspace_id}#{deletion.id}"},
                ":done": {"S": "DONE#"},
            },
            ConsistentRead=True,
        )
        for item in done:
            for number in item["positions"]["L"]:
                deletion.outcomes[int(number["N"])] = Outcome.ERASED

    def expired_leases(self, *, limit: int) -> list[tuple[str, str]]:
        """``(workspace_id, deletion_id)`` of open deletions whose lease has run out."""
        items = expired_lease_items(self._client, self.name, "OPEN", limit=limit)
        return [(item["pk"]["S"], item["sk"]["S"]) for item in items]

    # -- create -----------------------------------------------------------------------------

    def accept(
        self,
        deletion: Deletion,
        *,
        key: IdempotencyKey | None,
        claims: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Write the intent: chunks of ids first, the header last. It is the commit point.

        Once this returns the deletion will complete, whatever dies. Chunks whose header never
        came are inert. Raises :class:`KeyTaken` when the key was used by another request, and
        :class:`SlotTaken` when one of ``claims``, the actions that claim slots, was refused.
        """
        self._put_chunks(deletion)
        actions = self.accept_actions(deletion, key=key)
        first = len(actions)
        actions += claims
        try:
            self._create(actions)
        except TransactionCancelled as cancelled:
            if key is not None and cancelled.reasons[1].get("Code") == "ConditionalCheckFailed":
                raise KeyTaken from None
            if any(refused := cancelled.refused[first:]):
                raise SlotTaken(refused) from None
            raise

    def accept_actions(
        self, deletion: Deletion, *, key: IdempotencyKey | None
    ) -> list[dict[str, Any]]:
        """The transaction actions that create the header and claim the idempotency key."""
        # A deletion id is drawn once: an existing header is our own, written by a lost call.
        header_is_new = "attribute_not_exists(pk)"
        actions: list[dict[str, Any]] = [
            {
                "Put": {
                    "TableName": self.name,
                    "Item": _header_item(deletion),
                    "ConditionExpression": header_is_new,
                }
            }
        ]
        if key is not None:
            actions.append(
                self.keys.claim_action(deletion.workspace_id, key, {"deletionId": deletion.id})
            )
        return actions

    def done_action(self, deletion: Deletion, positions: Sequence[int]) -> dict[str, Any]:
        """The outcome that an erasing transaction records of itself, in itself.

        Named by its first position: a second worker that repeats a transaction which was
        applied meets the item, and is cancelled instead of counting twice.
        """
        not_yet_done = "attribute_not_exists(pk)"
        return {
            "Put": {
                "TableName": self.name,
                "Item": {
                    "pk": {"S": f"{deletion.workspace_id}#{deletion.id}"},
                    "sk": {"S": f"DONE#{positions[0]:05d}"},
                    "positions": {"L": [{"N": str(position)} for position in positions]},
                },
                "ConditionExpression": not_yet_done,
            }
        }

    def _create(self, actions: list[dict[str, Any]]) -> None:
        if len(actions) > 1:
            transact(self._client, actions)
            return
        # A header that exists is our own, put by a call whose answer was lost.
        with suppress(ConditionFailed):
            call(self._client.put_item, **actions[0]["Put"])

    def _put_chunks(self, deletion: Deletion) -> None:
        if len(deletion.link_ids) > INLINE_IDS:
            parts = list(range(0, len(deletion.link_ids), CHUNK_IDS))
            deletion.id_chunks = len(parts)
            in_parallel(lambda start: self._put_chunk(deletion, start), parts)

    def _put_chunk(self, deletion: Deletion, start: int) -> None:
        call(
            self._client.put_item,
            TableName=self.name,
            Item={
                **chunk_key(deletion, start // CHUNK_IDS),
                "ids": {"B": pack_ids(deletion.link_ids[start : start + CHUNK_IDS])},
                **to_item({"ttl": deletion.ttl}),
            },
        )

    # -- advance ----------------------------------------------------------------------------

    def acquire_lease(self, deletion: Deletion, *, seconds: float) -> bool:
        """Become the worker of an open deletion whose lease has lapsed or was handed over.

        False when another worker holds it or has held it since it was read, or it is closed. Sets
        ``lease`` and ``lease_until``.
        """
        now = time.time()
        lease, until = str(uuid.uuid4()), now + seconds
        # One worker at a time: two would be harmless (every write is conditional), but wasteful.
        nobody_holds_it = "attribute_exists(openPk) AND leaseUntil<=:now"
        # Nor has one saved anything since: who goes on from an older position writes an export
        # anew, perhaps of links that are erased by now.
        nobody_held_it_since = "lease=:seen AND leaseUntil=:seenUntil"
        met = self._advance(
            deletion,
            f"SET lease=:lease, {_LEASE_UNTIL}",
            condition=f"{nobody_holds_it} AND {nobody_held_it_since}",
            values=_lease_until(deletion, until)
            | {
                ":lease": {"S": lease},
                ":now": _milliseconds(now),
                ":seen": {"S": deletion.lease or ""},
                ":seenUntil": _milliseconds(deletion.lease_until),
            },
        )
        # A lost answer of this very call shows our own lease.
        if met is not None and met.get("lease", {}).get("S") != lease:
            return False
        deletion.lease, deletion.lease_until = lease, until
        return True

    def record_ids(self, deletion: Deletion) -> bool:
        """Record the ids that a filter was resolved to; from now on exactly these are deleted.

        False when the lease was lost: another worker resolves, and its set is the one that counts.
        The chunks carry the worker's name, so that two workers never write into each other's.
        ``deletion.ttl`` is recorded with the ids.
        """
        deletion.chunk_prefix = f"{deletion.lease}#"
        self._put_chunks(deletion)
        [(attribute, ids)] = _recorded_ids(deletion).items()
        state: DeletionState = "exporting" if deletion.export is not None else "deleting"
        not_yet_resolved = "#state=:accepted AND lease=:lease"
        changes = f"SET #state=:next, {_PROGRESS}, chunkPrefix=:prefix, {attribute}=:ids"
        ttl: dict[str, Any] = {}
        if deletion.ttl is not None:
            changes, ttl = f"{changes}, #ttl=:ttl", {":ttl": {"N": str(deletion.ttl)}}
        met = self._advance(
            deletion,
            changes,
            condition=not_yet_resolved,
            values=_progress(deletion)
            | {
                ":accepted": {"S": "accepted"},
                ":next": {"S": state},
                ":lease": {"S": deletion.lease or ""},
                ":prefix": {"S": deletion.chunk_prefix},
                ":ids": ids,
            }
            | ttl,
        )
        # A lost answer of this very call shows our own prefix.
        if met is not None and met.get("chunkPrefix", {}).get("S") != deletion.chunk_prefix:
            return False
        deletion.state = state
        return True

    def save_progress(self, deletion: Deletion, *, lease_seconds: float) -> bool:
        """Record the outcomes so far and prolong the lease; 0 seconds hands it over.

        False when the lease was lost to another worker, whose record then stands.
        """
        return self._save(deletion, _PROGRESS, _progress(deletion), lease_seconds)

    def save_export(self, deletion: Deletion, *, lease_seconds: float) -> bool:
        """Record how far the export is, and the state, and prolong the lease.

        False when the lease was lost to another worker, whose record then stands.
        """
        values = to_item({":export": deletion.export or {}, ":state": deletion.state})
        changes = "#state=:state, #export=:export"
        return self._save(deletion, changes, values, lease_seconds)

    def _save(
        self,
        deletion: Deletion,
        changes: str,
        values: dict[str, Any],
        lease_seconds: float,
    ) -> bool:
        until = time.time() + lease_seconds if lease_seconds else 0.0
        lease_is_ours = "attribute_exists(openPk) AND lease=:lease"
        met = self._advance(
            deletion,
            f"SET {changes}, {_LEASE_UNTIL}",
            condition=lease_is_ours,
            values=values | {":lease": {"S": deletion.lease or ""}} | _lease_until(deletion, until),
        )
        if met is not None:
            _adopt(deletion, met)
            return False
        deletion.lease_until = until
        return True

    def mark_restored(self, deletion: Deletion, positions: Sequence[int]) -> None:
        """Let the record of a closed deletion, as it was read, say which of its links are live.

        The outcomes are one value for all ids, and several restores may advance it at a time.
        """
        while any(deletion.outcomes[position] != Outcome.RESTORED for position in positions):
            for position in positions:
                deletion.outcomes[position] = Outcome.RESTORED
            outcomes_are_as_read = "outcomes=:seen AND attribute_not_exists(openPk)"
            met = self._advance(
                deletion,
                f"SET {_PROGRESS}",
                condition=outcomes_are_as_read,
                values=_progress(deletion) | {":seen": {"B": deletion.packed_outcomes}},
            )
            if met is None:
                return
            if current_deadline().passed:
                raise Unavailable
            if not met:
                raise InternalError
            # Another restore was faster, or this one, in a call whose answer was lost.
            deletion.packed_outcomes = met["outcomes"]["B"]
            deletion.outcomes = unpack_outcomes(deletion.packed_outcomes)

    def close(self, deletion: Deletion, *, state: DeletionState) -> None:
        """Record the final outcomes: ``complete``, ``failed`` (nothing was deleted), or
        ``erasing`` while the rest is cleaned up.

        The first to close wins; a later worker of the same deletion changes nothing.
        """
        still_open = "attribute_exists(openPk) AND #state IN (:accepted,:exporting,:deleting)"
        finished = state in ("complete", "failed")
        now = iso(time.time())
        changes = f"SET #state=:state, {_PROGRESS}"
        values = _progress(deletion) | {
            f":{name}": {"S": name} for name in ("accepted", "exporting", "deleting")
        }
        values[":state"] = {"S": state}
        if deletion.failure is not None:
            changes += ", failure=:failure"
            values[":failure"] = {"S": deletion.failure}
        if finished:
            changes += ", completedAt=:now REMOVE openPk, openSk, lease, leaseUntil"
            values[":now"] = {"S": now}
        else:
            changes += ", openPk=:open, openSk=:since REMOVE lease, leaseUntil"
            values[":open"] = {"S": f"ERASING#{shard_of(deletion.id) % OPEN_SHARDS}"}
            values[":since"] = {"S": f"{now}#{deletion.id}"}
        met = self._advance(deletion, changes, condition=still_open, values=values)
        if met:
            # Closed already: by another worker, or by this very call, whose answer was lost.
            _adopt(deletion, met)
            return
        deletion.state = state
        deletion.completed_at = now if finished else None

    def _advance(
        self,
        deletion: Deletion,
        changes: str,
        *,
        condition: str,
        values: dict[str, Any],
    ) -> dict[str, Any] | None:
        """None when the header was changed, else as it was met."""
        return update(
            self._client,
            self.name,
            header_key(deletion.workspace_id, deletion.id),
            changes,
            condition=condition,
            values=values,
        )


#: What a list shows of a header, by the aliases of an expression.
_LISTED = {
    f"#{number}": name
    for number, name in enumerate(
        [
            "pk",
            "sk",
            "mode",
            "state",
            "actor",
            "createdAt",
            "sourceIp",
            "reason",
            "completedAt",
            "counts",
            "receipt",
            "selector",
            "failure",
            "export",
        ]
    )
}


def headers_query(
    workspace_id: str,
    *,
    before: str | None,
    only: DeletionFilter = EVERY_DELETION,
    names: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The parameters of a ``Query`` for the matching headers of a workspace, newest first.

    ``before`` is the id of the last header that was looked at. ``names`` are further aliases of
    attribute names.
    """
    low, high = only.id_range()
    values: dict[str, Any] = {":workspace": workspace_id, ":low": low, ":high": high}
    wanted = {"#state": ("state", only.state), "#mode": ("mode", only.mode)}
    given = {alias: each for alias, each in wanted.items() if each[1] is not None}
    conditions = [f"{alias}=:{name}" for alias, (name, _) in given.items()]
    values |= {f":{name}": value for name, value in given.values()}
    aliases = dict(names or {}) | {alias: name for alias, (name, _) in given.items()}
    if only.actor is not None:
        aliases |= {"#actor": "actor", "#key": "keyId", "#user": "userId", "#service": "service"}
        conditions.append("(#actor.#key=:actor OR #actor.#user=:actor OR #actor.#service=:actor)")
        values[":actor"] = only.actor
    query: dict[str, Any] = {
        "KeyConditionExpression": "pk=:workspace AND sk BETWEEN :low AND :high",
        "ExpressionAttributeValues": to_item(values),
    }
    if conditions:
        query["FilterExpression"] = " AND ".join(conditions)
    if aliases:
        query["ExpressionAttributeNames"] = aliases
    if before is not None:
        query["ExclusiveStartKey"] = {"pk": {"S": workspace_id}, "sk": {"S": before}}
    return query


_PROGRESS = "outcomes=:outcomes, counts=:counts"


def _progress(deletion: Deletion) -> dict[str, Any]:
    return {
        ":outcomes": {"B": pack_outcomes(deletion.outcomes)},
        ":counts": to_item({"counts": count(deletion.outcomes)})["counts"],
    }


_LEASE_UNTIL = "leaseUntil=:until, openSk=:openSk"


def _lease_until(deletion: Deletion, until: float) -> dict[str, Any]:
    return {
        ":until": _milliseconds(until),
        ":openSk": {"S": f"{iso(until)}#{deletion.id}"},
    }


def _recorded_ids(deletion: Deletion) -> dict[str, Any]:
    """The one attribute that says which ids it has: where they are, or, if few, themselves."""
    if deletion.id_chunks:
        return {"idChunks": {"N": str(deletion.id_chunks)}}
    return {"ids": {"B": pack_ids(deletion.link_ids)}}


def _selector_record(filter_request: FilterRequest | None) -> dict[str, Any] | None:
    if filter_request is None:
        return None
    # The filter as JSON text: its numbers and moments come back as they were written.
    return {
        "filter": json.dumps(filter_request.filter),
        "most": filter_request.maximum,
        "digest": filter_request.digest,
        "readsPerMinute": filter_request.reads_per_minute,
        "slot": filter_request.slot,
    }


def _selector(record: dict[str, Any] | None) -> FilterRequest | None:
    if record is None:
        return None
    reads, slot = record.get("readsPerMinute"), record.get("slot")
    return FilterRequest(
        json.loads(record["filter"]),
        int(record["most"]),
        record["digest"],
        int(reads) if reads is not None else None,
        int(slot) if slot is not None else None,
    )


def _milliseconds(seconds: float) -> dict[str, str]:
    # Whole numbers: engines spell the trailing zeros of decimals in their own ways, and a
    # repeated transaction must be the same to the letter.
    return {"N": str(round(seconds * 1000))}


def chunk_key(deletion: Deletion, number: int) -> dict[str, Any]:
    """The key of one chunk of a deletion's ids."""
    return {
        "pk": {"S": f"{deletion.workspace_id}#{deletion.id}"},
        "sk": _chunk_name(deletion, number),
    }


def _chunk_name(deletion: Deletion, number: int) -> dict[str, str]:
    return {"S": f"CHUNK#{deletion.chunk_prefix}{number:05d}"}


def expired_lease_items(
    client: Any, table: str, kind: str, *, limit: int
) -> Iterator[dict[str, Any]]:
    """Keys of open items of this kind whose lease has run out, at most ``limit`` of a shard."""
    for shard in range(OPEN_SHARDS):
        yield from call(
            client.query,
            TableName=table,
            IndexName="open",
            KeyConditionExpression="openPk=:shard AND openSk<:now",
            ExpressionAttributeValues={
                ":shard": {"S": f"{kind}#{shard}"},
                ":now": {"S": iso(time.time())},
            },
            Limit=limit,
        )["Items"]


def header_key(workspace_id: str, deletion_id: str) -> dict[str, Any]:
    """The key of a deletion's header."""
    return {"pk": {"S": workspace_id}, "sk": {"S": deletion_id}}


def _header_item(deletion: Deletion) -> dict[str, Any]:
    item = header_key(deletion.workspace_id, deletion.id) | to_item(
        {
            "mode": deletion.mode,
            "state": deletion.state,
            "actor": deletion.actor,
            "createdAt": deletion.created_at,
            "sourceIp": deletion.source_ip,
            "reason": deletion.reason,
            "completedAt": deletion.completed_at,
            "retentionDays": deletion.retention_days,
            "selector": _selector_record(deletion.filter_request),
            "policies": deletion.policies or None,
            "export": deletion.export,
            "ttl": deletion.ttl,
            "counts": count(deletion.outcomes),
            "outcomes": pack_outcomes(deletion.outcomes),
        }
    )
    item |= _recorded_ids(deletion)
    shard = shard_of(deletion.id) % OPEN_SHARDS
    if deletion.open:
        item["lease"] = {"S": deletion.lease or ""}
        item["leaseUntil"] = _milliseconds(deletion.lease_until)
        item["openPk"] = {"S": f"OPEN#{shard}"}
        item["openSk"] = {"S": f"{iso(deletion.lease_until)}#{deletion.id}"}
    elif deletion.state == "erasing":
        item["openPk"] = {"S": f"ERASING#{shard}"}
        item["openSk"] = {"S": f"{deletion.created_at}#{deletion.id}"}
    return item


def read_header(item: dict[str, Any]) -> Deletion:
    """The deletion of a header as DynamoDB has it; what was not read is empty."""
    record = from_item(
        {key: value for key, value in item.items() if key not in ("ids", "outcomes")}
    )
    packed = item["outcomes"]["B"] if "outcomes" in item else b""
    return Deletion(
        id=record["sk"],
        workspace_id=record["pk"],
        mode=record["mode"],
        state=record["state"],
        actor=record["actor"],
        created_at=record["createdAt"],
        source_ip=record.get("sourceIp"),
        reason=record.get("reason"),
        completed_at=record.get("completedAt"),
        link_ids=unpack_ids(item["ids"]["B"]) if "ids" in item else [],
        outcomes=unpack_outcomes(packed) if packed else bytearray(),
        packed_outcomes=packed,
        counts=_whole(record.get("counts")) or count(b""),
        id_chunks=int(record.get("idChunks", 0)),
        chunk_prefix=record.get("chunkPrefix", ""),
        filter_request=_selector(record.get("selector")),
        failure=record.get("failure"),
        lease=record.get("lease"),
        lease_until=int(record.get("leaseUntil", 0)) / 1000,
        retention_days=int(record["retentionDays"]) if "retentionDays" in record else None,
        policies=record.get("policies", {}),
        export=record.get("export"),
        receipt=_whole(record.get("receipt")),
        ttl=int(record["ttl"]) if "ttl" in record else None,
    )


def _adopt(deletion: Deletion, met: dict[str, Any]) -> None:
    """Let a worker whose write was refused say what the record says, as it was met.

    The record may be closed and its links restored by now: what this worker saw since then is not
    what the deletion did. Outcomes that the record does not have yet stay as the worker has them.
    """
    if not met:
        return
    record = read_header(met)
    if record.state == "accepted" or len(record.outcomes) != len(deletion.outcomes):
        return
    for position, outcome in enumerate(record.outcomes):
        if outcome != Outcome.PENDING:
            deletion.outcomes[position] = outcome
    deletion.packed_outcomes = record.packed_outcomes
    deletion.state, deletion.completed_at = record.state, record.completed_at
    deletion.failure, deletion.receipt = record.failure, record.receipt


def _whole(numbers: dict[str, Any] | None) -> Any:
    """Counts or a receipt with integers for DynamoDB's decimals."""
    if numbers is None:
        return None
    return {
        name: int(value) if isinstance(value, Decimal) else value for name, value in numbers.items()
    }
