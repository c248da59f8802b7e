"""Leaving a deletion to another worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from functions import metrics
from functions.domain.clock import (
    shutdown_deadline,
)
from functions.domain.deletion import Deletion
from functions.domain.errors import (
    InternalError,
    Unavailable,
)
from functions.services.deletion import Stores

if TYPE_CHECKING:
    pass


#: What each of an invocation's last writes may take. The functions reserve time for them.
SHUTDOWN_SECONDS = 1.5


log = Logger()


def requeue(deletion: Deletion, *, stores: Stores) -> None:
    """Record what is done, give up the lease and ask the queue for another worker.

    Nothing here is needed for the deletion to complete, it only makes it sooner: without it the
    schedule finds the record when its lease has lapsed.
    """
    metrics.count("HandOvers")
    with left_to_others("a deletion was not handed over", deletion):
        if stores.deletions.save_progress(deletion, lease_seconds=0):
            message = {"workspaceId": deletion.workspace_id, "deletionId": deletion.id}
            stores.resume_queue.send(message)


@contextmanager
def left_to_others(message: str, deletion: Deletion) -> Iterator[None]:
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
