"""The ``deletions`` table's records of restores: actor, deletion and restored links.

A restore is ``{workspaceId}#{deletionId}``, ``RESTORE#{restoreId}``: one byte per id of the
deletion is its outcome (stored as ``fates``). While work is left it has ``openPk``
(``RESTORING#{0..3}``) and ``openSk`` (``{leaseUntil}#{restoreId}``), and the schedule continues the
restore of a killed worker.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import islice
from typing import TYPE_CHECKING, Any

from functions.aws.codec import from_item, primary_key, to_item
from functions.domain.clock import iso, now_iso
from functions.domain.idempotency import IdempotencyKey
from functions.domain.outcomes import pack_outcomes, unpack_outcomes
from functions.repositories.idempotency import IdempotencyTable, transact_once
from functions.repositories.open_index import OpenIndex, open_shard

if TYPE_CHECKING:
    from functions.domain.deletion_names import RefusalReason, RestoreState
    from functions.domain.record_types import Actor, RestoreCounts


class RestoreOutcome(IntEnum):
    """The outcome of one id of a restore; the label is the reason of a refusal."""

    NOT_REQUESTED = 0
    PENDING = 1
    RESTORED = 2
    ERASED = 3
    EXPIRED = 4
    DELETED_AGAIN = 5
    NOT_DELETED = 6
    #: Live again, but it expired long ago and will be purged after the grace period.
    RESTORED_FOR_GRACE = 7

    @property
    def reason(self) -> RefusalReason:
        """Why the API refuses an id; raises ``KeyError`` for an outcome that is not a refusal."""
        return _REASONS[self]


_REASONS: dict[RestoreOutcome, RefusalReason] = {
    RestoreOutcome.ERASED: "erased",
    RestoreOutcome.EXPIRED: "expired",
    RestoreOutcome.DELETED_AGAIN: "deletedAgain",
    RestoreOutcome.NOT_DELETED: "notDeleted",
}

#: The outcomes of a link that is live again.
LIVE_AGAIN = (RestoreOutcome.RESTORED, RestoreOutcome.RESTORED_FOR_GRACE)

#: An id that is not part of the deletion.
NOT_IN_DELETION: RefusalReason = "notInDeletion"


@dataclass(slots=True)
class Restore:
    """One restore. ``outcomes`` has one byte per id of the deletion, in its order.

    ``unknown`` is how many requested ids the deletion does not have.
    """

    id: str
    workspace_id: str
    deletion_id: str
    state: RestoreState
    actor: Actor
    created_at: str
    outcomes: bytearray
    source_ip: str | None = None
    reason: str | None = None
    unknown: int = 0
    policies: dict[str, Any] = field(default_factory=dict)
    completed_at: str | None = None
    lease_until: float = 0.0

    @property
    def pending(self) -> list[int]:
        """Positions without an outcome."""
        return [
            position
            for position, outcome in enumerate(self.outcomes)
            if outcome == RestoreOutcome.PENDING
        ]

    def counts(self) -> RestoreCounts:
        """The number of ids by outcome."""
        requested = sum(1 for outcome in self.outcomes if outcome != RestoreOutcome.NOT_REQUESTED)
        restored = sum(self.outcomes.count(outcome) for outcome in LIVE_AGAIN)
        pending = self.outcomes.count(RestoreOutcome.PENDING)
        return {
            "requested": requested + self.unknown,
            "restored": restored,
            "refused": requested - restored - pending + self.unknown,
        }


class RestoresTable(OpenIndex):
    """Creates and updates restores; ``name`` is the ``deletions`` table."""

    def __init__(self, client: Any, name: str) -> None:
        super().__init__(client, name)
        self._keys = IdempotencyTable(client, name)

    def create(self, restore: Restore, *, key: IdempotencyKey | None) -> None:
        """Write the record; raises ``KeyTaken`` if another request used the key."""
        item = _key_of(restore) | to_item(
            {
                "state": restore.state,
                "actor": restore.actor,
                "sourceIp": restore.source_ip,
                "reason": restore.reason,
                "createdAt": restore.created_at,
                "counts": restore.counts(),
                "fates": pack_outcomes(restore.outcomes),
                "unknown": restore.unknown or None,
                "policies": restore.policies or None,
                "leaseUntil": int(restore.lease_until),
            }
        )
        item |= _open_keys(restore)
        # A restore's id is unique: an existing record was written by this call, whose response was
        # lost.
        if key is None:
            self._create_item(item)
            return
        claim = self._keys.claim_action(
            restore.workspace_id,
            key,
            {"deletionId": restore.deletion_id, "restoreId": restore.id},
        )
        transact_once(self._client, [self._create_action(item)], claim)

    def load(self, workspace_id: str, deletion_id: str, restore_id: str) -> Restore | None:
        """The whole record."""
        item = self._read_item(_key(workspace_id, deletion_id, restore_id))
        return _restore(item) if item else None

    def of_deletion(self, workspace_id: str, deletion_id: str, *, limit: int) -> list[Restore]:
        """The restores of one deletion, newest first."""
        newest = self._items_of(
            f"{workspace_id}#{deletion_id}", "RESTORE#", ScanIndexForward=False, Limit=limit
        )
        return [_restore(item) for item in islice(newest, limit)]

    def expired_leases(self, *, limit: int) -> list[tuple[str, str, str]]:
        """``(workspace_id, deletion_id, restore_id)`` of restores with an expired lease."""
        found = []
        for item in self._open_items("RESTORING", before=now_iso(), limit=limit):
            workspace_id, _, deletion_id = item["pk"]["S"].rpartition("#")
            restore_id = item["sk"]["S"].removeprefix("RESTORE#")
            found.append((workspace_id, deletion_id, restore_id))
        return found

    def acquire_lease(self, restore: Restore, *, seconds: float) -> bool:
        """Take the lease of an open restore whose lease has expired."""
        now = time.time()
        restore.lease_until = now + seconds
        # One worker at a time. Two would be safe but wasteful.
        lease_has_expired = "attribute_exists(openPk) AND leaseUntil<=:now"
        current = self._update_item(
            _key_of(restore),
            "SET leaseUntil=:until, openSk=:open",
            condition=lease_has_expired,
            values={
                ":until": {"N": str(int(restore.lease_until) + 1)},
                ":open": _open_keys(restore)["openSk"],
                ":now": {"N": str(int(now))},
            },
        )
        return current is None

    def save(self, restore: Restore) -> None:
        """Record the outcomes; without a pending one the restore is complete."""
        changes = "SET fates=:fates, counts=:counts"
        values = to_item({":fates": pack_outcomes(restore.outcomes), ":counts": restore.counts()})
        if not restore.pending:
            restore.state, restore.completed_at = "complete", now_iso()
            changes += ", #state=:state, completedAt=:now REMOVE openPk, openSk, leaseUntil"
            values |= to_item({":state": restore.state, ":now": restore.completed_at})
        # The first completion counts; a later worker of the same restore changes nothing.
        still_open = "attribute_exists(openPk)"
        self._update_item(_key_of(restore), changes, condition=still_open, values=values)


def _key(workspace_id: str, deletion_id: str, restore_id: str) -> dict[str, Any]:
    return primary_key(f"{workspace_id}#{deletion_id}", f"RESTORE#{restore_id}")


def _key_of(restore: Restore) -> dict[str, Any]:
    return _key(restore.workspace_id, restore.deletion_id, restore.id)


def _open_keys(restore: Restore) -> dict[str, Any]:
    return {
        "openPk": {"S": open_shard("RESTORING", restore.id)},
        "openSk": {"S": f"{iso(restore.lease_until)}#{restore.id}"},
    }


def _restore(item: dict[str, Any]) -> Restore:
    record = from_item({name: value for name, value in item.items() if name != "fates"})
    workspace_id, _, deletion_id = record["pk"].rpartition("#")
    return Restore(
        id=record["sk"].removeprefix("RESTORE#"),
        workspace_id=workspace_id,
        deletion_id=deletion_id,
        state=record["state"],
        actor=record["actor"],
        created_at=record["createdAt"],
        outcomes=unpack_outcomes(item["fates"]["B"]),
        source_ip=record.get("sourceIp"),
        reason=record.get("reason"),
        unknown=record.get("unknown", 0),
        policies=record.get("policies", {}),
        completed_at=record.get("completedAt"),
        lease_until=float(record.get("leaseUntil", 0)),
    )
