"""Restores soft-deleted links: complete, at their old place in the list, per id, once.

A restore is recorded before it writes, so it is always in the audit trail, and the schedule
finishes it if its worker is killed. Its id is later than that of its deletion and becomes each
link's fencing token, so no worker of that deletion can delete the link again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions import metrics
from functions.domain.clock import deadline, iso, shutdown_deadline
from functions.domain.deletion import Deletion
from functions.domain.errors import (
    DeletionNotFound,
    DeletionOpen,
    InternalError,
    StillRunning,
    UnlinkError,
)
from functions.domain.idempotency import IdempotencyRecord, KeyTaken
from functions.domain.ids import new_time_ordered_id, time_of
from functions.domain.link import grace_end
from functions.domain.outcomes import Outcome
from functions.repositories.deletions import DeletionsTable
from functions.repositories.erasures import ErasuresTable
from functions.repositories.link_states import DeletedState
from functions.repositories.links import LinksTable
from functions.repositories.restores import (
    LIVE_AGAIN,
    NOT_IN_DELETION,
    Restore,
    RestoreOutcome,
    RestoresTable,
)
from functions.services.deletion import DeletionRequest
from functions.services.leases import LEASE_MARGIN, lease_seconds
from functions.services.restore_outcomes import (
    OUTCOME_BY_STATEMENT,
    live_again,
    outcome_of,
    outcomes_of_erased,
    policy_attributes,
)
from functions.services.undo import check_undo

if TYPE_CHECKING:
    from functions.schemas.deletion_responses import PurgedLater, RefusedRestore

#: What the last writes of a run may take, at least, when the time of its lease is up.
SHUTDOWN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class RestoreStores:
    """The repositories of a restore."""

    links: LinksTable
    deletions: DeletionsTable
    erasures: ErasuresTable
    restores: RestoresTable


@dataclass(frozen=True, slots=True)
class Restored:
    """A restore with the deletion that it undoes, all ids included.

    ``unknown_ids`` are requested ids that the deletion does not have. They are not stored: a caller
    could fill the table with them.
    """

    restore: Restore
    deletion: Deletion
    unknown_ids: Sequence[str] = ()

    @property
    def restored_ids(self) -> list[str]:
        """The ids that are live again, in the order of the deletion."""
        return self._ids(*LIVE_AGAIN)

    @property
    def to_be_purged(self) -> list[PurgedLater]:
        """The restored links that are purged when their grace period is over."""
        at = iso(grace_end(self.restore.id))
        return [
            {"id": each, "purgeAt": at} for each in self._ids(RestoreOutcome.RESTORED_FOR_GRACE)
        ]

    @property
    def pending_ids(self) -> list[str]:
        """The ids without an outcome yet."""
        return self._ids(RestoreOutcome.PENDING)

    @property
    def refused(self) -> list[RefusedRestore]:
        """The requested links that were not restored, and why."""
        not_refused = (RestoreOutcome.NOT_REQUESTED, RestoreOutcome.PENDING, *LIVE_AGAIN)
        refused: list[RefusedRestore] = [
            {"id": link_id, "reason": RestoreOutcome(outcome).reason}
            for link_id, outcome in zip(self.deletion.link_ids, self.restore.outcomes, strict=True)
            if outcome not in not_refused
        ]
        unknown: list[RefusedRestore] = [
            {"id": each, "reason": NOT_IN_DELETION} for each in self.unknown_ids
        ]
        return refused + unknown

    def _ids(self, *outcomes: RestoreOutcome) -> list[str]:
        pairs = zip(self.deletion.link_ids, self.restore.outcomes, strict=True)
        return [link_id for link_id, outcome in pairs if outcome in outcomes]


def restore(
    deletion_id: str,
    link_ids: Sequence[str] | None,
    *,
    deletion_request: DeletionRequest,
    stores: RestoreStores,
    undo_minutes: int | None = None,
) -> Restored:
    """Restore these links of a deletion, or (None) all that it soft-deleted.

    ``undo_minutes`` is for a caller who may only undo its own deletions, for so long; None is for
    one who may restore any. Raises ``DeletionNotFound``, ``MissingScopes`` unless it is an undo,
    ``DeletionOpen`` while it is still deleting, ``KeyReused`` and ``StillRunning``.
    """
    deletion = stores.deletions.load(deletion_request.workspace_id, deletion_id)
    if deletion is None:
        raise DeletionNotFound
    if undo_minutes is not None:
        check_undo(deletion, deletion_request.actor["keyId"], undo_minutes)
    try:
        return _restore_of(deletion, link_ids, deletion_request, stores)
    except UnlinkError as error:
        error.deletion_id = deletion.id
        raise


def _restore_of(
    deletion: Deletion,
    link_ids: Sequence[str] | None,
    deletion_request: DeletionRequest,
    stores: RestoreStores,
) -> Restored:
    if deletion.open:
        raise DeletionOpen
    restore_id = new_time_ordered_id(after=deletion.id)
    outcomes, unknown = _requested(deletion, link_ids)
    record = Restore(
        id=restore_id,
        workspace_id=deletion_request.workspace_id,
        deletion_id=deletion.id,
        state="restoring",
        actor=deletion_request.actor,
        created_at=iso(time_of(restore_id)),
        outcomes=outcomes,
        source_ip=deletion_request.source_ip,
        reason=deletion_request.reason,
        unknown=len(unknown),
        policies=dict(deletion_request.policies),
        lease_until=time.time() + lease_seconds(),
    )
    try:
        stores.restores.create(record, key=deletion_request.key)
    except KeyTaken:
        if (earlier := _replay(link_ids, deletion_request, stores)) is None:
            raise StillRunning from None
        return earlier
    _run(record, deletion, stores)
    return Restored(record, deletion, unknown)


def resume_restore(
    workspace_id: str,
    deletion_id: str,
    restore_id: str,
    *,
    stores: RestoreStores,
) -> bool:
    """Finish a restore whose worker was killed; False if nothing is left to do."""
    record = stores.restores.load(workspace_id, deletion_id, restore_id)
    if record is None or record.state == "complete":
        return False
    if not stores.restores.acquire_lease(record, seconds=lease_seconds()):
        return False
    deletion = stores.deletions.load(workspace_id, deletion_id)
    if deletion is None:
        # A restore is written only after its deletion was read, and a deletion that deleted a link
        # is never removed.
        raise InternalError("A restore without its deletion")
    _run(record, deletion, stores, resumed=True)
    return True


def _requested(deletion: Deletion, link_ids: Sequence[str] | None) -> tuple[bytearray, list[str]]:
    """The initial outcomes, and the ids that the deletion does not have."""
    outcomes = bytearray([RestoreOutcome.NOT_REQUESTED]) * len(deletion.link_ids)
    if link_ids is None:
        deletable = (Outcome.DELETED, Outcome.RESTORED, Outcome.ERASED)
        positions = [i for i, outcome in enumerate(deletion.outcomes) if outcome in deletable]
        unknown: list[str] = []
    else:
        places = {link_id: position for position, link_id in enumerate(deletion.link_ids)}
        requested = dict.fromkeys(link_ids)
        positions = [places[link_id] for link_id in requested if link_id in places]
        unknown = [link_id for link_id in requested if link_id not in places]
    for position in positions:
        outcomes[position] = _FIRST_OUTCOME.get(
            Outcome(deletion.outcomes[position]), RestoreOutcome.NOT_DELETED
        )
    return outcomes, unknown


_FIRST_OUTCOME = {
    Outcome.DELETED: RestoreOutcome.PENDING,
    # The link may have been deleted again.
    Outcome.RESTORED: RestoreOutcome.PENDING,
    Outcome.ERASED: RestoreOutcome.ERASED,
}


def _run(
    record: Restore, deletion: Deletion, stores: RestoreStores, *, resumed: bool = False
) -> None:
    """Give every pending id its outcome, then update both records.

    Every write is safe to repeat: a link that is live again counts as restored. In a ``resumed``
    run that is also so if it has been deleted since.
    """
    # The work must end before the lease does: the schedule finishes the rest with a new lease.
    with deadline(record.lease_until - time.time() - LEASE_MARGIN) as narrowed:
        _restore_pending(record, deletion, stores, resumed=resumed)
    restored = [i for i, outcome in enumerate(record.outcomes) if outcome in LIVE_AGAIN]
    with shutdown_deadline(max(narrowed.remaining(), SHUTDOWN_SECONDS)):
        stores.deletions.mark_restored(deletion, restored)
        stores.restores.save(record)


def _restore_pending(
    record: Restore, deletion: Deletion, stores: RestoreStores, *, resumed: bool
) -> None:
    positions = record.pending
    ids = [deletion.link_ids[position] for position in positions]
    states = stores.links.batches.deleted_states(record.workspace_id, ids)
    own: list[tuple[int, DeletedState]] = []
    missing: list[int] = []
    for position in positions:
        state = states.get(deletion.link_ids[position])
        outcome = outcome_of(state, deletion, record, resumed=resumed)
        record.outcomes[position] = outcome
        if outcome == RestoreOutcome.PENDING and state is not None:
            own.append((position, state))
        elif state is None and resumed:
            missing.append(position)
    attributes = [policy_attributes(state, record) for _, state in own]
    statements = stores.links.batches.restore(
        record.workspace_id,
        [state for _, state in own],
        deletion_id=deletion.id,
        restore_id=record.id,
        attributes=attributes,
    )
    for (position, _), applied, its in zip(own, statements, attributes, strict=True):
        outcome = OUTCOME_BY_STATEMENT[Outcome(applied)]
        record.outcomes[position] = (
            live_again(its["ttl"], record) if outcome in LIVE_AGAIN else outcome
        )
        if applied == Outcome.NOT_FOUND:
            missing.append(position)
    if missing:
        erased = [deletion.link_ids[position] for position in missing]
        outcomes = outcomes_of_erased(record, erased, stores.erasures)
        for position, outcome in zip(missing, outcomes, strict=True):
            record.outcomes[position] = outcome
    metrics.count("LinksRestored", statements.count(Outcome.RESTORED))


def _replay(
    link_ids: Sequence[str] | None, deletion_request: DeletionRequest, stores: RestoreStores
) -> Restored | None:
    """The restore of this Idempotency-Key."""
    if deletion_request.key is None:
        return None
    keys = stores.deletions.keys
    record = keys.find(deletion_request.workspace_id, deletion_request.key)
    if record is None:
        return None
    return restored_of(record, link_ids, deletion_request.workspace_id, stores)


def restored_of(
    record: IdempotencyRecord,
    link_ids: Sequence[str] | None,
    workspace_id: str,
    stores: RestoreStores,
) -> Restored:
    """The restore of a used key, with the ids of the same request; raises ``StillRunning`` while
    links are pending.
    """
    deletion_id, restore_id = record.details["deletionId"], record.details["restoreId"]
    restore = stores.restores.load(workspace_id, deletion_id, restore_id)
    deletion = stores.deletions.load(workspace_id, deletion_id)
    if restore is None or deletion is None or restore.pending:
        raise StillRunning(deletion_id)
    _, unknown = _requested(deletion, link_ids)
    return Restored(restore, deletion, unknown)
