"""What a deletion looks like in an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from functions.domain.outcomes import Outcome, count
from functions.repositories.deletions import Deletion
from functions.repositories.restores import Restore


def deletion_summary(deletion: Deletion) -> dict[str, Any]:
    """A deletion without its results, as a list shows it."""
    return {
        "id": deletion.id,
        "mode": deletion.mode,
        "state": deletion.state,
        "reason": deletion.reason,
        "actor": deletion.actor,
        "sourceIp": deletion.source_ip,
        "createdAt": deletion.created_at,
        "completedAt": deletion.completed_at,
        # Without outcomes the record's own, which an erasure of no known id never had.
        "counts": (not deletion.outcomes and deletion.counts) or count(deletion.outcomes),
        "filter": deletion.filter_request.filter if deletion.filter_request else None,
        "failure": deletion.failure,
        "receipt": deletion.receipt,
        # Where it can be fetched is for those who may read visits, and asked for one by one.
        "export": {"url": None, "expiresAt": None} if deletion.export is not None else None,
    }


def as_first_answered(deletion: Deletion) -> Deletion:
    """A closed deletion as its request was answered, whatever became of its links since.

    Then nothing was restored yet, and what an erasure leaves was still to be removed.
    """
    outcomes = bytearray(
        Outcome.DELETED if outcome == Outcome.RESTORED else outcome for outcome in deletion.outcomes
    )
    if Outcome.ERASED not in outcomes:
        return replace(deletion, outcomes=outcomes)
    return replace(deletion, outcomes=outcomes, state="erasing", completed_at=None, receipt=None)


def restore_summary(restore: Restore) -> dict[str, Any]:
    """Who brought links of a deletion back, when and why."""
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
    deletion: Deletion, link_ids: Sequence[str], start: int, next_cursor: str | None
) -> dict[str, Any]:
    """A deletion with the outcomes of ``link_ids``, which stand from ``start`` on in the record."""
    outcomes = deletion.outcomes[start : start + len(link_ids)]
    results = [
        {"id": link_id, "outcome": Outcome(outcome).label}
        for link_id, outcome in zip(link_ids, outcomes, strict=True)
    ]
    return deletion_summary(deletion) | {"results": results, "nextCursor": next_cursor}
