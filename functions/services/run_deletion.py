"""Running an accepted deletion: resolve its filter, export, delete or erase, close, or requeue.

Every id gets its outcome, even when workers are killed: the worker holds a lease on the record and
requeues the rest at its deadline, and another worker may take a record whose lease has expired.
Every write is conditional and can be repeated.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from functions import metrics
from functions.aws.codec import runs
from functions.domain.clock import (
    current_deadline,
    deadline,
    now_iso,
    shutdown_deadline,
    use_deadline,
)
from functions.domain.deletion import Deletion
from functions.domain.errors import Unavailable
from functions.domain.ids import time_of
from functions.domain.outcomes import Outcome
from functions.powertools import Logger
from functions.repositories.link_states import LinkState
from functions.services import resolve_filter
from functions.services.deletion import Stores, short_life
from functions.services.erase_links import erase_slice
from functions.services.leases import LEASE_MARGIN, LEASE_SECONDS, lease_seconds
from functions.services.read_budget import LeasedBudget, PacedBudget
from functions.services.requeue_deletion import SHUTDOWN_SECONDS, left_to_others, requeue

if TYPE_CHECKING:
    from functions.domain.deletion_names import DeletionState


#: Ids between two checks of the lease. A large slice lets throttled statements be retried together
#: in few rounds.
SLICE = 5_000

#: Seconds for resolving a filter in the background: some millions of links. Less than a worker's
#: timeout.
RESOLVE_SECONDS = 240.0

log = Logger()


def run(
    deletion: Deletion,
    *,
    stores: Stores,
    states: dict[str, LinkState] | None = None,
) -> None:
    """Give every pending id its outcome, then close; requeue what is left at the deadline.

    The caller holds the lease. A permanent error is raised and the record stays open: the schedule
    retries it when the lease has expired.
    """
    # Slots are released also if the worker that was done with them was killed before it did that.
    _release_filter_slot(deletion, stores)
    if deletion.pending and deletion.export is not None and not deletion.export.get("done"):
        # Nothing is deleted before the export is complete.
        states = None
        try:
            if not _export(deletion, deletion.export, stores):
                if stores.exports is not None:
                    _hold_export_slot(deletion, stores)
                requeue(deletion, stores=stores)
                return
        except _LeaseLost:
            return
    _release_export_slot(deletion, stores)
    for positions in runs(deletion.pending, SLICE):
        if current_deadline().passed or not _lease_is_held(deletion, stores):
            break
        # The work must also end before the lease does. Under long throttling the next slice renews
        # the lease first, and the rest of this one is requeued.
        with deadline(deletion.lease_until - time.time() - LEASE_MARGIN):
            if deletion.mode == "soft":
                _soft_delete_slice(deletion, positions, stores)
            else:
                erase_slice(deletion, positions, stores, states)
                states = None
    if deletion.pending:
        requeue(deletion, stores=stores)
    else:
        finished = deletion.mode == "soft" or Outcome.ERASED not in deletion.outcomes
        close(deletion, "complete" if finished else "erasing", stores)


def resume(workspace_id: str, deletion_id: str, *, stores: Stores) -> Deletion | None:
    """Continue a deletion that was requeued or whose worker was killed; None if nothing is left to
    do.
    """
    deletion = stores.deletions.load(workspace_id, deletion_id)
    if deletion is None or not deletion.open:
        return None
    seconds = lease_seconds()
    if not stores.deletions.acquire_lease(deletion, seconds=seconds):
        return None
    if deletion.state == "accepted" and not _resolve(deletion, stores):
        return deletion
    if deletion.mode == "erase":
        # The last worker may have written until its lease expired, so read the record again.
        stores.deletions.read_done(deletion)
    run(deletion, stores=stores)
    return deletion


def resume_logged(workspace_id: str, deletion_id: str, stores: Stores) -> bool:
    """Continue one deletion. Its failure must not stop the others."""
    try:
        deletion = resume(workspace_id, deletion_id, stores=stores)
    except Exception:
        log.exception(
            "resume failed", extra={"workspaceId": workspace_id, "deletionId": deletion_id}
        )
        return False
    log.info(
        "resume",
        extra={
            "workspaceId": workspace_id,
            "deletionId": deletion_id,
            "state": deletion.state if deletion else "nothing to do",
        },
    )
    return True


def _resolve(deletion: Deletion, stores: Stores) -> bool:
    """Resolve an accepted filter and record its ids; False if there is nothing to delete yet."""
    filter_request = deletion.filter_request
    if filter_request is None:
        return True
    invocation_deadline = current_deadline()

    def renew() -> None:
        with use_deadline(invocation_deadline):
            if not _lease_is_held(deletion, stores):
                raise _LeaseLost

    budget = LeasedBudget(renew, PacedBudget(filter_request.reads_per_minute))
    try:
        with deadline(RESOLVE_SECONDS) as resolution:
            had_it_all = resolution.remaining() >= RESOLVE_SECONDS - 1
            selection = resolve_filter.resolve(
                filter_request, deletion.workspace_id, stores.links, budget
            )
    except _LeaseLost:
        return False
    refusal = resolve_filter.refusal_of(selection, filter_request)
    if refusal is None and not selection.complete and had_it_all:
        # Another worker would start over and run out of time too.
        refusal = resolve_filter.too_broad(selection, filter_request.maximum)
    if refusal is not None:
        deletion.failure = refusal.message
        _release_filter_slot(deletion, stores)
        _release_export_slot(deletion, stores)
        close(deletion, "failed", stores)
        return False
    if not selection.complete:
        _hold_export_slot(deletion, stores)
        requeue(deletion, stores=stores)
        return False
    deletion.link_ids = selection.link_ids
    deletion.outcomes = bytearray([Outcome.PENDING]) * len(selection.link_ids)
    if not selection.link_ids:
        deletion.ttl = short_life(deletion)
    return stores.deletions.record_ids(deletion)


def _release_filter_slot(deletion: Deletion, stores: Stores) -> None:
    """Release the slot of a deletion by filter; if this fails, the slot expires."""
    filter_request = deletion.filter_request
    if filter_request is not None and filter_request.slot is not None:
        with left_to_others("a filter's slot was not released", deletion):
            stores.slots.release_slot(deletion.workspace_id, filter_request.slot, deletion.id)


def _hold_export_slot(deletion: Deletion, stores: Stores) -> None:
    """Extend the slot of an unfinished export; if this fails, the earlier claim is still valid."""
    if (slot := _export_slot(deletion)) is not None:
        with left_to_others("an export's slot was not renewed", deletion):
            stores.open_exports.renew_slot(deletion.workspace_id, slot, deletion.id)


def _release_export_slot(deletion: Deletion, stores: Stores) -> None:
    """Release the slot of an export; if this fails, the slot expires."""
    if (slot := _export_slot(deletion)) is not None:
        with left_to_others("an export's slot was not released", deletion):
            stores.open_exports.release_slot(deletion.workspace_id, slot, deletion.id)


def _export_slot(deletion: Deletion) -> int | None:
    return (deletion.export or {}).get("slot")


class _LeaseLost(Exception):
    """Another worker has the deletion."""


def _export(deletion: Deletion, export: dict[str, Any], stores: Stores) -> bool:
    """Continue the export of a deletion's links; False while it is not complete."""
    if stores.exports is None:
        return False
    # Imported here: the export loads pydantic, which most cold starts do not need.
    from functions.repositories.exports import object_key
    from functions.services.export import write_export
    from functions.services.export_position import Position

    def save(reached: Position) -> None:
        before = deletion.export or export
        deletion.export = before | {"position": reached.stored(), "done": reached.done}
        deletion.state = "deleting" if reached.done else "exporting"
        if reached.done:
            deletion.export |= {"completedAt": now_iso()}
        with shutdown_deadline(SHUTDOWN_SECONDS):
            if not stores.deletions.save_export(deletion, lease_seconds=LEASE_SECONDS):
                raise _LeaseLost

    reached = write_export(
        deletion.link_ids,
        workspace_id=deletion.workspace_id,
        key=object_key(deletion.workspace_id, deletion.id),
        until=deletion.created_at,
        base_url=export["baseUrl"],
        position=Position.read(export.get("position")),
        save=save,
        stores=stores.exports,
    )
    return reached.done


