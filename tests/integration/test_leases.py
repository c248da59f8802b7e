"""Leases of filter resolutions and restores: renewed by time, and never exceeded."""

from __future__ import annotations

from typing import Any

import pytest

from functions.domain.clock import Deadline, current_deadline, use_deadline
from functions.domain.deletion import Deletion, FilterRequest
from functions.domain.outcomes import Outcome
from functions.repositories.link_batches import LinkBatches
from functions.repositories.links import LinksTable
from functions.services import delete_links, leases, resolve_filter, run_deletion
from functions.services import restore as restore_service
from functions.services.read_budget import PacedBudget
from functions.services.resolve_filter import ResolvedLinks
from tests.conftest import World
from tests.support.faults import Killed, die
from tests.support.interleaving import interleave
from tests.support.restores import bring_back, restore_stores
from tests.support.virtual_time import RunningClock


@pytest.fixture(autouse=True)
def _one_link_a_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve_filter, "AT_ONCE", 1)


def accepted(world: World) -> Deletion:
    """A deletion whose filter the request had no time to resolve."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resolve_filter, "resolve", lambda *_: ResolvedLinks())
        deletion = delete_links.delete_by_filter(
            FilterRequest({"tag": "summer"}, maximum=100, reads_per_minute=6_000),
            "soft",
            deletion_request=world.deletion_request(),
            stores=world.stores,
            budget=PacedBudget(6_000),
            open_filters=1,
        )
    assert deletion.state == "accepted"
    return deletion


def resume(world: World, deletion: Deletion) -> Deletion | None:
    with use_deadline(Deadline(290)):
        return run_deletion.resume(world.workspace_id, deletion.id, stores=world.stores)


def test_a_slow_resolution_keeps_its_lease_while_its_worker_runs(
    world: World, monkeypatch: pytest.MonkeyPatch, running_clock: RunningClock
) -> None:
    ids = world.create(8, tags=["summer"])
    deletion = accepted(world)
    get_many, others = LinksTable.get_many, []

    def slow(*given: Any, **more: Any) -> Any:
        # 200 seconds for all, far longer than a lease.
        running_clock.pass_by(25)
        monkeypatch.setattr(LinksTable, "get_many", get_many)
        others.append(resume(world, deletion))
        monkeypatch.setattr(LinksTable, "get_many", slow)
        return get_many(*given, **more)

    monkeypatch.setattr(LinksTable, "get_many", slow)
    done = resume(world, deletion)

    assert others == [None] * 8
    assert done is not None
    assert sorted(done.ids_with(Outcome.DELETED)) == sorted(ids)


def test_a_killed_resolution_is_taken_over_after_one_lease(
    world: World, monkeypatch: pytest.MonkeyPatch, running_clock: RunningClock
) -> None:
    ids = world.create(2, tags=["summer"])
    deletion = accepted(world)

    with monkeypatch.context() as patch:
        patch.setattr(LinksTable, "get_many", die)
        with pytest.raises(Killed):
            resume(world, deletion)

    assert resume(world, deletion) is None
    running_clock.pass_by(leases.LEASE_SECONDS)
    done = resume(world, deletion)
    assert done is not None
    assert sorted(done.ids_with(Outcome.DELETED)) == sorted(ids)


def test_a_restore_works_no_longer_than_its_lease(
    world: World, monkeypatch: pytest.MonkeyPatch, running_clock: RunningClock
) -> None:
    ids = world.create(3)
    deletion = world.soft_delete(ids)
    stores = restore_stores(world)
    restore, seconds = LinkBatches.restore, []

    def throttled(_: Any, __: str, states: Any, **___: Any) -> list[int]:
        """Every statement is throttled until the deadline."""
        seconds.append(current_deadline().remaining())
        return [Outcome.PENDING] * len(states)

    monkeypatch.setattr(LinkBatches, "restore", throttled)
    with use_deadline(Deadline(290)):
        done = bring_back(world, deletion.id)
    key = (world.workspace_id, deletion.id, done.restore.id)

    def resume_restore() -> bool:
        with use_deadline(Deadline(290)):
            return restore_service.resume_restore(*key, stores=stores)

    assert done.pending_ids == ids
    assert not resume_restore()
    running_clock.pass_by(leases.LEASE_SECONDS + 2)
    assert resume_restore()
    assert len(seconds) == 2
    assert all(0 < each <= leases.LEASE_SECONDS - leases.LEASE_MARGIN for each in seconds)

    monkeypatch.setattr(LinkBatches, "restore", restore)
    running_clock.pass_by(leases.LEASE_SECONDS + 2)
    assert resume_restore()
    assert all(world.live(link_id) for link_id in ids)


def test_a_worker_that_lost_its_lease_records_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, running_clock: RunningClock
) -> None:
    ids = world.create(3, tags=["summer"])
    deletion = accepted(world)

    def next_worker() -> Deletion | None:
        running_clock.pass_by(leases.LEASE_SECONDS + 1)
        return resume(world, deletion)

    others = interleave(monkeypatch, LinksTable, "get_many", before=next_worker)
    late = resume(world, deletion)

    [other] = others
    assert other is not None
    assert sorted(other.ids_with(Outcome.DELETED)) == sorted(ids)
    assert late is not None
    assert late.link_ids == []
    stored = world.deletion(deletion.id)
    assert stored.state == "complete"
    assert stored.failure is None
