"""A worker is killed, another request changes its links, and the next worker records the true
outcome.

A soft delete names a link as deleted exactly if it deleted the link, and a restore as restored
exactly if it made the link live again, independent of what other requests did with the link before
the resume.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.aws import calls, dynamodb
from functions.aws import client as aws
from functions.domain.deletion import Deletion
from functions.domain.outcomes import Outcome
from functions.domain.policies import Policies
from functions.repositories import deletion_items, link_batches
from functions.repositories.restores import RestoreOutcome
from functions.services import run_deletion
from tests.conftest import World, make_world
from tests.support.erasure import Erasing
from tests.support.faults import (
    Call,
    FaultyClient,
    attempt,
    drop_error_items,
    every_fault,
    faulty_world,
    kill_from,
)
from tests.support.in_process_dynamodb import StartingPoint
from tests.support.interleaving import interleave
from tests.support.restores import bring_back, restore_stores
from tests.support.schedule import resume_deletions, resume_restores
from tests.support.shards import use_two_shards
from tests.support.virtual_time import RunningClock

LINKS = 8

Take = Callable[[World, str], None]


@pytest.fixture(autouse=True)
def _small_and_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    use_two_shards(monkeypatch)
    monkeypatch.setattr(deletion_items, "INLINE_IDS", 4)
    monkeypatch.setattr(link_batches, "STATEMENT_BATCH", 3)
    monkeypatch.setattr(dynamodb, "READ_BATCH", 5)
    monkeypatch.setattr(run_deletion, "SLICE", 6)
    monkeypatch.setattr(calls, "BACKOFF_BASE", 0.001)


# -- soft deletes ---------------------------------------------------------------------------------


@pytest.mark.exhaustive
@pytest.mark.parametrize("items", [True, False])
@pytest.mark.parametrize("after", [True, False])
def test_a_soft_delete_killed_at_any_call_reports_what_it_deleted(
    deployed: dict[str, str],
    starting_point: StartingPoint,
    after: bool,
    items: bool,
    running_clock: RunningClock,
) -> None:
    if not items:
        drop_error_items(aws.client("dynamodb"))
    reached, at, kinds = True, 0, set()
    while reached:
        workspace_id, ids = starting_point(lambda: _created(deployed))
        world, faulty = faulty_world(deployed, workspace_id)
        begun = kill_from(faulty, at, after=after)
        attempt(world.soft_delete, ids)
        reached = len(begun) > at
        faulty.fault = None
        own, taken = _soft_deleted(world, ids), ids[::2]
        world.erase(taken)

        _resume_all(world, running_clock)

        record = _newest_soft(world)
        if record is not None:
            assert record.state == "complete", at
            deleted = [each for each in ids if each in own or each not in taken]
            assert record.ids_with(Outcome.DELETED) == deleted, at
            others = [each for each in ids if each not in deleted]
            assert record.ids_with(Outcome.NOT_FOUND) == others, at
            kinds |= {(each in own) for each in taken}
        at += 1
    # The kills came before and after the statements of erased links.
    assert kinds == {True, False}


@pytest.mark.exhaustive
def test_each_call_of_the_resuming_worker_of_a_soft_delete_fails_once_in_each_way(
    deployed: dict[str, str], starting_point: StartingPoint, running_clock: RunningClock
) -> None:
    def erased() -> tuple[str, list[str], set[str]]:
        """A delete whose worker was killed, and then an erasure of its links."""
        workspace_id, ids = _created(deployed)
        world, faulty = faulty_world(deployed, workspace_id)
        kill_from(faulty, 0, operation="batch_execute_statement")
        attempt(world.soft_delete, ids)
        faulty.fault = None
        own = _soft_deleted(world, ids)
        assert 0 < len(own) < LINKS
        world.erase(ids)
        return workspace_id, ids, own

    for point in every_fault():
        workspace_id, ids, own = starting_point(erased)
        world, faulty = faulty_world(deployed, workspace_id)
        with point.strikes(faulty):
            _resume_all(world, running_clock)
        _resume_all(world, running_clock, hours=2)
        record = _newest_soft(world)
        assert record is not None
        assert record.state == "complete", point
        assert set(record.ids_with(Outcome.DELETED)) == own, point
        assert set(record.ids_with(Outcome.NOT_FOUND)) == set(ids) - own, point


def lose_a_response(faulty: FaultyClient, *, meanwhile: Callable[[], Any]) -> None:
    """Lose the response to the next batch of statements, after another request has acted."""

    def fault(name: str, call: Call, _given: dict[str, Any]) -> Any:
        response = call()
        if name != "batch_execute_statement":
            return response
        faulty.fault = None
        meanwhile()
        raise ReadTimeoutError(endpoint_url="http://emulator")

    faulty.fault, faulty.every = fault, True


def test_a_deleted_link_counts_although_the_response_was_lost_and_the_link_was_erased(
    deployed: dict[str, str],
) -> None:
    """In one run: the statements are repeated, and find nothing."""
    world, faulty = faulty_world(deployed)
    ids = world.create(3)
    lose_a_response(faulty, meanwhile=lambda: world.erase(ids[:2]))

    deletion = world.soft_delete(ids)

    assert deletion.state == "complete"
    assert deletion.ids_with(Outcome.DELETED) == ids


@pytest.mark.parametrize("purge_expired", [False, True])
def test_a_link_removed_by_its_retention_counts_as_deleted(
    erasing: Erasing,
    monkeypatch: pytest.MonkeyPatch,
    purge_expired: bool,
    running_clock: RunningClock,
) -> None:
    """Another, live link is removed by ``purgeExpiredAfterDays`` before its turn."""
    faulty = FaultyClient(erasing.world.dynamodb)
    world = make_world(erasing.environment, faulty, erasing.world.workspace_id)
    retained, expired, kept = world.create(3)
    monkeypatch.setattr(link_batches, "STATEMENT_BATCH", 1)
    monkeypatch.setattr(link_batches, "in_parallel", lambda work, parts: [*map(work, parts)])
    kill_from(faulty, 0, operation="batch_execute_statement")
    attempt(world.soft_delete, [retained, expired, kept], retention_days=1)
    faulty.fault = None
    assert [world.live(each) for each in (retained, expired, kept)] == [False, True, True]
    removed = [retained, expired] if purge_expired else [retained]
    erasing.cleanup([erasing.expire(each) for each in removed])
    erasing.work_all()

    _resume_all(world, running_clock)

    record = _newest_soft(world)
    assert record is not None
    others = [expired] if purge_expired else []
    assert record.ids_with(Outcome.NOT_FOUND) == others
    assert record.ids_with(Outcome.DELETED) == [
        each for each in record.link_ids if each not in others
    ]


@pytest.mark.parametrize("past", [True, False])
def test_a_link_removed_by_its_retention_may_have_no_erasure_yet(
    deployed: dict[str, str], past: bool, running_clock: RunningClock
) -> None:
    """The stream and the queue take minutes. Before the ttl something else removed the link."""
    world, faulty = faulty_world(deployed)
    [link_id] = world.create(1)
    kill_from(faulty, 0, operation="batch_execute_statement")
    attempt(world.soft_delete, [link_id], retention_days=1)
    faulty.fault = None
    world.dynamodb.delete_item(
        TableName=world.stores.links.name,
        Key=world.link_key(link_id),
    )
    _resume_all(world, running_clock, hours=25 if past else 1)
    record = _newest_soft(world)
    assert record is not None
    assert list(record.outcomes) == [Outcome.DELETED if past else Outcome.NOT_FOUND]


def test_an_erasure_that_read_a_live_link_names_the_delete_that_came_between(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = world.create(3)
    batches = world.stores.links.batches
    between = interleave(monkeypatch, batches, "states", after=lambda: world.soft_delete(ids[:2]))
    erased = world.erase(ids)

    assert erased.ids_with(Outcome.ERASED) == ids
    found = world.stores.erasures.find(world.workspace_id, ids)
    assert [found[each].soft_deleted_by for each in ids] == [between[0].id] * 2 + [None]


def test_an_erasure_that_read_a_live_link_names_the_restore_that_came_between(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link is live again when it is erased; only its fencing token has changed."""
    [link_id] = world.create(1)
    between = interleave(
        monkeypatch,
        world.stores.links.batches,
        "states",
        after=lambda: bring_back(world, world.soft_delete([link_id]).id).restore,
    )
    assert world.erase([link_id]).ids_with(Outcome.ERASED) == [link_id]
    [found] = world.stores.erasures.find(world.workspace_id, [link_id]).values()
    assert found.fencing_token == between[0].id
    assert found.soft_deleted_by is None