def close(deletion: Deletion, state: DeletionState, stores: Stores) -> None:
    """Close the record; if the write fails, the deletion stays open and the schedule closes it."""
    with left_to_others("a deletion was not closed", deletion):
        stores.deletions.close(deletion, state=state)


def _lease_is_held(deletion: Deletion, stores: Stores) -> bool:
    left = deletion.lease_until - time.time()
    if left > min(LEASE_SECONDS / 2, current_deadline().remaining()):
        return True
    seconds = lease_seconds()
    return stores.deletions.save_progress(deletion, lease_seconds=seconds)


def _soft_delete_slice(deletion: Deletion, positions: Sequence[int], stores: Stores) -> None:
    ttl = None
    if deletion.retention_days is not None:
        ttl = int(time_of(deletion.id)) + deletion.retention_days * 86_400
    ids = [deletion.link_ids[position] for position in positions]
    outcomes = stores.links.batches.mark_deleted(
        deletion.workspace_id,
        ids,
        deletion_id=deletion.id,
        deleted_at=deletion.created_at,
        ttl=ttl,
    )
    if gone := [place for place, outcome in enumerate(outcomes) if outcome == Outcome.NOT_FOUND]:
        before = _deleted_before_erasure(deletion, [ids[place] for place in gone], ttl, stores)
        for place, found in zip(gone, before, strict=True):
            outcomes[place] = found
    for position, outcome in zip(positions, outcomes, strict=True):
        deletion.outcomes[position] = (
            Outcome.NOT_FOUND if outcome in _NOT_BY_THIS_DELETION else outcome
        )
    metrics.count("LinksSoftDeleted", outcomes.count(Outcome.DELETED))


#: Deleted by another request; or a live link with a later fencing token, which was deleted and
#: restored by others in the meantime: an open deletion cannot be restored.
_NOT_BY_THIS_DELETION = frozenset((Outcome.FAILED, Outcome.RESTORED))


def _deleted_before_erasure(
    deletion: Deletion, gone: Sequence[str], ttl: int | None, stores: Stores
) -> list[Outcome]:
    """Whether this deletion had deleted these links before they were erased.

    A worker may have been killed, or the response to its statement lost, after it deleted a link.
    The link's erasure names the deletion. ``PENDING`` if it cannot be read now.
    """
    try:
        erasures = stores.erasures.find(deletion.workspace_id, gone)
    except Unavailable:
        return [Outcome.PENDING] * len(gone)
    # DynamoDB's TTL removes a link some minutes before its erasure is recorded. That matters only
    # to a deletion that is open for longer than its own retention, a day at least. A link of
    # another deletion counts as its own then (docs/decisions/233-what-an-erasure-remembers.md).
    unrecorded = deletion.id if ttl is not None and ttl <= time.time() else None
    deleted_by = {each: erasure.soft_deleted_by for each, erasure in erasures.items()}
    return [
        Outcome.DELETED if deleted_by.get(each, unrecorded) == deletion.id else Outcome.NOT_FOUND
        for each in gone
    ]
