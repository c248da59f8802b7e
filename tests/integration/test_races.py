"""Parallel requests: one consistent end state, and each link reported as deleted exactly once."""

from __future__ import annotations

import threading
import uuid
from functools import partial
from typing import Any

import pytest

from functions.domain.deletion import Deletion
from functions.domain.errors import LinkNotFound, ShortCodeTaken, StillRunning
from functions.domain.idempotency import IdempotencyKey
from functions.domain.outcomes import Outcome
from functions.handlers import deletions
from functions.repositories.deletions import DeletionsTable
from tests.conftest import World, make_world
from tests.support.faults import drop_error_items
from tests.support.interleaving import at_once, interleave
from tests.support.restores import bring_back
from tests.support.schedule import resume_deletions
from tests.support.virtual_time import RunningClock


def validated_together(worlds: list[World]) -> None:
    """All requests have validated before any of them writes its record."""
    everyone = threading.Barrier(len(worlds))
    for world in worlds:
        accept = world.stores.deletions.accept

        def wait_then_accept(*args: Any, _accept: Any = accept, **kwargs: Any) -> None:
            everyone.wait()
            _accept(*args, **kwargs)

        world.stores.deletions.accept = wait_then_accept  # type: ignore[method-assign]


def test_overlapping_soft_deletes_report_each_link_once(
    deployed: dict[str, str], world: World
) -> None:
    ids = world.create(90)
    worlds = [make_world(deployed, workspace_id=world.workspace_id) for _ in range(3)]
    validated_together(worlds)
    sets = [ids[:60], ids[30:], ids]

    results = at_once(
        [partial(each.soft_delete, wanted) for each, wanted in zip(worlds, sets, strict=True)]
    )

    reported = [link_id for result in results for link_id in result.ids_with(Outcome.DELETED)]
    assert sorted(reported) == sorted(ids)
    assert world.live_ids() == []
    for result, wanted in zip(results, sets, strict=True):
        others = set(wanted) - set(result.ids_with(Outcome.DELETED))
        assert set(result.ids_with(Outcome.NOT_FOUND)) == others


@pytest.mark.parametrize("items", [True, False])
@pytest.mark.parametrize("restored", [False, True], ids=["deleted", "deleted and restored"])
def test_links_deleted_first_by_another_request_are_not_reported_deleted(
    world: World, monkeypatch: pytest.MonkeyPatch, items: bool, restored: bool
) -> None:
    """Validated by this request, deleted by others (and restored) before its statement."""
    if not items:
        drop_error_items(world.dynamodb)
    ids = world.create(3)

    def overtake() -> None:
        other = world.soft_delete(ids[1:])
        if restored:
            bring_back(world, other.id)

    interleave(monkeypatch, DeletionsTable, "accept", before=overtake)

    answers = [world.call(deletions, "DELETE /api/links", body=ids, key="k") for _ in range(2)]

    assert sorted(world.live_ids()) == sorted(ids[1:] if restored else [])
    assert answers == [(200, {"deletedIds": ids[:1], "notFoundIds": ids[1:]})] * 2


def test_a_stale_worker_answers_from_the_record(
    deployed: dict[str, str],
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    running_clock: RunningClock,
) -> None:
    """It was suspended until another worker had finished and the links were restored."""
    ids = world.create(3)
    slow = make_world(deployed, workspace_id=world.workspace_id)

    def sleep_through_it_all() -> None:
        with running_clock.later(3600):
            resume_deletions(world)
        bring_back(world, world.last_deletion().id, ids[:1])

    batches = slow.stores.links.batches
    interleave(monkeypatch, batches, "mark_deleted", before=sleep_through_it_all)
    answered = slow.soft_delete(ids)

    assert answered.ids_with(Outcome.RESTORED) == ids[:1]
    assert answered.ids_with(Outcome.DELETED) == ids[1:]
    assert answered.state == "complete"
    assert world.live_ids() == ids[:1]


def test_overlapping_erasures_report_each_link_once(deployed: dict[str, str], world: World) -> None:
    ids = world.create(90)
    worlds = [make_world(deployed, workspace_id=world.workspace_id) for _ in range(3)]
    validated_together(worlds)

    results = at_once([partial(each.erase, ids) for each in worlds])

    reported = [link_id for result in results for link_id in result.ids_with(Outcome.ERASED)]
    assert sorted(reported) == sorted(ids)
    assert not any(world.exists(link_id) for link_id in ids)


def test_a_soft_delete_and_an_erasure_of_the_same_links_agree(
    deployed: dict[str, str], world: World
) -> None:
    ids = world.create(60)
    first, second = (make_world(deployed, workspace_id=world.workspace_id) for _ in range(2))
    validated_together([first, second])

    soft, erased = at_once([partial(first.soft_delete, ids), partial(second.erase, ids)])

    # Erasing takes soft-deleted links too, so everything is gone in the end; nothing came back.
    assert erased.ids_with(Outcome.ERASED) == ids
    assert not any(world.exists(link_id) for link_id in ids)
    assert set(soft.outcomes) <= {Outcome.DELETED, Outcome.NOT_FOUND}


def test_one_link_is_erased_for_exactly_one_of_many(world: World) -> None:
    [link_id] = world.create(1)

    results = at_once([lambda: world.erase_one(link_id)] * 6)

    assert sum(isinstance(result, Deletion) for result in results) == 1
    assert sum(isinstance(result, LinkNotFound) for result in results) == 5


def test_one_of_many_creates_gets_the_code(world: World) -> None:
    code = f"t-{uuid.uuid4().hex[:10]}"

    results = at_once([lambda: world.create_items(shortCode=code)] * 6)

    made = [result for result in results if isinstance(result, list)]
    assert len(made) == 1
    assert all(isinstance(r, ShortCodeTaken) for r in results if not isinstance(r, list))
    assert world.live_ids() == [made[0][0].id]


def test_racing_erasures_and_creates_leave_one_owner_of_a_code(world: World) -> None:
    code = f"t-{uuid.uuid4().hex[:10]}"
    [owner] = world.create_items(shortCode=code)

    def erase_then_take() -> Any:
        world.erase([owner.id])
        return world.create_items(shortCode=code)

    results = at_once([erase_then_take] * 4)

    [[winner]] = [result for result in results if isinstance(result, list)]
    pointer = world.stores.links.resolve_code(code)
    assert pointer == (world.workspace_id, winner.id)
    assert world.live_ids() == [winner.id]


def test_of_two_requests_with_one_idempotency_key_one_is_accepted(
    deployed: dict[str, str], world: World
) -> None:
    ids = world.create(30)
    key = IdempotencyKey("same", "hash")
    worlds = [make_world(deployed, workspace_id=world.workspace_id) for _ in range(3)]
    validated_together(worlds)

    results = at_once([partial(each.soft_delete, ids, key=key) for each in worlds])

    records, _ = world.stores.deletions.newest(world.workspace_id, limit=10, before=None)
    assert len(records) == 1
    for result in results:
        assert isinstance(result, StillRunning) or result.ids_with(Outcome.DELETED) == ids