def test_a_delete_whose_links_were_erased_can_be_restored(
    deployed: dict[str, str], running_clock: RunningClock
) -> None:
    world, faulty = faulty_world(deployed)
    ids = world.create(2)
    kill_from(faulty, 0, operation="batch_execute_statement")
    attempt(world.soft_delete, ids)
    faulty.fault = None
    world.erase(ids[:1])
    _resume_all(world, running_clock)
    record = _newest_soft(world)
    assert record is not None

    done = bring_back(world, record.id)

    assert done.restored_ids == ids[1:]
    assert done.refused == [{"id": ids[0], "reason": "erased"}]


def test_a_resumed_soft_delete_reads_no_erasure_of_a_link_that_exists(
    deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch, running_clock: RunningClock
) -> None:
    """Not even of links that another request has deleted."""
    world, faulty = faulty_world(deployed)
    ids = world.create(LINKS)
    interleave(
        monkeypatch,
        world.stores.deletions,
        "accept",
        before=lambda: world.soft_delete(ids[-1:]),
        after=lambda: kill_from(faulty, 0, operation="batch_execute_statement"),
    )
    attempt(world.soft_delete, ids)
    faulty.fault = None
    faulty.calls.clear()
    _resume_all(world, running_clock)

    [record] = [each for each in _soft_deletions(world) if len(each.link_ids) == LINKS]
    assert record.state == "complete"
    assert record.ids_with(Outcome.NOT_FOUND) == ids[-1:]
    assert "batch_execute_statement" in faulty.calls
    assert "batch_get_item" not in faulty.calls


