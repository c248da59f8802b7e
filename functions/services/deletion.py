"""The deletion engine: accept, run, hand over, resume; one code path for HTTP and background.

A deletion is *accepted* when its record is written; from then on every id will get its outcome,
whatever dies on the way: the worker holds a lease on the record, hands over what its deadline
leaves, and a lease that lapses is taken over. Every write is conditional and can be repeated.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from functions import metrics
from functions.aws.client import TransactionCancelled, backoff, in_parallel
from functions.aws.codec import runs
from functions.aws.sqs import Queue
from functions.domain.clock import (
    current_deadline,
    deadline,
    iso,
    now_iso,
    shutdown_deadline,
    use_deadline,
)
from functions.domain.deletion import Deletion, FilterRequest, release_of_codes
from functions.domain.errors import (
    InternalError,
    InvalidIds,
    LimitReached,
    LinkNotFound,
    SelectionChanged,
    StillRunning,
    Unavailable,
    UnlinkError,
)
from functions.domain.idempotency import IdempotencyKey, IdempotencyRecord, KeyTaken
from functions.domain.ids import NO_RESTORE, new_time_ordered_id, time_of
from functions.domain.outcomes import Outcome
from functions.repositories.deletions import DeletionsTable
from functions.repositories.erasures import ErasuresTable
from functions.repositories.filter_slots import FilterSlots
from functions.repositories.link_batches import LinkState
from functions.repositories.link_erasures import TRANSACTION_ACTIONS
from functions.repositories.links import LinksTable
from functions.repositories.open_exports import OpenExports
from functions.services.deletion_slots import ExportSlots, SlotKind, WaitingFilters, accept_in_slots
from functions.services.read_budget import LeasedBudget, PacedBudget, ReadBudget
from functions.services.resolve_filter import ResolvedLinks, select, too_broad

if TYPE_CHECKING:
    from functions.domain.deletion_names import DeletionState, Mode
    from functions.domain.record_types import Actor
    from functions.services.export_lines import ExportStores

#: Ids between two looks at the lease: few enough looks that throttled statements of one slice
#: wait for each other in few rounds.
SLICE = 5_000

#: Longest lease in seconds: after a kill, nobody may take over before it has lapsed.
LEASE_SECONDS = 60.0

#: What each of an invocation's last writes may take. The functions reserve time for them.
SHUTDOWN_SECONDS = 1.5

#: A lease outlives its worker's deadline by this much, so that the last write is still its own.
LEASE_MARGIN = 5.0

#: Seconds that a request spends on resolving its filter before it leaves that to the background.
SELECT_TIMEOUT = 10.0

#: Seconds in which the background must have resolved one: some millions of links. Less than a
#: worker has.
RESOLVE_SECONDS = 240.0

#: How long the record of a deletion that had nothing to delete is kept, in seconds.
EMPTY_RECORD_SECONDS = 7 * 86_400

#: How often one id may refuse for a reason that should not exist before it is reported failed.
MOST_REFUSALS = 5


log = Logger()


@dataclass(frozen=True, slots=True)
class Stores:
    """What the engine works with."""

    links: LinksTable
    deletions: DeletionsTable
    erasures: ErasuresTable
    resume_queue: Queue
    slots: FilterSlots
    open_exports: OpenExports
    #: For those who write exports; others hand such a deletion over.
    exports: ExportStores | None = None


@dataclass(frozen=True, slots=True)
class DeletionRequest:
    """Who asks for a deletion, from where, why, and under which Idempotency-Key."""

    workspace_id: str
    actor: Actor
    source_ip: str | None = None
    reason: str | None = None
    key: IdempotencyKey | None = None
    retention_days: int | None = None
    #: Where short links live, if links and clicks are to be exported before they are deleted.
    export_base_url: str | None = None
    #: How many unfinished exports the workspace may have, with those that belong to deletions.
    open_exports: int = 2
    #: The workspace's policies at this moment, for what finishes the deletion later.
    policies: Mapping[str, Any] = field(default_factory=dict)


# -- ask ------------------------------------------------------------------------------------


def soft_delete(
    link_ids: Sequence[str],
    invalid_ids: Sequence[str],
    *,
    deletion_request: DeletionRequest,
    stores: Stores,
) -> Deletion:
    """Soft-delete all of these distinct ids, or reject and change nothing.

    Raises ``InvalidIds`` when any id is malformed or not a live link of the workspace,
    ``KeyReused`` and ``StillRunning`` for an Idempotency-Key that has another answer or none yet.
    """
    fences = stores.links.batches.fences(deletion_request.workspace_id, link_ids)
    unknown = [link_id for link_id in link_ids if link_id not in fences]
    if invalid_ids or unknown:
        # The same request may have been accepted in between: then these are its links.
        if (earlier := replay(deletion_request, stores.deletions)) is not None:
            return earlier
        raise InvalidIds(invalid=list(invalid_ids), unknown=unknown)
    newest_restore = max(fences.values(), default=NO_RESTORE)
    deletion = _new_deletion("soft", link_ids, deletion_request, after=newest_restore)
    if not _accept(deletion, deletion_request, stores):
        return _answered_by_another(deletion_request, stores.deletions)
    _run_accepted(deletion, stores)
    return deletion


def delete_by_filter(
    filter_request: FilterRequest,
    mode: Mode,
    *,
    deletion_request: DeletionRequest,
    stores: Stores,
    budget: ReadBudget | None = None,
    open_filters: int = 1,
) -> Deletion:
    """Delete the links that a filter means, softly or for good.

    The filter is resolved to ids first, and the ids are recorded: exactly they are deleted. What
    takes longer than :data:`SELECT_TIMEOUT`, or more reads than ``budget`` has, is resolved in the
    background, ``open_filters`` of a workspace at a time. Raises ``InvalidRequest`` when more links
    match than one request may delete, ``SelectionChanged`` when they are not the ones that the
    caller confirmed, ``LimitReached`` when the workspace has used up its reads or its slots.
    """
    with deadline(SELECT_TIMEOUT):
        selection = _select(filter_request, deletion_request.workspace_id, stores, budget)
    if (refusal := _why_not(selection, filter_request)) is not None:
        if (earlier := replay(deletion_request, stores.deletions)) is not None:
            return earlier
        raise refusal
    deletion = _new_deletion(
        mode, selection.link_ids, deletion_request, after=selection.newest_restore
    )
    deletion.filter_request = filter_request
    if selection.complete and not selection.link_ids:
        deletion.ttl = _short_life(deletion)
    if not selection.complete:
        deletion.state, deletion.link_ids, deletion.outcomes = "accepted", [], bytearray()
    if not _accept(deletion, deletion_request, stores, open_filters=open_filters):
        return _answered_by_another(deletion_request, stores.deletions)
    if selection.complete:
        _run_accepted(deletion, stores)
    else:
        requeue(deletion, stores=stores)
    return deletion


def _select(
    filter_request: FilterRequest,
    workspace_id: str,
    stores: Stores,
    budget: ReadBudget | None,
) -> ResolvedLinks:
    # Its parser brings pydantic, which most cold starts need not wait for.
    from functions.schemas.filters import LinkFilter

    return select(
        LinkFilter.parse(filter_request.filter),
        workspace_id=workspace_id,
        links=stores.links,
        maximum=filter_request.maximum,
        budget=budget,
    )


def _why_not(selection: ResolvedLinks, filter_request: FilterRequest) -> UnlinkError | None:
    if selection.too_many:
        return too_broad(selection, filter_request.maximum)
    if selection.complete and filter_request.digest not in (None, selection.digest):
        return SelectionChanged()
    return None


def erase_many(
    link_ids: Sequence[str],
    *,
    deletion_request: DeletionRequest,
    stores: Stores,
) -> Deletion:
    """Erase each of these distinct ids that exists, live or soft-deleted; not all or none."""
    states = stores.links.batches.states(deletion_request.workspace_id, link_ids)
    deletion = _new_deletion("erase", link_ids, deletion_request)
    for position, link_id in enumerate(link_ids):
        if link_id not in states:
            deletion.outcomes[position] = Outcome.NOT_FOUND
    if not states:
        # Nothing to do is recorded as done.
        deletion.state, deletion.completed_at = "complete", deletion.created_at
        deletion.ttl = _short_life(deletion)
    if not _accept(deletion, deletion_request, stores):
        return _answered_by_another(deletion_request, stores.deletions)
    if states:
        _run_accepted(deletion, stores, states=states)
    return deletion


def erase_one(
    link_id: str | None, *, deletion_request: DeletionRequest, stores: Stores
) -> Deletion:
    """Erase one live link: link, code, external id and the record in a single transaction.

    ``link_id`` is None for a short code that leads to no link of the workspace, which it also does
    when this very request erased its link before. Raises ``LinkNotFound`` unless it is live.
    """
    if link_id is None:
        if (earlier := replay(deletion_request, stores.deletions)) is not None:
            return earlier
        raise LinkNotFound
    refusal: TransactionCancelled | None = None
    for attempt in range(MOST_REFUSALS):
        # Who changes the link all the time needs a moment to come to an end.
        if attempt and not backoff(attempt):
            break
        state = stores.links.batches.states(deletion_request.workspace_id, [link_id]).get(link_id)
        if state is None or not state.is_live:
            if (earlier := replay(deletion_request, stores.deletions)) is not None:
                return earlier
            raise LinkNotFound
        deletion = _new_deletion("erase", [link_id], deletion_request)
        deletion.state = "erasing"
        deletion.outcomes[0] = Outcome.ERASED
        actions = _erase_actions(deletion, state, stores, live_only=True)
        record = stores.deletions.accept_actions(deletion, key=deletion_request.key)
        try:
            stores.links.erasures.apply(actions + record)
        except Unavailable as error:
            # It may have been applied, in a call whose answer was lost.
            error.deletion_id = deletion.id
            raise
        except TransactionCancelled as cancelled:
            key_refused = deletion_request.key is not None and _refused(cancelled.reasons[-1])
            if key_refused:
                return _answered_by_another(deletion_request, stores.deletions)
            # The link changed since it was read (deleted, or its external id moved): look again.
            refusal = cancelled
            log.warning(
                "a link was not erased",
                extra={
                    "workspaceId": deletion_request.workspace_id,
                    "linkId": link_id,
                    "cause": str(cancelled),
                },
            )
            continue
        metrics.count("LinksErased")
        return deletion
    raise Unavailable from refusal


def replay(deletion_request: DeletionRequest, deletions: DeletionsTable) -> Deletion | None:
    """The deletion that this Idempotency-Key stands for by now, closed and complete with ids.

    Raises ``KeyReused`` and ``StillRunning``.
    """
    if deletion_request.key is None:
        return None
    record = deletions.keys.find(deletion_request.workspace_id, deletion_request.key)
    if record is None:
        return None
    return deletion_of(record, deletion_request.workspace_id, deletions)


def deletion_of(
    record: IdempotencyRecord, workspace_id: str, deletions: DeletionsTable
) -> Deletion:
    """The deletion that a used key leads to; raises ``StillRunning`` while it is open."""
    deletion_id = record.details["deletionId"]
    deletion = deletions.load(workspace_id, deletion_id)
    if deletion is None or deletion.open:
        raise StillRunning(deletion_id)
    return deletion


def _answered_by_another(deletion_request: DeletionRequest, deletions: DeletionsTable) -> Deletion:
    earlier = replay(deletion_request, deletions)
    if earlier is None:
        raise StillRunning
    return earlier


def _short_life(deletion: Deletion) -> int:
    """The ``ttl`` of a record that deletes nothing: it is no part of the audit trail.

    It is kept long enough for whoever asked to look at it, and for its Idempotency-Key. A record
    for good would let anybody fill the table with ids that do not exist.
    """
    return int(time_of(deletion.id)) + EMPTY_RECORD_SECONDS


def _new_deletion(
    mode: Mode,
    link_ids: Sequence[str],
    deletion_request: DeletionRequest,
    *,
    after: str = NO_RESTORE,
) -> Deletion:
    deletion_id = new_time_ordered_id(after=after)
    return Deletion(
        id=deletion_id,
        workspace_id=deletion_request.workspace_id,
        mode=mode,
        state="exporting" if deletion_request.export_base_url else "deleting",
        actor=deletion_request.actor,
        created_at=iso(time_of(deletion_id)),
        source_ip=deletion_request.source_ip,
        reason=deletion_request.reason,
        link_ids=list(link_ids),
        outcomes=bytearray([Outcome.PENDING]) * len(link_ids),
        lease=deletion_id,
        lease_until=time.time() + lease_seconds(),
        retention_days=deletion_request.retention_days,
        policies=dict(deletion_request.policies),
        export={"baseUrl": deletion_request.export_base_url}
        if deletion_request.export_base_url
        else None,
    )


def _accept(
    deletion: Deletion,
    deletion_request: DeletionRequest,
    stores: Stores,
    open_filters: int = 1,
) -> bool:
    """False when another request with the same Idempotency-Key was accepted first.

    Raises ``LimitReached`` when the deletion needs a slot of the workspace and none is free.
    """
    kinds: list[SlotKind] = []
    if deletion.state == "accepted":
        kinds.append(WaitingFilters(deletion, stores.slots, open_filters))
    if deletion.export is not None and (deletion.state == "accepted" or deletion.pending):
        maximum = deletion_request.open_exports
        kinds.append(ExportSlots(deletion, stores.open_exports, maximum))
    try:
        accept_in_slots(deletion, kinds, key=deletion_request.key, deletions=stores.deletions)
    except KeyTaken:
        return False
    except Unavailable as error:
        # It may have been accepted, in a call whose answer was lost, and then goes on without us.
        error.deletion_id = deletion.id
        raise
    except LimitReached:
        # The same request may hold the slot, in a call whose answer was lost.
        if replay(deletion_request, stores.deletions) is not None:
            return False
        raise
    return True


def _run_accepted(
    deletion: Deletion,
    stores: Stores,
    states: dict[str, LinkState] | None = None,
) -> None:
    """Run what was just accepted; an error names the deletion, which goes on without us."""
    try:
        run(deletion, stores=stores, states=states)
    except UnlinkError as error:
        error.deletion_id = deletion.id
        raise


def lease_seconds() -> float:
    """How long a worker with this deadline needs its lease, before it renews it."""
    return min(LEASE_SECONDS, max(0.0, current_deadline().remaining()) + LEASE_MARGIN)


# -- run ------------------------------------------------------------------------------------


def run(
    deletion: Deletion,
    *,
    stores: Stores,
    states: dict[str, LinkState] | None = None,
) -> None:
    """Give every pending id its outcome, then close; what the deadline leaves is handed over.

    The caller holds the lease. An error that no retry mends is raised with the record left
    open: the sweep will try again when the lease has lapsed.
    """
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
    # Also when the worker that completed the export died before this.
    _release_export_slot(deletion, stores)
    for positions in runs(deletion.pending, SLICE):
        if current_deadline().passed or not _lease_is_held(deletion, stores):
            break
        # Not past the lease either: under long throttling the next slice renews it first, and what
        # is left of this one is handed over.
        with deadline(deletion.lease_until - time.time() - LEASE_MARGIN):
            if deletion.mode == "soft":
                _soft_delete_slice(deletion, positions, stores)
            else:
                _erase_slice(deletion, positions, stores, states)
                states = None
    if deletion.pending:
        requeue(deletion, stores=stores)
    else:
        finished = deletion.mode == "soft" or Outcome.ERASED not in deletion.outcomes
        _close(deletion, "complete" if finished else "erasing", stores)


def resume(workspace_id: str, deletion_id: str, *, stores: Stores) -> Deletion | None:
    """Go on with a deletion whose worker handed it over or died; None when there is no need."""
    deletion = stores.deletions.load(workspace_id, deletion_id)
    if deletion is None or not deletion.open:
        return None
    seconds = lease_seconds()
    if not stores.deletions.acquire_lease(deletion, seconds=seconds):
        return None
    if deletion.state == "accepted" and not _resolve(deletion, stores):
        return deletion
    if deletion.mode == "erase":
        # What the last worker did until its lease lapsed may not have been there to read before.
        stores.deletions.read_done(deletion)
    run(deletion, stores=stores)
    return deletion


def _resolve(deletion: Deletion, stores: Stores) -> bool:
    """Find and record the ids of an accepted filter; False when there is nothing to delete yet."""
    filter_request = deletion.filter_request
    if filter_request is None:
        return True
    paced, held, whole = None, True, current_deadline()
    if filter_request.reads_per_minute is not None:
        paced = PacedBudget(filter_request.reads_per_minute)

    def renew() -> bool:
        nonlocal held
        with use_deadline(whole):
            held = held and _lease_is_held(deletion, stores)
        return held

    with deadline(RESOLVE_SECONDS) as resolution:
        had_it_all = resolution.remaining() >= RESOLVE_SECONDS - 1
        selection = _select(
            filter_request, deletion.workspace_id, stores, LeasedBudget(renew, paced)
        )
    if not held:
        # Another worker resolves the filter.
        return False
    refusal = _why_not(selection, filter_request)
    if refusal is None and not selection.complete and had_it_all:
        # Nor would another worker come to its end, who begins anew.
        refusal = too_broad(selection, filter_request.maximum)
    if refusal is not None:
        deletion.failure = refusal.message
        _release_export_slot(deletion, stores)
        _close(deletion, "failed", stores)
        _release_slot(deletion, filter_request, stores)
        return False
    if not selection.complete:
        _hold_export_slot(deletion, stores)
        requeue(deletion, stores=stores)
        return False
    deletion.link_ids = selection.link_ids
    deletion.outcomes = bytearray([Outcome.PENDING]) * len(selection.link_ids)
    if not selection.link_ids:
        deletion.ttl = _short_life(deletion)
    if not stores.deletions.record_ids(deletion):
        return False
    _release_slot(deletion, filter_request, stores)
    return True


def _release_slot(deletion: Deletion, filter_request: FilterRequest, stores: Stores) -> None:
    """Let the next deletion by filter wait; when this fails, the slot ends by its time."""
    if filter_request.slot is not None:
        with _left_to_others("a filter's slot was not released", deletion):
            stores.slots.release(deletion.workspace_id, filter_request.slot, deletion.id)


def _hold_export_slot(deletion: Deletion, stores: Stores) -> None:
    """Keep the slot of an unfinished export; when this fails, an earlier claim still holds."""
    if (claim := _export_claim(deletion)) is not None:
        with _left_to_others("an export's slot was not renewed", deletion):
            stores.open_exports.renew(claim)


def _release_export_slot(deletion: Deletion, stores: Stores) -> None:
    """Let the workspace have another export; when this fails, the slot ends by its time."""
    if (claim := _export_claim(deletion)) is not None:
        with _left_to_others("an export's slot was not released", deletion):
            stores.open_exports.release(claim)


def _export_claim(deletion: Deletion) -> dict[str, Any] | None:
    slot = (deletion.export or {}).get("slot")
    if slot is None:
        return None
    return {"id": deletion.id, "workspaceId": deletion.workspace_id, "slot": slot}


class _LeaseLost(Exception):
    """Another worker goes on with the deletion."""


def _export(deletion: Deletion, export: dict[str, Any], stores: Stores) -> bool:
    """Go on with the export of a deletion's links; False while it is not complete."""
    if stores.exports is None:
        return False
    # What writes lines brings pydantic, which most cold starts need not wait for.
    from functions.repositories.exports import object_key
    from functions.services.export import write_export
    from functions.services.export_position import Position

    def save(reached: Position) -> None:
        deletion.export = export | {"position": reached.stored(), "done": reached.done}
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


