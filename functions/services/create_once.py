"""Idempotent creation of links with an ``Idempotency-Key``."""

from __future__ import annotations

from collections.abc import Callable

from functions.domain.clock import shutdown_deadline
from functions.domain.errors import StillRunning
from functions.domain.idempotency import IdempotencyKey, KeyTaken
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
    key: IdempotencyKey,
    workspace_id: str,
    user_id: str,
    table: CreateRuns,
    links: LinksTable,
) -> list[Link]:
    """The links of a request that may be repeated: ``create`` creates ``count`` of them, once.

    ``create`` is :func:`create_links` without the run. ``plan`` is :func:`plan_links`: the same
    links as they were created, without later changes. Raises ``KeyReused`` and ``StillRunning``.
    """

    def keyed(run: CreateRun) -> KeyedRun:
        return KeyedRun(run, key, workspace_id, table)

    run = table.begin(workspace_id, key, user_id)
    if run.answered:
        return plan(keyed(run))
    arguments = (workspace_id, key, run)
    try:
        for earlier in map(keyed, run.earlier):
            if earlier.undo(workspace_id, earlier.link_ids(count), links) is None:
                # A killed run created all of them.
                with shutdown_deadline(SHUTDOWN_SECONDS):
                    table.end(*arguments, made_by=earlier.record)
                return plan(earlier)
    except BaseException:
        with shutdown_deadline(SHUTDOWN_SECONDS):
            table.abandon(*arguments)
        raise
    own = keyed(run)
    try:
        items = create(own)
    except BaseException as error:
        # After any error a retry must not wait for the lease. A refused request changed nothing and
        # frees the key.
        leave = table.free if own.clean else table.abandon
        with shutdown_deadline(SHUTDOWN_SECONDS):
            leave(*arguments)
        if isinstance(error, KeyTaken):
            raise StillRunning from None
        raise
    with shutdown_deadline(SHUTDOWN_SECONDS):
        table.end(*arguments, made_by=own.record)
    return items
