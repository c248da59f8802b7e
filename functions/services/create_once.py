"""Idempotent creation of links with an ``Idempotency-Key``."""

from __future__ import annotations

from collections.abc import Callable

from functions.domain.clock import shutdown_deadline
from functions.domain.errors import StillRunning
from functions.domain.idempotency import KeyTaken
from functions.domain.link import Link
from functions.repositories.create_runs import CreateRun, CreateRuns
from functions.repositories.links import LinksTable
from functions.services.link_runs import KeyedRun

#: Seconds for rolling back a refused request or recording a response, even after the deadline.
SHUTDOWN_SECONDS = 1.5


def create_once(
    create: Callable[[KeyedRun], list[Link]],
    plan: Callable[[KeyedRun], list[Link]],
    count: int,
    *,
    user_id: str,
    runs: CreateRuns,
    links: LinksTable,
) -> list[Link]:
    """The links of a request that may be repeated: ``create`` creates ``count`` of them, once.

    ``create`` is :func:`create_links` without the run. ``plan`` is :func:`plan_links`: the same
    links as they were created, without later changes. Raises ``KeyReused`` and ``StillRunning``.
    """

    def keyed(run: CreateRun) -> KeyedRun:
        return KeyedRun(run, runs)

    run = runs.begin(user_id)
    if run.answered:
        return plan(keyed(run))
    try:
        for earlier in map(keyed, run.earlier):
            # What a killed run knew of its codes' reservations is lost.
            if earlier.undo(runs.workspace_id, earlier.link_ids(count), links, {}) is None:
                # A killed run created all of them.
                with shutdown_deadline(SHUTDOWN_SECONDS):
                    runs.end(run, made_by=earlier.record)
                return plan(earlier)
    except BaseException:
        with shutdown_deadline(SHUTDOWN_SECONDS):
            runs.abandon(run)
        raise
    own = keyed(run)
    try:
        items = create(own)
    except BaseException as error:
        # After any error a retry must not wait for the lease. A refused request changed nothing and
        # frees the key.
        leave = runs.free if own.clean else runs.abandon
        with shutdown_deadline(SHUTDOWN_SECONDS):
            leave(run)
        if isinstance(error, KeyTaken):
            raise StillRunning from None
        raise
    with shutdown_deadline(SHUTDOWN_SECONDS):
        runs.end(run, made_by=own.record)
    return items