def requeue(deletion: Deletion, *, stores: Stores) -> None:
    """Record what is done, give up the lease and ask the queue for another worker.

    Nothing here is needed for the deletion to complete, it only makes it sooner: without it the
    schedule finds the record when its lease has lapsed.
    """
    metrics.count("HandOvers")
    with _left_to_others("a deletion was not handed over", deletion):
        if stores.deletions.save_progress(deletion, lease_seconds=0):
            message = {"workspaceId": deletion.workspace_id, "deletionId": deletion.id}
            stores.resume_queue.send(message)


def _close(deletion: Deletion, state: DeletionState, stores: Stores) -> None:
    """Close the record; if it cannot be written now the deletion stays open, for the schedule."""
    with _left_to_others("a deletion was not closed", deletion):
        stores.deletions.close(deletion, state=state)


@contextmanager
def _left_to_others(message: str, deletion: Deletion) -> Iterator[None]:
    """Go on when this is not possible now, and say so in the log: the schedule makes up for it."""
    try:
        with shutdown_deadline(SHUTDOWN_SECONDS):
            yield
    except (Unavailable, InternalError) as error:
        # What no retry repairs needs an operator; the deletion is accepted all the same.
        report = log.warning if isinstance(error, Unavailable) else log.error
        report(
            message,
            extra={
                "workspaceId": deletion.workspace_id,
                "deletionId": deletion.id,
                "cause": repr(error.__cause__ or error),
            },
        )


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
    outcomes = stores.links.batches.mark_deleted(
        deletion.workspace_id,
        [deletion.link_ids[position] for position in positions],
        deletion_id=deletion.id,
        deleted_at=deletion.created_at,
        ttl=ttl,
    )
    for position, outcome in zip(positions, outcomes, strict=True):
        # A link that is live behind its fence was deleted and restored by others in the meantime.
        # This deletion never had it: while its record is open, nothing of it can be restored.
        never_ours = outcome == Outcome.RESTORED
        deletion.outcomes[position] = Outcome.NOT_FOUND if never_ours else outcome
    metrics.count("LinksSoftDeleted", outcomes.count(Outcome.DELETED))


