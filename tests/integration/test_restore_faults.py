"""Every call of a restore fails once in every way: all links are restored once and recorded."""

from __future__ import annotations

import pytest

from functions.aws import calls, dynamodb
from functions.aws import client as aws
from functions.domain.idempotency import IdempotencyKey
from functions.domain.outcomes import Outcome
from functions.repositories import deletion_items, link_batches
from tests.conftest import ReportFigure, World, make_world
from tests.support.faults import (
    RETRYABLE,
    attempt,
    drop_error_items,
    every_fault,
    faulty_world,
    kill_after_second,
)
from tests.support.in_process_dynamodb import StartingPoint
from tests.support.restores import bring_back, restore_stores
from tests.support.schedule import resume_restores
from tests.support.shards import use_two_shards
from tests.support.virtual_time import RunningClock

pytestmark = pytest.mark.exhaustive

LINKS = 6
KEY = IdempotencyKey("k", "hash")


@pytest.fixture(autouse=True)
def _small_and_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    use_two_shards(monkeypatch)
    monkeypatch.setattr(deletion_items, "INLINE_IDS", 4)
    monkeypatch.setattr(deletion_items, "CHUNK_IDS", 5)
    monkeypatch.setattr(link_batches, "STATEMENT_BATCH", 2)
    monkeypatch.setattr(dynamodb, "READ_BATCH", 5)
    monkeypatch.setattr(calls, "BACKOFF_BASE", 0.001)


@pytest.mark.parametrize("items", [True, False])
def test_each_call_fails_once_in_each_way(
    deployed: dict[str, str],
    items: bool,
    starting_point: StartingPoint,
    running_clock: RunningClock,
    report_figure: ReportFigure,
) -> None:
    if not items:
        drop_error_items(aws.client("dynamodb"))
    points = 0
    for point in every_fault():
        workspace_id, deletion_id, ids = starting_point(lambda: _deleted(deployed))
        world, faulty = faulty_world(deployed, workspace_id)

        with point.strikes(faulty):
            answered = attempt(bring_back, world, deletion_id, key=KEY)

        if point.kind in RETRYABLE:
            assert answered is not None, point
            assert answered.restored_ids == ids, point
        _recover(world, running_clock, hours=1)
        _check(world, deletion_id, ids, str(point))
        points += point.reached
    without = "" if items else " without Error.Item"
    report_figure(f"restore{without}: {points} faults survived")


@pytest.mark.parametrize("items", [True, False])
def test_each_call_of_the_resuming_worker_fails_once_in_each_way(
    deployed: dict[str, str],
    items: bool,
    starting_point: StartingPoint,
    running_clock: RunningClock,
    report_figure: ReportFigure,
) -> None:
    if not items:
        drop_error_items(aws.client("dynamodb"))
    points = 0

    def killed() -> tuple[str, str, list[str]]:
        """The first worker is killed after half of its writes."""
        workspace_id, deletion_id, ids = _deleted(deployed)
        world, faulty = faulty_world(deployed, workspace_id)
        kill_after_second(faulty, "batch_execute_statement")
        assert attempt(bring_back, world, deletion_id, key=KEY) is None
        return workspace_id, deletion_id, ids

    for point in every_fault():
        workspace_id, deletion_id, ids = starting_point(killed)
        world, faulty = faulty_world(deployed, workspace_id)
        with point.strikes(faulty):
            _recover(world, running_clock, hours=1)

        _recover(world, running_clock, hours=2)
        _check(world, deletion_id, ids, f"resume: {point}", accepted=True)
        points += point.reached
    without = "" if items else " without Error.Item"
    report_figure(f"resume of restore{without}: {points} faults survived")


def _deleted(deployed: dict[str, str]) -> tuple[str, str, list[str]]:
    """A new workspace, a deletion of it and the ids of the deletion."""
    world = make_world(deployed)
    ids = world.create(LINKS)
    return world.workspace_id, world.soft_delete(ids).id, ids


def _recover(world: World, clock: RunningClock, *, hours: int) -> None:
    """The schedule's run after the lease has expired."""
    with clock.later(3600 * hours):
        resume_restores(world)


def _check(
    world: World, deletion_id: str, ids: list[str], context: str, *, accepted: bool | None = None
) -> None:
    restores = restore_stores(world).restores.of_deletion(world.workspace_id, deletion_id, limit=10)
    assert len(restores) <= 1, context
    if accepted is not None:
        assert bool(restores) is accepted, context
    record = world.deletion(deletion_id)
    if not restores:
        # Not accepted: nothing happened.
        assert world.live_ids() == [], context
        assert record.ids_with(Outcome.DELETED) == ids, context
        return
    [restore] = restores
    assert restore.state == "complete", context
    assert restore.counts() == {"requested": LINKS, "restored": LINKS, "refused": 0}, context
    assert sorted(world.live_ids()) == sorted(ids), context
    assert record.ids_with(Outcome.RESTORED) == ids, context
    assert record.counts["restored"] == LINKS, context
    # A repeated request gets the same response, independent of the worker.
    assert bring_back(world, deletion_id, key=KEY).restored_ids == ids, context
