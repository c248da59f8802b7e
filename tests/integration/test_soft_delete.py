"""Soft-deleting many links: all or nothing, in request order, exactly once."""

from __future__ import annotations

import uuid
from collections import Counter

import pytest

from functions.aws import client as aws
from functions.domain.deletion import Deletion
from functions.domain.errors import InvalidIds
from functions.domain.outcomes import Outcome
from functions.repositories.deletion_items import INLINE_IDS
from functions.repositories.links import LinksTable
from functions.services.run_deletion import resume
from tests.conftest import World, make_world
from tests.support.faults import FaultyClient, drop_error_items, out_of_time_after_accept
from tests.support.restores import bring_back
from tests.support.virtual_time import VirtualClock


def test_deleted_links_leave_the_index_and_keep_their_record(world: World) -> None:
    first, second, kept = world.create(3)

    deletion = world.soft_delete([second, first])

    assert deletion.ids_with(Outcome.DELETED) == [second, first]
    assert deletion.state == "complete"
    assert not world.live(first)
    assert world.exists(first)
    assert world.live_ids() == [kept]


def test_many_links_take_the_chunked_record_and_keep_their_order(world: World) -> None:
    ids = world.create(INLINE_IDS + 1)[::-1]

    deletion = world.soft_delete(ids)

    loaded = world.deletion(deletion.id)
    assert loaded.id_chunks == 1
    assert loaded.link_ids == ids
    assert loaded.ids_with(Outcome.DELETED) == ids == deletion.ids_with(Outcome.DELETED)
    assert world.live_ids() == []


@pytest.mark.exhaustive
def test_ten_thousand_links_are_deleted_in_request_order(
    world: World, deployed: dict[str, str], virtual_clock: VirtualClock
) -> None:
    """In one run without a requeue, with the minimum number of requests."""
    ids = [link_id for _ in range(10) for link_id in world.create(1000)][::-1]
    # Long waits for a busy machine: a call that is sent twice would be counted twice.
    counting = FaultyClient(aws.client("dynamodb", read_timeout=120))

    deletion = make_world(deployed, counting, world.workspace_id).soft_delete(ids)

    assert deletion.state == "complete"
    assert deletion.ids_with(Outcome.DELETED) == ids
    assert world.live_ids() == []
    assert Counter(counting.calls) == {
        "batch_get_item": 100,
        "batch_execute_statement": 400,
        # The header with four chunks of ids; the close.
        "transact_write_items": 1,
        "update_item": 1,
    }
    # No statement was sent a second time, and none waited for another.
    assert virtual_clock.passed == 0


@pytest.mark.parametrize("case", ["unknown", "foreign", "deleted"])
def test_one_unknown_id_rejects_all(world: World, case: str) -> None:
    ids = world.create(2)
    [bad] = world.create(1, workspace_id="ws-somebody-else" if case == "foreign" else None)
    if case == "unknown":
        bad = str(uuid.uuid4())
    elif case == "deleted":
        world.soft_delete([bad])

    with pytest.raises(InvalidIds) as refused:
        world.soft_delete([*ids, bad])

    assert refused.value.members == {"unknownIds": [bad], "unknownCount": 1}
    assert all(world.live(link_id) for link_id in ids)


def test_a_malformed_id_rejects_all(world: World) -> None:
    ids = world.create(2)

    with pytest.raises(InvalidIds) as refused:
        world.soft_delete(ids, invalid=["nonsense"])

    assert refused.value.members == {"invalidIds": ["nonsense"], "invalidCount": 1}
    assert all(world.live(link_id) for link_id in ids)


def test_links_left_at_the_deadline_are_finished_in_the_background(world: World) -> None:
    ids = world.create(60)

    with out_of_time_after_accept(world):
        deletion = world.soft_delete(ids)

    assert deletion.open
    assert deletion.ids_with(Outcome.PENDING) == ids
    [message] = world.queue.messages
    assert message == {"workspaceId": world.workspace_id, "deletionId": deletion.id}

    finished = world.resume(deletion.id)

    assert finished.state == "complete"
    assert finished.ids_with(Outcome.DELETED) == ids
    assert world.live_ids() == []
    assert resume(world.workspace_id, deletion.id, stores=world.stores) is None


def test_a_worker_with_an_outdated_record_does_not_take_the_lease(world: World) -> None:
    ids = world.create(2)
    with out_of_time_after_accept(world):
        deletion = world.soft_delete(ids)
    table = world.stores.deletions

    def take(found: Deletion) -> bool:
        return table.acquire_lease(found, seconds=60)

    early, other = world.deletion(deletion.id), world.deletion(deletion.id)
    assert take(other)
    assert not take(early)
    # The requeued record differs from the one that was read.
    between = world.deletion(deletion.id)
    assert table.save_progress(other, lease_seconds=0)
    assert not take(early)
    assert not take(between)
    assert take(world.deletion(deletion.id))


@pytest.mark.parametrize("items", [True, False])
def test_a_refused_statement_is_explained_with_and_without_its_item(
    world: World, items: bool
) -> None:
    """AWS may leave ``Error.Item`` out although ALL_OLD was asked for."""
    if not items:
        drop_error_items(world.dynamodb)
    own, others, restored, fresh = world.create(4)
    gone = str(uuid.uuid4())
    first = world.soft_delete([own])
    world.soft_delete([others])
    bring_back(world, world.soft_delete([restored]).id)

    outcomes = world.stores.links.batches.mark_deleted(
        world.workspace_id,
        [own, others, restored, fresh, gone],
        deletion_id=first.id,
        deleted_at=first.created_at,
        ttl=None,
    )

    assert list(outcomes) == [
        Outcome.DELETED,
        Outcome.FAILED,
        Outcome.RESTORED,
        Outcome.DELETED,
        Outcome.NOT_FOUND,
    ]


def test_refused_statements_are_explained_by_one_read_per_hundred_links(world: World) -> None:
    drop_error_items(world.dynamodb)
    ids = world.create(120)
    first = world.soft_delete(ids)
    counting = FaultyClient(world.dynamodb)
    links = LinksTable(counting, world.stores.links.name)

    outcomes = links.batches.mark_deleted(
        world.workspace_id,
        ids,
        deletion_id=first.id,
        deleted_at=first.created_at,
        ttl=None,
    )

    assert set(outcomes) == {Outcome.DELETED}
    assert counting.calls.count("batch_execute_statement") == 5
    assert counting.calls.count("batch_get_item") == 2
