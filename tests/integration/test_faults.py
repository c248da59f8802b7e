"""Every call of the deletion engine fails once in every way: nothing is lost or done twice.

The batches are made small, so that ten links take the same path as ten thousand: several
chunks, several statements, several transactions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ReadTimeoutError

from functions import service_stores
from functions.api.app import RESERVED_SECONDS
from functions.aws import calls, dynamodb
from functions.aws import client as aws
from functions.domain.clock import Deadline, use_deadline
from functions.domain.deletion import Deletion
from functions.domain.errors import Unavailable
from functions.domain.idempotency import IdempotencyKey
from functions.domain.outcomes import Outcome
from functions.handlers import deletions as deletions_function
from functions.repositories import deletion_items, link_batches
from functions.services import erase_links, run_deletion
from tests.conftest import ReportFigure, World, make_world
from tests.support.faults import (
    RETRYABLE,
    attempt,
    drop_error_items,
    every_fault,
    faults_of_call,
    faulty_world,
    kill_after_second,
)
from tests.support.in_process_dynamodb import StartingPoint
from tests.support.schedule import resume_deletions
from tests.support.shards import use_two_shards
from tests.support.virtual_time import RunningClock, VirtualClock

pytestmark = pytest.mark.exhaustive

LINKS = 10
BYSTANDERS = 3

Run = Callable[[World, list[str]], Deletion]


@pytest.fixture(autouse=True)
def _small_and_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    use_two_shards(monkeypatch)
    monkeypatch.setattr(deletion_items, "INLINE_IDS", 4)
    monkeypatch.setattr(deletion_items, "CHUNK_IDS", 5)
    monkeypatch.setattr(link_batches, "STATEMENT_BATCH", 3)
    monkeypatch.setattr(dynamodb, "READ_BATCH", 5)
    monkeypatch.setattr(erase_links, "TRANSACTION_ACTIONS", 7)
    monkeypatch.setattr(run_deletion, "SLICE", 6)
    monkeypatch.setattr(calls, "BACKOFF_BASE", 0.001)


def _soft(world: World, ids: list[str]) -> Deletion:
    return world.soft_delete(ids, key=IdempotencyKey("k", "h"))


def _erase(world: World, ids: list[str]) -> Deletion:
    return world.erase(ids, key=IdempotencyKey("k", "h"))


def _erase_one(world: World, ids: list[str]) -> Deletion:
    return world.erase_one(ids[0])


RUNS: dict[str, tuple[Run, int]] = {
    "soft delete": (_soft, LINKS),
    "erase": (_erase, LINKS),
    "erase one": (_erase_one, 1),
}

#: Erasures send no batch statements, so a missing ``Error.Item`` does not affect them.
WITH_AND_WITHOUT_ITEMS = [*((name, True) for name in RUNS), ("soft delete", False)]


@pytest.mark.parametrize(("name", "items"), WITH_AND_WITHOUT_ITEMS)
def test_each_call_fails_once_in_each_way(
    deployed: dict[str, str],
    name: str,
    items: bool,
    starting_point: StartingPoint,
    running_clock: RunningClock,
    report_figure: ReportFigure,
) -> None:
    if not items:
        drop_error_items(aws.client("dynamodb"))
    run, count = RUNS[name]
    points = 0
    for point in every_fault():
        workspace_id, ids, bystanders = starting_point(lambda: _created(deployed, count))
        world, faulty = faulty_world(deployed, workspace_id)
        context = f"{name}: {point}"

        with point.strikes(faulty):
            answered = attempt(run, world, ids)

        if point.kind in RETRYABLE:
            assert answered is not None, context
        _recover(world, running_clock, hours=1)
        _check(world, name, ids, bystanders, answered, context)
        points += point.reached
    report_figure(f"{name}{'' if items else ' without Error.Item'}: {points} faults survived")


@pytest.mark.parametrize(
    ("name", "items"), [("soft delete", True), ("soft delete", False), ("erase", True)]
)
def test_each_call_of_the_resuming_worker_fails_once_in_each_way(
    deployed: dict[str, str],
    name: str,
    items: bool,
    starting_point: StartingPoint,
    running_clock: RunningClock,
    report_figure: ReportFigure,
) -> None:
    if not items:
        drop_error_items(aws.client("dynamodb"))
    run, count = RUNS[name]
    writes = {"soft delete": "batch_execute_statement", "erase": "transact_write_items"}
    points = 0

    def killed() -> tuple[str, list[str], list[str]]:
        """The first worker is killed after half of its writes."""
        workspace_id, ids, bystanders = _created(deployed, count)
        world, faulty = faulty_world(deployed, workspace_id)
        kill_after_second(faulty, writes[name])
        assert attempt(run, world, ids) is None
        return workspace_id, ids, bystanders

    for point in every_fault():
        workspace_id, ids, bystanders = starting_point(killed)
        world, faulty = faulty_world(deployed, workspace_id)
        with point.strikes(faulty):
            _recover(world, running_clock, hours=1)

        _recover(world, running_clock, hours=2)
        context = f"resume of {name}: {point}"
        _check(world, name, ids, bystanders, None, context, accepted=True)
        points += point.reached
    without = "" if items else " without Error.Item"
    report_figure(f"resume of {name}{without}: {points} faults survived")


def test_a_call_that_hangs_just_before_the_deadline_leaves_time_to_answer(
    deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In virtual time: the hanging call takes the client's whole timeout."""
    world, faulty = faulty_world(deployed)
    ids = world.create(LINKS)
    clock, answered = VirtualClock(monkeypatch), threading.Event()
    hanging: list[float] = []

    def hang_once(name: str, call: Callable[[], Any], _parameters: dict[str, Any]) -> Any:
        if name != "batch_execute_statement":
            return call()
        if not hanging:
            hanging.append(aws.client("dynamodb").meta.config.read_timeout)
            assert answered.wait(60)
            clock.pass_by(hanging[0])
            raise ReadTimeoutError(endpoint_url="http://emulator")
        response = call()
        answered.set()
        return response

    faulty.fault, faulty.every = hang_once, True
    monkeypatch.setattr(service_stores, "deletion_stores", lambda: world.stores)
    timeout = RESERVED_SECONDS + 0.5

    status, body = world.call(deletions_function, "DELETE /api/links", body=ids, seconds=timeout)

    assert hanging[0] <= clock.passed < timeout
    faulty.fault = None
    assert status == 202
    # One of the first slice's two batches of five hung, and no other slice was started.
    assert len(body["deletedIds"]) == 3
    assert sorted(body["deletedIds"] + body["pendingIds"]) == sorted(ids)
    assert len(world.queue.messages) == 1
    _recover(world, RunningClock(monkeypatch), hours=1)
    _check(world, "soft delete", ids, [], None, "a call that hangs", accepted=True)


