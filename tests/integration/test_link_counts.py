"""How many live links a workspace may have, counted by creates and by the stream."""

from __future__ import annotations

import uuid
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import create_autospec

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from functions.api import caller
from functions.aws.codec import to_item
from functions.domain.clock import deadline
from functions.domain.errors import InvalidRequest, ShortCodeTaken, Unavailable
from functions.domain.plans import Plan
from functions.handlers import links
from functions.repositories.link_counts import QUIET_SECONDS, RECOUNT_SECONDS, LinkCounts, Quota
from functions.repositories.live_index import LiveIndex
from functions.schemas.links import NewLink
from functions.services import create_links as procedure
from functions.services.link_stream import clean_up
from tests.conftest import World
from tests.support.erasure import Erasing
from tests.support.faults import RETRYABLE, Call, FaultyClient, faulty_world
from tests.support.interleaving import at_once, interleave
from tests.support.restores import bring_back
from tests.support.virtual_time import VirtualClock


@pytest.fixture
def counts(world: World) -> LinkCounts:
    return LinkCounts(world.dynamodb, world.stores.links.name)


def quota(world: World, counts: LinkCounts, limit: int) -> Quota:
    return Quota(counts, world.workspace_id, limit, "free")


def create(world: World, counts: LinkCounts, number: int, *, limit: int, **fields: Any) -> Any:
    new = [NewLink(originalUrl="https://example.com/", **fields) for _ in range(number)]
    return world.create_new(new, quota=quota(world, counts, limit))


def counted(world: World) -> int | None:
    key = {"pk": {"S": f"COUNT#{world.workspace_id}"}, "sk": {"S": "COUNT"}}
    item = world.dynamodb.get_item(
        TableName=world.stores.links.name, Key=key, ConsistentRead=True
    ).get("Item")
    return int(item["links"]["N"]) if item else None


# -- creates ----------------------------------------------------------------------------------


def test_a_workspace_can_have_exactly_its_limit(world: World, counts: LinkCounts) -> None:
    create(world, counts, 3, limit=5)
    create(world, counts, 2, limit=5)
    assert counted(world) == 5
    with pytest.raises(InvalidRequest) as refused:
        create(world, counts, 1, limit=5)
    assert refused.value.message == "A workspace can have at most 5 links under the free plan"
    assert refused.value.members == {"limit": 5}
    assert counted(world) == 5
    assert len(world.live_ids()) == 5


def test_a_create_that_does_not_fit_as_a_whole_creates_nothing(
    world: World, counts: LinkCounts
) -> None:
    create(world, counts, 3, limit=5)
    with pytest.raises(InvalidRequest):
        create(world, counts, 3, limit=5)
    assert (counted(world), len(world.live_ids())) == (3, 3)


def test_links_older_than_the_counter_count(world: World, counts: LinkCounts) -> None:
    world.create(4)
    with pytest.raises(InvalidRequest):
        create(world, counts, 2, limit=5)
    create(world, counts, 1, limit=5)
    assert counted(world) == 5


def test_parallel_creates_never_exceed_the_limit(world: World, counts: LinkCounts) -> None:
    results = at_once([partial(create, world, counts, 2, limit=7)] * 8)
    assert sum(isinstance(each, list) for each in results) == 3
    assert sum(isinstance(each, InvalidRequest) for each in results) == 5
    assert (counted(world), len(world.live_ids())) == (6, 6)


