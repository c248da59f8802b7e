"""Deletions and restores as responses show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from functions.domain.deletion import Deletion
from functions.domain.outcomes import Outcome, count
from functions.repositories.restores import Restore

if TYPE_CHECKING:
    from functions.schemas import deletion_responses as responses


def deleted_links(deletion: Deletion) -> responses.DeletedLinks | responses.PendingLinks:
    """The response to a soft delete by ids."""
    body: responses.DeletedLinks = {
        # Links that were restored since count too: a repeated request gets the first response.
        "deletedIds": deletion.ids_with(Outcome.DELETED, Outcome.RESTORED)
    }
    if not_found := deletion.ids_with(Outcome.NOT_FOUND):
        # All links were live when this request looked. Another one deleted these before it wrote.
        body["notFoundIds"] = not_found
    if deletion.open:
        return {**body, "pendingIds": deletion.ids_with(Outcome.PENDING)}
    return body


def erased_links(
    deletion: Deletion, invalid: Sequence[str]
) -> responses.ErasedLinks | responses.PendingErasure:
    """The response to an erasure by ids; ``invalid`` are ids that are malformed."""
    failed = deletion.ids_with(Outcome.FAILED)
    body: responses.ErasedLinks = {
        "success": not failed,
        "deletedIds": deletion.ids_with(Outcome.ERASED),
        "notFoundIds": [*deletion.ids_with(Outcome.NOT_FOUND), *invalid],
    }
    if failed:
        body["failedIds"] = failed
    if deletion.open:
        return {**body, "pendingIds": deletion.ids_with(Outcome.PENDING)}
    return body


def deletion_summary(deletion: Deletion, undo_until: str | None) -> responses.DeletionSummary:
    """A deletion without its results, as a list shows it; ``undo_until`` depends on the caller."""
    return {
        "id": deletion.id,
        "mode": deletion.mode,
        "state": deletion.state,
        "reason": deletion.reason,
        "actor": deletion.actor,
        "sourceIp": deletion.source_ip,
        "createdAt": deletion.created_at,
        "completedAt": deletion.completed_at,
        # A header that was read without its outcomes has only the counts of its record.
        "counts": count(deletion.outcomes) if deletion.outcomes else deletion.counts,
        "filter": deletion.filter_request.filter if deletion.filter_request else None,
        "failure": deletion.failure,
        "receipt": deletion.receipt,
        # The URL needs the scope analyticsRead: only the request for one deletion signs it.
        "export": {"url": None, "expiresAt": None} if deletion.export is not None else None,
        "undoUntil": undo_until,
    }


def as_first_returned(deletion: Deletion) -> Deletion:
    """A closed deletion as its request was first answered.

    At that time no link was restored, and an erasure had not removed clicks and images yet.
    """
    outcomes = bytearray(
        Outcome.DELETED if outcome == Outcome.RESTORED else outcome for outcome in deletion.outcomes
    )
    if Outcome.ERASED not in outcomes:
        return replace(deletion, outcomes=outcomes)
    return replace(deletion, outcomes=outcomes, state="erasing", completed_at=None, receipt=None)


def restore_summary(restore: Restore) -> responses.RestoreSummary:
    """A restore of a deletion: actor, time and reason."""
    return {
        "id": restore.id,
        "state": restore.state,
        "reason": restore.reason,
        "actor": restore.actor,
        "sourceIp": restore.source_ip,
        "createdAt": restore.created_at,
        "completedAt": restore.completed_at,
        "counts": restore.counts(),
    }


def deletion_detail(
    deletion: Deletion,
    link_ids: Sequence[str],
    start: int,
    next_cursor: str | None,
    undo_until: str | None,
) -> responses.Deletion:
    """A deletion with the outcomes of ``link_ids``, whose first one has the position ``start``."""
    outcomes = deletion.outcomes[start : start + len(link_ids)]
    results: list[responses.DeletionResult] = [
        {"id": link_id, "outcome": Outcome(outcome).label}
        for link_id, outcome in zip(link_ids, outcomes, strict=True)
    ]
    summary = deletion_summary(deletion, undo_until)
    return cast("responses.Deletion", summary | {"results": results, "nextCursor": next_cursor})
