"""Leaving a deletion to another worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from functions import metrics
from functions.domain.clock import shutdown_deadline
from functions.domain.deletion import Deletion
from functions.domain.errors import (
    InternalError,
    Unavailable,
)
from functions.powertools import Logger
from functions.services.deletion import Stores

#: What each of an invocation's last writes may take. The functions reserve time for them.
SHUTDOWN_SECONDS = 1.5

log = Logger()


def requeue(deletion: Deletion, *, stores: Stores) -> None:
    """Record the progress, give up the lease and queue the deletion for another worker.

    This only speeds the deletion up: without it the schedule finds the record when its lease has
    expired.
    """
    metrics.count("Requeues")
    with left_to_others("a deletion was not requeued", deletion):
        if stores.deletions.save_progress(deletion, lease_seconds=0):
            message = {"workspaceId": deletion.workspace_id, "deletionId": deletion.id}
            stores.resume_queue.send(message)


@contextmanager
def left_to_others(message: str, deletion: Deletion) -> Iterator[None]:
    """Log a failure of these calls and continue: the schedule repeats them."""
    try:
        with shutdown_deadline(SHUTDOWN_SECONDS):
            yield
    except (Unavailable, InternalError) as error:
        # A permanent error needs an operator; the deletion is accepted in any case.
        report = log.warning if isinstance(error, Unavailable) else log.error
        report(
            message,
            extra={
                "workspaceId": deletion.workspace_id,
                "deletionId": deletion.id,
                "cause": repr(error.__cause__ or error),
            },
        )