@pytest.mark.parametrize("at", ["code", "outage"])
def test_the_counter_is_reduced_when_a_create_fails(
    world: World, counts: LinkCounts, erasing: Erasing, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    monkeypatch.setattr(procedure, "LINKS_A_TRANSACTION", 2)
    real = procedure._create_group
    failure: Exception = ShortCodeTaken(["some"]) if at == "code" else Unavailable()

    def one_group_fails(items: Any, start: int, *more: Any, **rest: Any) -> Exception | None:
        return failure if items[start].title == "third" else real(items, start, *more, **rest)

    monkeypatch.setattr(procedure, "_create_group", one_group_fails)
    new = [
        NewLink(originalUrl="https://example.com/", title=title)
        for title in ("first", "second", "third", "fourth", "fifth")
    ]
    images: list[dict[str, Any]] = []
    real_erase = world.stores.links.erasures.apply

    def erase(actions: Any, **more: Any) -> None:
        keys = [each["Delete"]["Key"] for each in actions if "Delete" in each]
        for key in keys:
            if key["sk"] == {"S": "LINK"}:
                found = world.dynamodb.get_item(TableName=world.stores.links.name, Key=key)
                images.append(found["Item"])
        real_erase(actions, **more)

    monkeypatch.setattr(world.stores.links.erasures, "apply", erase)
    with pytest.raises(type(failure)):
        world.create_new(new, quota=quota(world, counts, 5))
    assert len(images) == 3
    # The stream subtracts the three that existed.
    assert counted(world) == 3
    records = [removed(image, number) for number, image in enumerate(images)]
    assert clean_up(records, stores=erasing.cleanup_stores()) == []
    assert counted(world) == 0


@pytest.mark.parametrize("last", ["timeout", "in progress"])
def test_links_that_a_late_call_creates_are_counted(
    deployed: dict[str, str], virtual_clock: VirtualClock, last: str
) -> None:
    """A call whose response did not come may be carried out after the rollback."""
    world, faulty = faulty_world(deployed)
    late: list[Call] = []
    timeout = ReadTimeoutError(endpoint_url="http://emulator")
    busy: Any = {
        "Error": {"Code": "TransactionInProgressException", "Message": ""},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    errors = {"timeout": timeout, "in progress": ClientError(busy, "TransactWriteItems")}

    def hold(operation: str, call: Call, _parameters: dict[str, Any]) -> Any:
        if operation != "transact_write_items":
            return call()
        late.append(call)
        raise errors["timeout" if len(late) == 1 else last]

    faulty.fault, faulty.every = hold, True
    counts = LinkCounts(faulty, world.stores.links.name)
    with deadline(1), pytest.raises(Unavailable):
        create(world, counts, 2, limit=5)
    late[0]()

    assert counted(world) == len(world.live_ids()) == 2


def test_the_plan_limits_links_over_http(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan("free", 100, 100, links_per_workspace=2, links_per_create=2)
    monkeypatch.setattr(caller, "plans", lambda: {"free": plan})

    def post(body: Any, key: str | None = None) -> tuple[int, Any]:
        return world.call(links, "POST /api/links", body=body, plan="free", key=key)

    one = {"originalUrl": "https://example.com/"}
    assert post([one] * 3) == (
        400,
        {
            "statusCode": 400,
            "error": "Bad Request",
            "message": "At most 2 links in one request",
            "limit": 2,
        },
    )
    assert post(one, key="again")[0] == 201
    # A repetition creates nothing and counts nothing.
    assert post(one, key="again")[0] == 201
    assert counted(world) == 1
    assert post(one)[0] == 201
    assert post(one) == (
        400,
        {
            "statusCode": 400,
            "error": "Bad Request",
            "message": "A workspace can have at most 2 links under the free plan",
            "limit": 2,
        },
    )


# -- the stream -------------------------------------------------------------------------------


def removed(image: dict[str, Any], number: int) -> dict[str, Any]:
    keys = {"pk": image["pk"], "sk": image["sk"]}
    return {
        "eventName": "REMOVE",
        "dynamodb": {"Keys": keys, "OldImage": image, "SequenceNumber": str(number)},
    }


def test_soft_deletes_restores_and_erasures_are_counted_once(
    world: World, counts: LinkCounts, erasing: Erasing
) -> None:
    ids = [link.id for link in create(world, counts, 6, limit=6)]
    stores = erasing.cleanup_stores()

    deletion, records = erasing.soft_delete(ids[:4])
    assert clean_up(records, stores=stores) == []
    assert counted(world) == 2

    before = {link_id: erasing.image_of(link_id) for link_id in ids[:2]}
    bring_back(world, deletion.id, ids[:2])
    records = [
        erasing.record("MODIFY", link_id, old, erasing.image_of(link_id))
        for link_id, old in before.items()
    ]
    assert clean_up(records, stores=stores) == []
    assert counted(world) == 4

    # Two that are live, and two that were soft-deleted and counted then.
    _, records = erasing.erase([ids[0], ids[4], ids[2], ids[3]])
    assert clean_up(records, stores=stores) == []
    assert counted(world) == len(world.live_ids()) == 2
    create(world, counts, 4, limit=6)


class Counting:
    """Counters that keep what they are told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def add(self, workspace_id: str, links: int) -> None:
        self.calls.append((workspace_id, links))


def test_a_batch_costs_one_write_for_each_workspace(world: World, erasing: Erasing) -> None:
    counting = Counting()
    records = [removed(live_image(f"ws-{n % 2}", n), n) for n in range(100)]
    assert clean_up(records, stores=_with(erasing, counting)) == []
    assert sorted(counting.calls) == [("ws-0", -50), ("ws-1", -50)]


def test_a_retried_batch_is_counted_once(world: World, erasing: Erasing) -> None:
    counting = Counting()
    real = erasing.queue.send

    def send(message: dict[str, Any], **more: Any) -> None:
        if any(link["id"].endswith("5") for link in message["links"]):
            raise Unavailable
        real(message, **more)

    erasing.queue.send = send
    records = [removed(live_image("ws", n), n) for n in range(10)]
    assert clean_up(records, stores=_with(erasing, counting)) == ["5"]
    assert counting.calls == [("ws", -5)]


def test_a_replay_that_is_repeated_leaves_no_room_for_too_many_links(
    world: World, erasing: Erasing
) -> None:
    """The object of a replay stays in the bucket if its removal fails, and is replayed again."""
    counting = Counting()
    link_id = str(uuid.uuid4())
    live = live_image("ws", 1)
    deleted = {name: value for name, value in live.items() if not name.startswith("live")} | {
        "deletedAt": {"S": "2026-01-01T00:00:00.000Z"},
        "deletionId": {"S": link_id},
    }
    keys = {"pk": live["pk"], "sk": live["sk"]}
    restored = {
        "eventName": "MODIFY",
        "dynamodb": {"Keys": keys, "OldImage": deleted, "NewImage": live, "SequenceNumber": "2"},
    }
    stores = replace(_with(erasing, counting), failures=None)

    for _ in range(2):
        assert clean_up([removed(live, 1), restored], stores=stores) == []

    assert counting.calls == [("ws", 1)] * 2


def test_a_failed_counter_write_blocks_nothing(world: World, erasing: Erasing) -> None:
    class Down:
        def add(self, workspace_id: str, links: int) -> None:
            raise Unavailable

    records = [removed(live_image("ws", 1), 1)]
    assert clean_up(records, stores=_with(erasing, Down())) == []
    assert len(erasing.messages) == 1


@pytest.mark.parametrize("fault", ["applied, then timeout", "applied, then reset"])
def test_links_are_not_subtracted_twice_when_a_response_is_lost(
    world: World, counts: LinkCounts, fault: str
) -> None:
    create(world, counts, 5, limit=5)
    faulty = FaultyClient(world.dynamodb, RETRYABLE[fault], at=0)
    with pytest.raises(Unavailable):
        LinkCounts(faulty, world.stores.links.name).add(world.workspace_id, -2)
    assert counted(world) == 3


@pytest.mark.parametrize("fault", ["throttled", "request limit"])
def test_links_are_subtracted_after_a_refusal(world: World, counts: LinkCounts, fault: str) -> None:
    create(world, counts, 5, limit=5)
    faulty = FaultyClient(world.dynamodb, RETRYABLE[fault], at=0)
    LinkCounts(faulty, world.stores.links.name).add(world.workspace_id, -2)
    assert counted(world) == 3


def test_restored_links_are_added_although_a_response_was_lost(
    world: World, counts: LinkCounts
) -> None:
    """Twice, perhaps: too high is corrected at the limit."""
    create(world, counts, 1, limit=5)
    faulty = FaultyClient(world.dynamodb, RETRYABLE["internal error"], at=0)
    LinkCounts(faulty, world.stores.links.name).add(world.workspace_id, 2)
    assert counted(world) == 3


def live_image(workspace_id: str, number: int) -> dict[str, Any]:
    link_id = str(uuid.UUID(int=number))
    return to_item(
        {
            "pk": f"{workspace_id}#{link_id}",
            "sk": "LINK",
            "id": link_id,
            "shortCode": f"code{number}",
            "livePk": f"{workspace_id}#0",
        }
    )


def _with(erasing: Erasing, counting: Any) -> Any:
    return replace(erasing.cleanup_stores(), counts=counting)


# -- repair -----------------------------------------------------------------------------------


def test_a_counter_that_is_too_high_is_corrected_at_the_limit(
    world: World, counts: LinkCounts, virtual_clock: VirtualClock
) -> None:
    create(world, counts, 2, limit=5)
    # A worker was killed between counting and creating.
    counts.add(world.workspace_id, 3)

    virtual_clock.pass_by(RECOUNT_SECONDS - 1)
    with pytest.raises(InvalidRequest):
        create(world, counts, 1, limit=5)
    virtual_clock.pass_by(1)
    create(world, counts, 1, limit=5)
    assert counted(world) == 3


def test_a_recently_changed_counter_is_not_corrected(
    world: World, counts: LinkCounts, virtual_clock: VirtualClock
) -> None:
    create(world, counts, 2, limit=5)
    virtual_clock.pass_by(RECOUNT_SECONDS)
    counts.add(world.workspace_id, 3)
    virtual_clock.pass_by(QUIET_SECONDS - 1)
    with pytest.raises(InvalidRequest):
        create(world, counts, 1, limit=5)
    assert counted(world) == 5


def test_a_full_workspace_is_recounted_once_an_hour_at_most(
    world: World, counts: LinkCounts, virtual_clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(world, counts, 2, limit=2)
    recount = create_autospec(LiveIndex.count, side_effect=LiveIndex.count)
    monkeypatch.setattr(LiveIndex, "count", recount)
    virtual_clock.pass_by(RECOUNT_SECONDS)
    for _ in range(5):
        with pytest.raises(InvalidRequest):
            create(world, counts, 1, limit=2)
    assert recount.call_count == 1


def test_a_recount_overtaken_by_a_create_changes_nothing(
    world: World, counts: LinkCounts, virtual_clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(world, counts, 2, limit=5)
    counts.add(world.workspace_id, 2)
    virtual_clock.pass_by(RECOUNT_SECONDS)
    interleave(monkeypatch, LiveIndex, "count", after=lambda: create(world, counts, 1, limit=5))
    with pytest.raises(InvalidRequest):
        create(world, counts, 2, limit=5)
    assert counted(world) == 5


def test_deletes_do_not_write_the_counter(
    world: World, counts: LinkCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [link.id for link in create(world, counts, 4, limit=6)]
    monkeypatch.setattr(LinkCounts, "_add", lambda *_, **__: pytest.fail("counted"))
    world.soft_delete(ids[:2])
    world.erase(ids[2:])
    assert counted(world) == 4