def test_the_schedule_closes_a_record_that_could_not_be_closed(
    deployed: dict[str, str], virtual_clock: VirtualClock, running_clock: RunningClock
) -> None:
    world, faulty = faulty_world(deployed)
    ids = world.create(LINKS)

    throttle = faults_of_call(0)["throttled"]

    def throttle_updates(name: str, call: Callable[[], Any], parameters: dict[str, Any]) -> Any:
        return throttle(name, call, parameters) if name == "update_item" else call()

    faulty.fault, faulty.every = throttle_updates, True

    answered = _soft(world, ids)

    assert answered.open
    assert answered.ids_with(Outcome.DELETED) == ids
    faulty.fault = None
    _recover(world, running_clock, hours=1)
    _check(world, "soft delete", ids, [], answered, "closing", accepted=True)


@pytest.mark.parametrize("name", RUNS)
def test_the_error_names_a_deletion_that_was_accepted(
    deployed: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, count = RUNS[name]
    world, faulty = faulty_world(deployed)
    ids = world.create(count)
    lose = faults_of_call(0)["applied, then timeout"]

    def lose_the_response(operation: str, call: Callable[[], Any], given: dict[str, Any]) -> Any:
        return lose(operation, call, given) if operation == "transact_write_items" else call()

    faulty.fault, faulty.every = lose_the_response, True
    monkeypatch.setattr(calls, "backoff", lambda *_: False)
    with pytest.raises(Unavailable) as failed:
        run(world, ids)

    faulty.fault = None
    [record], _ = world.stores.deletions.newest(world.workspace_id, limit=2, before=None)
    assert failed.value.deletion_id == record.id


def test_the_schedule_continues_after_a_failed_requeue(
    deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch, running_clock: RunningClock
) -> None:
    world, _ = faulty_world(deployed)
    ids = world.create(LINKS)
    cut = Deadline(20)

    def mark_none(*_: Any, **more: Any) -> bytearray:
        cut.expire()
        return bytearray(run_deletion.SLICE)

    with monkeypatch.context() as broken, use_deadline(cut):
        broken.setattr(world.stores.links.batches, "mark_deleted", mark_none)
        broken.setattr(world.queue, "send", Mock(side_effect=Unavailable))
        answered = world.soft_delete(ids)

    assert answered.ids_with(Outcome.PENDING) == ids
    _recover(world, running_clock, hours=1)
    _check(world, "soft delete", ids, [], answered, "handing over", accepted=True)


def _created(deployed: dict[str, str], count: int) -> tuple[str, list[str], list[str]]:
    """A new workspace, with links to delete and links to keep."""
    world = make_world(deployed)
    return world.workspace_id, world.create(count), world.create(BYSTANDERS)


def _recover(world: World, clock: RunningClock, *, hours: int) -> None:
    """The schedule's run after the lease has expired."""
    with clock.later(3600 * hours):
        resume_deletions(world)


def _check(
    world: World,
    name: str,
    ids: list[str],
    bystanders: list[str],
    answered: Deletion | None,
    context: str,
    *,
    accepted: bool | None = None,
) -> None:
    records, _ = world.stores.deletions.newest(world.workspace_id, limit=10, before=None)
    assert len(records) <= 1, context
    if accepted is not None:
        assert bool(records) is accepted, context
    states = world.stores.links.batches.states(world.workspace_id, [*bystanders, *ids])
    live = {link_id for link_id, state in states.items() if state.is_live}
    assert live >= set(bystanders), context
    if not records:
        # Not accepted: nothing happened.
        assert answered is None, context
        assert live >= set(ids), context
        return
    record = world.stores.deletions.load(world.workspace_id, records[0].id)
    assert record is not None
    assert record.link_ids == ids, context
    outcome = Outcome.DELETED if name == "soft delete" else Outcome.ERASED
    assert set(record.outcomes) == {outcome}, (context, list(record.outcomes))
    assert record.state == ("complete" if name == "soft delete" else "erasing"), context
    assert not live & set(ids), context
    if name == "soft delete":
        assert set(states) >= set(ids), context
    else:
        assert not set(states) & set(ids), context
    if answered is not None and not answered.open:
        assert answered.ids_with(outcome) == ids, context