def _erase_slice(
    deletion: Deletion,
    positions: Sequence[int],
    stores: Stores,
    states: dict[str, LinkState] | None,
) -> None:
    """Erase in transactions until each id has an outcome or the deadline comes.

    A link whose transaction was refused is read again: it is gone, or it changed.
    """
    ids = deletion.link_ids
    waiting = list(positions)
    refusals: Counter[int] = Counter()
    attempt = 0
    while waiting and not current_deadline().passed:
        if attempt and not backoff(attempt):
            break
        if states is None:
            wanted = [ids[position] for position in waiting]
            states = stores.links.batches.states(deletion.workspace_id, wanted)
        gone = [position for position in waiting if ids[position] not in states]
        if gone:
            # Gone by our own hand (a transaction whose answer was lost), or by another's.
            stores.deletions.read_done(deletion)
            for position in gone:
                if deletion.outcomes[position] == Outcome.PENDING:
                    deletion.outcomes[position] = Outcome.NOT_FOUND
        found = states
        waiting = [i for i in waiting if deletion.outcomes[i] == Outcome.PENDING]
        groups = _pack([(position, found[ids[position]]) for position in waiting])
        for refused in in_parallel(lambda group: _erase_group(deletion, group, stores), groups):
            refusals.update(refused)
        for position, times in refusals.items():
            if times >= MOST_REFUSALS and deletion.outcomes[position] == Outcome.PENDING:
                deletion.outcomes[position] = Outcome.FAILED
                log.error(
                    "a link cannot be erased",
                    extra={"deletionId": deletion.id, "linkId": ids[position]},
                )
        waiting = [i for i in waiting if deletion.outcomes[i] == Outcome.PENDING]
        states = None
        # Only after refusals: what the deadline or an outage left is not worth a pause.
        attempt = max(refusals.values(), default=0)


