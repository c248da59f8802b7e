"""Leases of filter resolutions and restores: renewed by time, and never outlived."""

from __future__ import annotations

import time
from typing import Any

import pytest

from functions.unlink.clock import Deadline
from functions.unlink.outcomes import Outcome
from functions.unlink.procedures import deletion as engine
from functions.unlink.procedures import restoration, selection
from functions.unlink.procedures.restoration import RestoreStores
from functions.unlink.procedures.selection import Selection
from functions.unlink.stores.deletions import Deletion, Selector
from functions.unlink.stores.links import LinksTable
from functions.unlink.stores.restores import RestoresTable
from tests.conftest import World
from tests.functions.faults import Killed

pytestmark = pytest.mark.engine


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds by which the clock is ahead; a test may add some."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "time", lambda real=time.time: real() + sum(seconds))
    monkeypatch.setattr(selection, "AT_ONCE", 1)
    return seconds


def accepted(world: World) -> Deletion:
    """A deletion whose filter the request had no time to resolve."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_select", lambda *_: Selection())
        deletion = engine.delete_by_filter(
            Selector({"tag": "summer"}, most=100),
            "soft",
            requester=world.requester(),
            stores=world.stores,
            deadline=Deadline(20),
        )
    assert deletion.state == "accepted"
    return deletion


def resume(world: World, deletion: Deletion) -> Deletion | None:
    return engine.resume(
        world.workspace_id, deletion.id, stores=world.stores, deadline=Deadline(290)
    )


def test_a_slow_resolution_is_not_taken_over_while_its_worker_is_alive(
    world: World, monkeypatch: pytest.MonkeyPatch, ahead: list[float]
) -> None:
    ids = world.create(8, tags=["summer"])
    deletion = accepted(world)
    get_many, others = LinksTable.get_many, []

    def slow(*given: Any, **more: Any) -> Any:
        # 200 seconds for all, far longer than a lease.
        ahead.append(25)
        monkeypatch.setattr(LinksTable, "get_many", get_many)
        others.append(resume(world, deletion))
        monkeypatch.setattr(LinksTable, "get_many", slow)
        return get_many(*given, **more)

    monkeypatch.setattr(LinksTable, "get_many", slow)
    done = resume(world, deletion)

    assert others == [None] * 8
    assert done is not None
    assert sorted(done.ids_with(Outcome.DELETED)) == sorted(ids)


def test_a_resolution_whose_worker_was_killed_is_taken_over_after_one_lease(
    world: World, monkeypatch: pytest.MonkeyPatch, ahead: list[float]
) -> None:
    ids = world.create(2, tags=["summer"])
    deletion = accepted(world)

    def die(*_: Any, **__: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(LinksTable, "get_many", die)
        with pytest.raises(Killed):
            resume(world, deletion)

    assert resume(world, deletion) is None
    ahead.append(engine.LEASE_SECONDS)
    done = resume(world, deletion)
    assert done is not None
    assert sorted(done.ids_with(Outcome.DELETED)) == sorted(ids)


def test_a_restore_works_no_longer_than_its_lease(
    world: World, monkeypatch: pytest.MonkeyPatch, ahead: list[float]
) -> None:
    ids = world.create(3)
    deletion = engine.soft_delete(
        ids, [], requester=world.requester(), stores=world.stores, deadline=Deadline(20)
    )
    stores = RestoreStores(
        world.stores.links,
        world.stores.deletions,
        RestoresTable(world.dynamodb, world.stores.deletions.name),
    )
    restore, seconds = LinksTable.restore, []

    def throttled(_: Any, __: str, states: Any, *, deadline: Deadline, **___: Any) -> list[int]:
        """Every statement is throttled until the deadline."""
        seconds.append(deadline.remaining())
        return [Outcome.PENDING] * len(states)

    monkeypatch.setattr(LinksTable, "restore", throttled)
    given: dict[str, Any] = {"stores": stores, "deadline": Deadline(290)}
    done = restoration.restore(deletion.id, None, requester=world.requester(), **given)
    key = (world.workspace_id, deletion.id, done.restore.id)
    assert done.pending_ids == ids
    assert not restoration.resume_restore(*key, **given)
    ahead.append(engine.LEASE_SECONDS + 2)
    assert restoration.resume_restore(*key, **given)
    assert len(seconds) == 2
    assert all(0 < each <= engine.LEASE_SECONDS - engine.LEASE_MARGIN for each in seconds)

    monkeypatch.setattr(LinksTable, "restore", restore)
    ahead.append(engine.LEASE_SECONDS + 2)
    assert restoration.resume_restore(*key, **given)
    assert all(world.live(link_id) for link_id in ids)


def test_a_worker_that_lost_its_lease_records_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, ahead: list[float]
) -> None:
    ids = world.create(3, tags=["summer"])
    deletion = accepted(world)
    get_many, others = LinksTable.get_many, []

    def sleep_once(*given: Any, **more: Any) -> Any:
        monkeypatch.setattr(LinksTable, "get_many", get_many)
        ahead.append(engine.LEASE_SECONDS + 1)
        others.append(resume(world, deletion))
        return get_many(*given, **more)

    monkeypatch.setattr(LinksTable, "get_many", sleep_once)
    late = resume(world, deletion)

    [other] = others
    assert other is not None
    assert sorted(other.ids_with(Outcome.DELETED)) == sorted(ids)
    assert late is not None
    assert late.link_ids == []
    stored = world.stores.deletions.load(world.workspace_id, deletion.id, deadline=Deadline(9))
    assert stored is not None
    assert stored.state == "complete"
    assert stored.failure is None
