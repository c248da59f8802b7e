"""A deletion's record is written completely or not at all: its header and all of its ids."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from functions.aws import calls
from functions.domain.deletion import Deletion
from functions.domain.idempotency import IdempotencyKey, KeyTaken
from functions.domain.ids import new_link_ids, new_time_ordered_id
from functions.domain.outcomes import Outcome
from functions.repositories import deletion_items
from functions.repositories.deletion_creator import SlotTaken
from functions.repositories.deletions import DeletionsTable
from functions.repositories.filter_slots import FilterSlots
from tests.conftest import World
from tests.support.faults import FaultyClient, attempt, every_fault

KEY = IdempotencyKey("key", "hash of the request")

#: More ids than a header holds, in three chunks.
IDS = 5


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion_items, "INLINE_IDS", 3)
    monkeypatch.setattr(deletion_items, "CHUNK_IDS", 2)
    monkeypatch.setattr(calls, "BACKOFF_BASE", 0.001)


def a_deletion(world: World) -> Deletion:
    return Deletion(
        id=new_time_ordered_id(),
        workspace_id=world.workspace_id,
        mode="soft",
        state="deleting",
        actor={"userId": "tester"},
        created_at="2026-01-01T00:00:00.000Z",
        link_ids=new_link_ids(IDS),
        outcomes=bytearray([Outcome.PENDING]) * IDS,
    )


def parts_of(world: World, deletion: Deletion) -> list[str]:
    """The sort keys of a deletion's items, without its header."""
    items: list[dict[str, Any]] = world.dynamodb.query(
        TableName=world.stores.deletions.name,
        KeyConditionExpression="pk=:parts",
        ExpressionAttributeValues={":parts": {"S": f"{world.workspace_id}#{deletion.id}"}},
        ConsistentRead=True,
    )["Items"]
    return [item["sk"]["S"] for item in items]


CHUNKS = ["CHUNK#00000", "CHUNK#00001", "CHUNK#00002"]


def test_an_accepted_deletion_has_its_ids(world: World) -> None:
    deletion = a_deletion(world)

    world.stores.deletions.accept(deletion, key=KEY)

    assert parts_of(world, deletion) == CHUNKS
    loaded = world.deletion(deletion.id)
    assert loaded.link_ids == deletion.link_ids


def test_a_deletion_that_loses_its_key_leaves_no_ids(world: World) -> None:
    world.stores.deletions.keys.claim(world.workspace_id, KEY, {"deletionId": "another"})
    deletion = a_deletion(world)

    with pytest.raises(KeyTaken):
        world.stores.deletions.accept(deletion, key=KEY)

    assert world.stores.deletions.header(world.workspace_id, deletion.id) is None
    assert parts_of(world, deletion) == []


@pytest.mark.parametrize("key", [None, KEY])
def test_a_deletion_that_loses_its_slot_leaves_no_ids(
    world: World, key: IdempotencyKey | None
) -> None:
    slots = FilterSlots(world.dynamodb, world.stores.deletions.name)
    first, second = a_deletion(world), a_deletion(world)
    claims = [
        slots.claim_action(world.workspace_id, 0, deletion.id) for deletion in (first, second)
    ]
    world.stores.deletions.accept(first, key=None, claims=claims[:1])

    with pytest.raises(SlotTaken) as taken:
        world.stores.deletions.accept(second, key=key, claims=claims[1:])

    assert taken.value.refused == [True]
    assert world.stores.deletions.header(world.workspace_id, second.id) is None
    assert parts_of(world, second) == []
    assert parts_of(world, first) == CHUNKS


def test_a_request_that_fails_at_any_call_leaves_a_whole_record_or_nothing(world: World) -> None:
    seen = set()
    for point in every_fault():
        deletion = a_deletion(world)
        client = FaultyClient(world.dynamodb)
        table = DeletionsTable(client, world.stores.deletions.name)
        with point.strikes(client):
            attempt(table.accept, deletion, key=None)
        header = world.stores.deletions.header(world.workspace_id, deletion.id)
        whole = header is not None
        assert parts_of(world, deletion) == (CHUNKS if whole else []), point
        seen.add(whole)
    assert seen == {True, False}


def resolved(world: World) -> Deletion:
    """An accepted deletion by filter, whose worker has resolved it and not recorded the ids."""
    deletion = a_deletion(world)
    ids, deletion.link_ids = deletion.link_ids, []
    deletion.outcomes, deletion.state = bytearray(), "accepted"
    deletion.lease = deletion.id
    world.stores.deletions.accept(deletion, key=None)
    deletion.link_ids, deletion.outcomes = ids, bytearray([Outcome.PENDING]) * IDS
    return deletion


def test_a_resolved_filter_is_recorded_with_its_ids(world: World) -> None:
    deletion = resolved(world)

    assert world.stores.deletions.record_ids(deletion)

    assert parts_of(world, deletion) == CHUNKS
    loaded = world.deletion(deletion.id)
    assert (loaded.state, loaded.link_ids) == ("deleting", deletion.link_ids)


def test_a_worker_that_lost_its_lease_leaves_no_ids(world: World) -> None:
    deletion, table = resolved(world), world.stores.deletions
    late = replace(deletion)
    assert table.acquire_lease(deletion, seconds=60)

    assert not table.record_ids(late)
    assert parts_of(world, deletion) == []

    deletion.link_ids = deletion.link_ids[:4]
    deletion.outcomes = bytearray([Outcome.PENDING]) * 4
    assert table.record_ids(deletion)
    assert not table.record_ids(late)
    assert parts_of(world, deletion) == CHUNKS[:2]
    assert world.deletion(deletion.id).link_ids == deletion.link_ids


def test_a_worker_that_fails_at_any_call_records_all_ids_or_none(world: World) -> None:
    seen = set()
    for point in every_fault():
        deletion = resolved(world)
        client = FaultyClient(world.dynamodb)
        table = DeletionsTable(client, world.stores.deletions.name)
        with point.strikes(client):
            recorded = attempt(table.record_ids, deletion)
        header = world.stores.deletions.header(world.workspace_id, deletion.id)
        assert header is not None
        whole = header.state == "deleting"
        assert parts_of(world, deletion) == (CHUNKS if whole else []), point
        assert recorded in (whole, None), point
        seen.add(whole)
    assert seen == {True, False}
