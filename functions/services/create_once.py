"""Creating links once, however often the request comes: under an ``Idempotency-Key``."""

from __future__ import annotations

from collections.abc import Callable

from functions.domain.clock import shutdown_deadline
from functions.domain.errors import StillRunning
from functions.domain.idempotency import IdempotencyKey, KeyTaken
from functions.domain.link import Link
from functions.repositories.create_runs import CreateRun, CreateRuns
from functions.repositories.links import LinksTable
from functions.services.link_runs import KeyedRun

#: Seconds in which a refused request is undone, and an answer noted, however late it is.
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
    """The links of a request that may come again: ``create`` makes ``count`` of them, once.

    ``create`` is :func:`create_links` but for the run, ``plan`` :func:`plan_links`: the same links,
    as they were made, whatever became of them since. Raises ``KeyReused`` and ``StillRunning``.
    """

    def keyed(run: CreateRun) -> KeyedRun:
        return KeyedRun(run, key, workspace_id, table)

    run = table.begin(workspace_id, key, user_id)
    if run.answered:
        return plan(keyed(run))
    given = (workspace_id, key, run)
    try:
        for earlier in map(keyed, run.earlier):
            if earlier.undo(workspace_id, earlier.link_ids(count), links) is None:
                # A run that did not live to answer has made them all.
                with shutdown_deadline(SHUTDOWN_SECONDS):
                    table.end(*given, made_by=earlier.record)
                return plan(earlier)
    except BaseException:
        with shutdown_deadline(SHUTDOWN_SECONDS):
            table.abandon(*given)
        raise
    own = keyed(run)
    try:
        items = create(own)
    except BaseException as error:
        # Whatever it was, a repetition need not wait for the lease. A refused request has changed
        # nothing, and leaves the key to any other.
        leave = table.free if own.clean else table.abandon
        with shutdown_deadline(SHUTDOWN_SECONDS):
            leave(*given)
        if isinstance(error, KeyTaken):
            raise StillRunning from None
        raise
    with shutdown_deadline(SHUTDOWN_SECONDS):
        table.end(*given, made_by=own.record)
    return items
