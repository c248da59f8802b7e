"""Requests to delete links: check, accept, run.

A deletion is *accepted* when its record is written. From then on it continues without the request.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from functions import metrics
from functions.aws.calls import TransactionCancelled, backoff
from functions.domain.clock import deadline, iso
from functions.domain.deletion import Deletion, FilterRequest
from functions.domain.errors import (
    InvalidIds,
    LimitReached,
    LinkNotFound,
    StillRunning,
    Unavailable,
    UnlinkError,
)
from functions.domain.idempotency import KeyTaken
from functions.domain.ids import NO_RESTORE, new_time_ordered_id, time_of
from functions.domain.outcomes import Outcome
from functions.powertools import Logger
from functions.repositories.deletions import DeletionsTable
from functions.repositories.link_states import LinkState
from functions.services import resolve_filter
from functions.services.deletion import DeletionRequest, Stores, replay, short_life
from functions.services.deletion_slots import (
    SlotKind,
    accept_in_slots,
    export_slots,
    waiting_filters,
)
from functions.services.erase_links import MAX_REFUSALS, erase_actions
from functions.services.leases import lease_seconds
from functions.services.read_budget import ReadBudget
from functions.services.requeue_deletion import requeue
from functions.services.run_deletion import run

if TYPE_CHECKING:
    from functions.domain.deletion_names import Mode

#: Seconds that a request spends on resolving its filter before the background does.
SELECT_TIMEOUT = 10.0

log = Logger()


def soft_delete(
    link_ids: Sequence[str],
    invalid_ids: Sequence[str],
    *,
    deletion_request: DeletionRequest,
    stores: Stores,
) -> Deletion:
    """Soft-delete all of these distinct ids, or reject and change nothing.

    Raises ``InvalidIds`` if any id is malformed or not a live link of the workspace, ``KeyReused``
    and ``StillRunning`` for an Idempotency-Key of another or a running request.
    """
    fences = stores.links.batches.fences(deletion_request.workspace_id, link_ids)
    unknown = [link_id for link_id in link_ids if link_id not in fences]
    if invalid_ids or unknown:
        # The same request may have been accepted in the meantime: then these are its links.
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
    budget: ReadBudget,
    open_filters: int,
) -> Deletion:
    """Delete the links that match a filter, softly or permanently.

    The filter is resolved to ids first, and exactly the recorded ids are deleted. If that takes
    longer than :data:`SELECT_TIMEOUT`, or more reads than ``budget`` allows, it continues in the
    background, for ``open_filters`` deletions of a workspace at a time. Raises ``InvalidRequest``
    if more links match than one request may delete, ``SelectionChanged`` if they differ from the
    confirmed ones, and ``LimitReached`` if the workspace has used up its reads or slots.
    """
    with deadline(SELECT_TIMEOUT):
        selection = resolve_filter.resolve(
            filter_request, deletion_request.workspace_id, stores.links, budget
        )
    if (refusal := resolve_filter.refusal_of(selection, filter_request)) is not None:
        if (earlier := replay(deletion_request, stores.deletions)) is not None:
            return earlier
        raise refusal
    deletion = _new_deletion(
        mode, selection.link_ids, deletion_request, after=selection.newest_restore
    )
    deletion.filter_request = filter_request
    if selection.complete and not selection.link_ids:
        deletion.ttl = short_life(deletion)
    if not selection.complete:
        deletion.state, deletion.link_ids, deletion.outcomes = "accepted", [], bytearray()
    if not _accept(deletion, deletion_request, stores, open_filters=open_filters):
        return _answered_by_another(deletion_request, stores.deletions)
    if selection.complete:
        _run_accepted(deletion, stores)
    else:
        requeue(deletion, stores=stores)
    return deletion


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
        # A request without links is recorded as complete.
        deletion.state, deletion.completed_at = "complete", deletion.created_at
        deletion.ttl = short_life(deletion)
    if not _accept(deletion, deletion_request, stores):
        return _answered_by_another(deletion_request, stores.deletions)
    if states:
        _run_accepted(deletion, stores, states=states)
    return deletion


def erase_one(
    link_id: str | None, *, deletion_request: DeletionRequest, stores: Stores
) -> Deletion:
    """Erase one live link: link, code, external id and the record in a single transaction.

    ``link_id`` is None for a short code without a link in the workspace. That is also so if this
    same request erased the link before. Raises ``LinkNotFound`` unless it is live.
    """
    if link_id is None:
        if (earlier := replay(deletion_request, stores.deletions)) is not None:
            return earlier
        raise LinkNotFound
    refusal: TransactionCancelled | None = None
    for attempt in range(MAX_REFUSALS):
        # The link is changed frequently: wait a moment before the next attempt.
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
        actions = erase_actions(deletion, state, stores, live_only=True)
        record = stores.deletions.accept_actions(deletion, key=deletion_request.key)
        try:
            stores.links.erasures.apply(actions + record)
        except Unavailable as error:
            # The call may have been applied and its response lost.
            error.deletion_id = deletion.id
            raise
        except TransactionCancelled as cancelled:
            key_refused = deletion_request.key is not None and cancelled.refused[-1]
            if key_refused:
                return _answered_by_another(deletion_request, stores.deletions)
            # The link changed since it was read (deleted, or its external id changed): read again.
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


def _answered_by_another(deletion_request: DeletionRequest, deletions: DeletionsTable) -> Deletion:
    earlier = replay(deletion_request, deletions)
    if earlier is None:
        raise StillRunning
    return earlier


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
    """False if another request with the same Idempotency-Key was accepted first.

    Raises ``LimitReached`` if the deletion needs a slot of the workspace and none is free.
    """
    kinds: list[SlotKind] = []
    if deletion.state == "accepted":
        kinds.append(waiting_filters(deletion, stores.slots, open_filters))
    if deletion.export is not None and (deletion.state == "accepted" or deletion.pending):
        maximum = deletion_request.open_exports
        kinds.append(export_slots(deletion, stores.open_exports, maximum))
    try:
        accept_in_slots(deletion, kinds, key=deletion_request.key, deletions=stores.deletions)
    except KeyTaken:
        return False
    except Unavailable as error:
        # It may have been accepted and the response lost; then it continues in the background.
        error.deletion_id = deletion.id
        raise
    except LimitReached:
        # The same request may hold the slot, from a call whose response was lost.
        if replay(deletion_request, stores.deletions) is not None:
            return False
        raise
    return True


def _run_accepted(
    deletion: Deletion,
    stores: Stores,
    states: dict[str, LinkState] | None = None,
) -> None:
    """Run the accepted deletion. An error names the deletion, which continues in the background."""
    try:
        run(deletion, stores=stores, states=states)
    except UnlinkError as error:
        error.deletion_id = deletion.id
        raise
