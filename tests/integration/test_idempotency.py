"""``Idempotency-Key`` on creates, which have no record, and on deletes by code."""

from __future__ import annotations

import time
from typing import Any

import pytest

from functions.domain.errors import StillRunning
from functions.domain.idempotency import IdempotencyKey, KeyTaken
from functions.handlers import deletions, links
from functions.repositories.create_runs import LEASE_SECONDS, CreateRuns
from functions.repositories.idempotency import IDEMPOTENCY_SECONDS, IdempotencyTable
from tests.conftest import World
from tests.support.api_gateway import reply_to
from tests.support.virtual_time import RunningClock, VirtualClock

NEW = {"originalUrl": "https://example.com/page", "title": "Spring"}


def create(world: World, body: Any, **event: Any) -> tuple[int, Any]:
    headers = {"idempotency-key": "k"}
    return world.call(links, "POST /api/links", body=body, headers=headers, **event)


def test_a_running_request_is_a_conflict_until_its_lease_expires(
    world: World, running_clock: RunningClock
) -> None:
    key = IdempotencyKey("k", "hash")
    runs = CreateRuns(world.dynamodb, world.stores.deletions.name, world.workspace_id, key)
    run = runs.begin("tester")
    assert not run.answered

    with pytest.raises(StillRunning):
        runs.begin("tester")

    running_clock.pass_by(LEASE_SECONDS + 1)
    second = runs.begin("tester")
    assert (second.answered, second.earlier) == (False, (run,))
    # The first run, if it is still running, cannot record a response any more.
    runs.end(run, made_by=run)
    with pytest.raises(StillRunning):
        runs.begin("tester")


def test_a_draw_that_is_carried_out_late_replaces_no_later_one(world: World) -> None:
    """The draws tell which code a killed run has used."""
    key = IdempotencyKey("k", "hash")
    runs = CreateRuns(world.dynamodb, world.stores.deletions.name, world.workspace_id, key)
    run = runs.begin("tester")
    for times in (1, 2, 2):
        runs.save_draw(run, 0, times)

    with pytest.raises(StillRunning):
        runs.save_draw(run, 0, 1)

    record = IdempotencyTable(world.dynamodb, runs.name).find(world.workspace_id, key)
    assert record is not None
    assert record.details["draws"] == {"p0": 2}


def test_two_keys_in_one_request_are_refused(world: World) -> None:
    """Which of them counts could differ between the gateway and a proxy before it."""
    event = world.event("POST /api/links", body=NEW, headers={"idempotency-key": "second"})
    event["multiValueHeaders"] = {"idempotency-key": ["first", "second"]}

    reply = reply_to(links.handler, event)

    assert reply.status == 400
    assert reply.json()["message"] == "Idempotency-Key given more than once"
    assert world.live_ids() == []


def test_a_refused_request_frees_its_key_whose_record_has_a_ttl(world: World) -> None:
    """DynamoDB does not remove an item whose TTL is more than five years in the past."""
    code = world.create_items(1, "ws-somebody-else")[0].short_code
    assert create(world, NEW | {"shortCode": code})[0] == 409

    [record] = [
        item
        for item in world.stored(world.stores.deletions.name)
        if item["pk"]["S"].startswith(f"IDEM#{world.workspace_id}#") and item["sk"]["S"] == "IDEM"
    ]
    assert 0 < time.time() - int(record["ttl"]["N"]) < 86_400
    assert create(world, NEW)[0] == 201


@pytest.mark.parametrize("mode", ["soft", "erase"])
def test_idempotency_keeps_no_data_of_a_deleted_link(world: World, mode: str) -> None:
    _, made = create(world, NEW)
    if mode == "soft":
        world.soft_delete([made["id"]])
    else:
        world.erase_one(made["id"])

    assert create(world, NEW) == (201, made)

    assert world.live_ids() == []
    mine = [
        item
        for table in (world.stores.links.name, world.stores.deletions.name)
        for item in world.stored(table)
        if world.workspace_id in item["pk"]["S"]
    ]
    keys = [str(item) for item in mine if item["pk"]["S"].startswith("IDEM#")]
    assert len(keys) == 2
    others = [str(item) for item in mine if item["pk"]["S"].split("#")[0] not in ("LINK", "CODE")]
    texts = keys if mode == "soft" else others
    assert not any(made["id"] in text or made["shortCode"] in text for text in texts)


def test_a_repeated_delete_by_code_gets_the_same_response(world: World) -> None:
    code = world.create_items()[0].short_code

    def delete(key: str) -> tuple[int, Any]:
        headers = {"idempotency-key": key}
        return world.call(deletions, "DELETE /api/links/{id}", at=code, headers=headers)

    assert delete("k") == (200, {"success": True})
    assert delete("k") == (200, {"success": True})
    assert delete("another")[0] == 404
    # The code may have a new link: the repeated request still is the earlier delete.
    [later] = world.create_items(shortCode=code)
    assert delete("k") == (200, {"success": True})
    assert world.live_ids() == [later.id]


def test_a_key_is_free_from_the_second_in_which_it_is_no_longer_found(
    world: World, virtual_clock: VirtualClock
) -> None:
    keys = IdempotencyTable(world.dynamodb, world.stores.deletions.name)
    first, other = IdempotencyKey("k", "first"), IdempotencyKey("k", "other")
    keys.claim(world.workspace_id, first, {})
    virtual_clock.pass_by(IDEMPOTENCY_SECONDS - 1)
    assert keys.find(world.workspace_id, first) is not None
    with pytest.raises(KeyTaken):
        keys.claim(world.workspace_id, other, {})

    virtual_clock.pass_by(1)
    assert keys.find(world.workspace_id, first) is None
    keys.claim(world.workspace_id, other, {})
    found = keys.find(world.workspace_id, other)
    assert found is not None
    assert found.request_hash == "other"