# -- restores -------------------------------------------------------------------------------------


def _erase(world: World, link_id: str) -> None:
    world.erase([link_id])


def _delete_again(world: World, link_id: str) -> None:
    world.soft_delete([link_id])


def _delete_and_erase(world: World, link_id: str) -> None:
    world.soft_delete([link_id])
    world.erase([link_id])


def _delete_restore_and_delete(world: World, link_id: str) -> None:
    bring_back(world, world.soft_delete([link_id]).id)
    world.soft_delete([link_id])


#: What others do with a link that the killed worker has restored.
TAKE: list[Take] = [_erase, _delete_again, _delete_and_erase, _delete_restore_and_delete]


@pytest.mark.exhaustive
@pytest.mark.parametrize("items", [True, False])
@pytest.mark.parametrize("after", [True, False])
def test_a_restore_killed_at_any_call_reports_what_it_restored(
    deployed: dict[str, str],
    starting_point: StartingPoint,
    after: bool,
    items: bool,
    running_clock: RunningClock,
) -> None:
    def deleted() -> tuple[str, list[str], Deletion]:
        workspace_id, ids = _created(deployed)
        return workspace_id, ids, make_world(deployed, workspace_id=workspace_id).soft_delete(ids)

    if not items:
        drop_error_items(aws.client("dynamodb"))
    reached, at, kinds = True, 0, set()
    while reached:
        workspace_id, ids, deletion = starting_point(deleted)
        world, faulty = faulty_world(deployed, workspace_id)
        begun = kill_from(faulty, at, after=after)
        attempt(bring_back, world, deletion.id)
        reached = len(begun) > at
        faulty.fault = None
        own = {each for each in ids if world.live(each)}
        erased = set()
        for position, link_id in enumerate(ids[: LINKS - 2]):
            if link_id in own:
                TAKE[position % len(TAKE)](world, link_id)
            elif position % 2:
                world.erase([link_id])
                erased.add(link_id)

        _resume_all(world, running_clock)

        restored = [each for each in ids if each not in erased]
        for record in restore_stores(world).restores.of_deletion(
            world.workspace_id, deletion.id, limit=2
        ):
            assert record.state == "complete", at
            outcomes = dict(zip(ids, record.outcomes, strict=True))
            assert [
                each for each in ids if outcomes[each] == RestoreOutcome.RESTORED
            ] == restored, at
            assert {each for each in ids if outcomes[each] == RestoreOutcome.ERASED} == erased, at
            found = world.stores.deletions.load(world.workspace_id, deletion.id)
            assert found is not None
            assert found.ids_with(Outcome.RESTORED) == restored, at
            kinds |= {bool(own), bool(erased)}
        at += 1
    assert kinds == {True, False}