def _pack(links: list[tuple[int, LinkState]]) -> list[list[tuple[int, LinkState]]]:
    """Groups whose actions, with the one that records the outcome, fit one transaction."""
    groups: list[list[tuple[int, LinkState]]] = []
    room = 0
    for position, state in links:
        if not groups or _actions_of(state) > room:
            groups.append([])
            room = TRANSACTION_ACTIONS - 1
        groups[-1].append((position, state))
        room -= _actions_of(state)
    return groups


def _actions_of(state: LinkState) -> int:
    """How many transaction actions one link takes: link, code, erasure, perhaps external id."""
    return 3 if state.external_id is None else 4


def _erase_actions(
    deletion: Deletion, state: LinkState, stores: Stores, *, live_only: bool = False
) -> list[dict[str, Any]]:
    """The transaction actions that erase one link and tie what it leaves to this deletion."""
    return [
        *stores.links.erasures.actions(
            deletion.workspace_id,
            state,
            live_only=live_only,
            release=release_of_codes(deletion),
        ),
        stores.erasures.create_action(
            deletion.workspace_id, state.id, deletion.id, qr_keys=state.qr_keys
        ),
    ]


def _erase_group(
    deletion: Deletion, group: list[tuple[int, LinkState]], stores: Stores
) -> list[int]:
    """One transaction; what is refused is dropped from it, so that its neighbours still go.

    Returns the positions that were refused.
    """
    refused: list[int] = []
    while group and not current_deadline().passed:
        actions = [
            action for _, state in group for action in _erase_actions(deletion, state, stores)
        ]
        positions = [position for position, _ in group]
        actions.append(stores.deletions.done_action(deletion, positions))
        try:
            stores.links.erasures.apply(actions)
        except Unavailable:
            return refused
        except TransactionCancelled as cancelled:
            if _refused(cancelled.reasons[-1]):
                # Another worker, or a call of ours whose answer was lost, has done this group.
                stores.deletions.read_done(deletion)
                return refused
            log.warning(
                "links were not erased",
                extra={"deletionId": deletion.id, "cause": str(cancelled)},
            )
            kept, offset = [], 0
            for position, state in group:
                reasons = cancelled.reasons[offset : offset + _actions_of(state)]
                offset += _actions_of(state)
                if any(_refused(reason) for reason in reasons):
                    refused.append(position)
                else:
                    kept.append((position, state))
            if len(kept) == len(group) and not cancelled.retryable:
                raise InternalError from cancelled
            group = kept
            continue
        for position in positions:
            deletion.outcomes[position] = Outcome.ERASED
        metrics.count("LinksErased", len(positions))
        return refused
    return refused


def _refused(reason: dict[str, object]) -> bool:
    return reason.get("Code") == "ConditionalCheckFailed"