def test_a_link_taken_before_the_restore_began_is_not_restored(
    deployed: dict[str, str], running_clock: RunningClock
) -> None:
    """By a delete after an earlier restore, and by an erasure after one."""
    world, faulty = faulty_world(deployed)
    again, erased, own = ids = world.create(3)
    deletion = world.soft_delete(ids)
    bring_back(world, deletion.id, [again, erased])
    world.soft_delete([again, erased])
    world.erase([erased])
    kill_from(faulty, 0, operation="batch_execute_statement")
    attempt(bring_back, world, deletion.id)
    faulty.fault = None

    _resume_all(world, running_clock)

    [record, _] = restore_stores(world).restores.of_deletion(
        world.workspace_id, deletion.id, limit=2
    )
    assert list(record.outcomes) == [
        RestoreOutcome.DELETED_AGAIN,
        RestoreOutcome.ERASED,
        RestoreOutcome.RESTORED,
    ]
    assert world.live(own)


@pytest.mark.parametrize("take", TAKE[:3])
def test_a_restored_link_counts_although_the_response_was_lost_and_the_link_was_deleted_again(
    deployed: dict[str, str], take: Take
) -> None:
    """In one run: the statement is repeated, and refused."""
    world, faulty = faulty_world(deployed)
    ids = world.create(2)
    deletion = world.soft_delete(ids)
    lose_a_response(faulty, meanwhile=lambda: take(world, ids[0]))

    done = bring_back(world, deletion.id)

    assert done.restored_ids == ids
    assert done.refused == []


def test_a_restore_of_erased_links_reads_their_erasures_only_when_it_is_resumed(
    deployed: dict[str, str],
) -> None:
    world, faulty = faulty_world(deployed)
    ids = world.create(3)
    deletion = world.soft_delete(ids)
    world.erase(ids[:2])
    faulty.calls.clear()
    done = bring_back(world, deletion.id)
    assert done.restored_ids == ids[2:]
    assert faulty.calls.count("batch_get_item") == 1


def test_a_link_removed_by_its_retention_after_a_killed_restore_counts_as_restored(
    erasing: Erasing, running_clock: RunningClock
) -> None:
    faulty = FaultyClient(erasing.world.dynamodb)
    world = make_world(erasing.environment, faulty, erasing.world.workspace_id)
    [link_id] = world.create(1)
    deletion = world.soft_delete([link_id])
    kill_from(faulty, 0, operation="batch_execute_statement")
    attempt(bring_back, world, deletion.id)
    faulty.fault = None
    world.soft_delete([link_id], retention_days=1, policies=Policies(retention_days=1).record())
    erasing.cleanup([erasing.expire(link_id)])
    erasing.work_all()

    _resume_all(world, running_clock)

    [record] = restore_stores(world).restores.of_deletion(world.workspace_id, deletion.id, limit=2)
    assert list(record.outcomes) == [RestoreOutcome.RESTORED]


# -- steps ----------------------------------------------------------------------------------------


def _created(deployed: dict[str, str]) -> tuple[str, list[str]]:
    """A new workspace and its links."""
    world = make_world(deployed)
    return world.workspace_id, world.create(LINKS)


def _soft_deleted(world: World, ids: list[str]) -> set[str]:
    """The links that are soft-deleted by now."""
    states = world.stores.links.batches.states(world.workspace_id, ids)
    return {each for each in ids if not states[each].is_live}


def _soft_deletions(world: World) -> list[Deletion]:
    headers, _ = world.stores.deletions.newest(world.workspace_id, limit=20, before=None)
    records = [world.stores.deletions.load(world.workspace_id, each.id) for each in headers]
    return [each for each in records if each is not None and each.mode == "soft"]


def _newest_soft(world: World) -> Deletion | None:
    return next(iter(_soft_deletions(world)), None)


def _resume_all(world: World, clock: RunningClock, *, hours: int = 1) -> None:
    """The schedule's run after the leases have expired."""
    with clock.later(3600 * hours):
        resume_deletions(world)
        resume_restores(world)
