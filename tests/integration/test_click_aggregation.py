"""Clicks are counted exactly once, even if the stream repeats or reorders records or calls fail."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from functions.aws.codec import to_item
from functions.domain.clock import deadline, iso
from functions.handlers import click_stream as tally_function
from functions.repositories.failed_records import FailuresBucket
from functions.repositories.rollups import (
    FIRST_VISITS,
    MAX_OPERATORS,
    MAX_VALUES,
)
from functions.repositories.visitors import visitor_of
from functions.services import click_aggregation as procedure
from functions.services.analytics import analytics
from functions.services.click_aggregation import tally
from tests.conftest import World
from tests.support.api_gateway import Context
from tests.support.clicks import (
    DAY,
    NOON,
    SECRET,
    assert_exact,
    click,
    count,
    day,
    deliver,
    records,
    rollups,
    some_clicks,
)
from tests.support.erasure import FakeS3
from tests.support.interleaving import interleave
from tests.support.virtual_time import VirtualClock


def referrers(world: World, link_id: str) -> dict[str, int]:
    """The clicks by referrer of the day, as analytics answers them."""
    response = analytics(
        link_id,
        days=1,
        today=dt.date.fromisoformat(DAY),
        rollups=rollups(world),
    )
    return {each["referrer"]: each["clicks"] for each in response["clicksByReferrer"]}


def test_a_day_counts_clicks_visitors_and_values_and_the_link_follows(world: World) -> None:
    [link_id] = world.create()
    clicks = [
        click(world, link_id, countryCode="EG", city="Cairo", referrer="https://t.co/x?y"),
        click(world, link_id, at=NOON + 5, countryCode="EG", ipAddress="192.0.2.2"),
        click(world, link_id, at=NOON + 3, platform="Android", timezone="Africa/Cairo"),
        click(world, link_id, at=NOON + 86_400),
    ]

    assert count(world, clicks) == []

    assert day(world, link_id) == {
        "clicks": 3,
        "visitors": 2,
        "country:EG": 2,
        "country:unknown": 1,
        "region:unknown": 3,
        "city:Cairo": 1,
        "city:unknown": 2,
        "timezone:Africa/Cairo": 1,
        "timezone:unknown": 2,
        "device:mobile": 3,
        "platform:iOS": 2,
        "platform:Android": 1,
        "referrer:t.co": 1,
        "referrer:direct": 2,
    }
    assert day(world, link_id, iso(NOON + 86_400)[:10])["clicks"] == 1
    found = world.link(link_id)
    assert (found.click_count, found.last_click_at) == (4, iso(NOON + 86_400))


def test_a_click_written_again_after_counting_counts_once(world: World) -> None:
    [link_id] = world.create()
    made = click(world, link_id)

    count(world, [made])
    # The redirect's first call was applied, its response lost, and the stream was faster.
    world.clicks.put(made, one_partition=True)
    count(world, [made])

    assert world.link(link_id).click_count == day(world, link_id)["clicks"] == 1


def test_a_later_click_counted_between_read_and_write_stays_the_last(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link_id] = world.create()
    later = click(world, link_id, at=NOON + 9)
    table = rollups(world)
    interleave(monkeypatch, table, "before", after=lambda: count(world, [later]))
    earlier = records([click(world, link_id, at=NOON + 1)])
    assert deliver(table, earlier) == []

    assert world.link(link_id).last_click_at == iso(NOON + 9)
    assert world.link(link_id).click_count == 2
    assert day(world, link_id)["visitors"] == 1


def test_bots_are_not_counted(world: World) -> None:
    [link_id] = world.create()

    count(world, [click(world, link_id, isBot=True), click(world, link_id, at=NOON + 1)])

    assert world.link(link_id).click_count == day(world, link_id)["clicks"] == 1


def test_clicks_of_a_soft_deleted_link_still_count_and_leave_it_deleted(world: World) -> None:
    [link_id] = world.create()
    late = click(world, link_id)
    world.soft_delete([link_id])

    count(world, [late])

    assert day(world, link_id)["clicks"] == 1
    assert not world.live(link_id)
    assert world.live_ids() == []


@pytest.mark.parametrize("moment", ["before the count", "between read and write"])
def test_nothing_is_written_for_an_erased_link(
    world: World, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link_id] = world.create()
    made = click(world, link_id)
    table = rollups(world)

    if moment == "before the count":
        world.erase_one(link_id)
    else:
        interleave(monkeypatch, table, "before", after=lambda: world.erase_one(link_id))

    assert deliver(table, records([made])) == []

    assert not world.exists(link_id)
    assert day(world, link_id) == {}
    for partition in [link_id, *(f"{link_id}#{shard}" for shard in range(8))]:
        items = world.dynamodb.query(
            TableName=world.clicks.name,
            KeyConditionExpression="pk=:pk",
            ExpressionAttributeValues={":pk": {"S": partition}},
        )["Items"]
        assert [item["sk"]["S"] for item in items if item["sk"]["S"] != made["sk"]] == []


def test_a_click_that_expired_before_its_count_is_counted_and_stays_removed(
    world: World,
) -> None:
    [link_id] = world.create()

    count(world, [click(world, link_id, store=False), click(world, link_id, at=NOON + 1)])

    assert world.link(link_id).click_count == 2
    items = world.stored(world.clicks.name)
    assert [item.get("linkId") for item in items].count({"S": link_id}) == 1


def test_invented_values_do_not_grow_a_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procedure, "MAX_VALUES", 5)
    [link_id] = world.create()

    for start in (0, 4):
        count(
            world,
            [
                click(world, link_id, at=NOON + n, referrer=f"https://site-{n}.example/")
                for n in range(start, start + 4)
            ],
        )

    counters = referrers(world, link_id)
    assert len(counters) == 6
    assert counters["other"] == 3
    assert sum(counters.values()) == 8
    stored = [name for name in day(world, link_id) if name.startswith("referrer:")]
    assert len(stored) == 5


def test_the_most_frequent_values_of_a_day_push_invented_ones_out(world: World) -> None:
    [link_id] = world.create()
    invented = [
        click(world, link_id, at=NOON + n / 1000, referrer=f"https://site-{n}.example/")
        for n in range(130)
    ]
    real = [
        click(world, link_id, at=NOON + 1 + n / 1000, referrer="https://news.example/")
        for n in range(30)
    ]

    count(world, invented)
    count(world, real)
    count(world, invented + real)

    counters = referrers(world, link_id)
    # The floor is at most 160 clicks / 100 counters, and the site entered after it.
    assert counters["news.example"] == 30
    assert sum(counters.values()) == 160
    stored = [name for name in day(world, link_id) if name.startswith("referrer:")]
    assert len(stored) == MAX_VALUES


def test_a_batch_with_too_many_new_values_for_one_update_is_counted_in_parts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procedure, "MAX_VALUES", 40)
    [link_id] = world.create()
    sizes: list[int] = []
    mine = rollups(world)
    real = mine.count_clicks

    def counted(*args: Any, **keywords: Any) -> Any:
        sizes.append(keywords["change"].operators)
        return real(*args, **keywords)

    monkeypatch.setattr(mine, "count_clicks", counted)

    def invented(batch: int) -> list[dict[str, Any]]:
        return [
            click(
                world,
                link_id,
                at=NOON + batch + n / 1000,
                ipAddress=f"10.0.{batch}.{n}",
                referrer=f"https://{batch}-{n}.example/",
                countryCode=f"country-{batch}-{n}",
                region=f"region-{batch}-{n}",
                city=f"city-{batch}-{n}",
                timezone=f"timezone-{batch}-{n}",
            )
            for n in range(40)
        ]

    for batch in range(3):
        batch_records = records(invented(batch))
        assert deliver(mine, batch_records) == []

    assert max(sizes) <= MAX_OPERATORS + 1
    assert len(sizes) > 3
    found = day(world, link_id)
    assert (found["clicks"], found["visitors"]) == (120, 120)
    for dimension in ("country", "region", "city", "timezone", "referrer"):
        assert len([name for name in found if name.startswith(f"{dimension}:")]) == 40


def test_a_floor_raised_by_another_writer_is_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procedure, "MAX_VALUES", 2)
    [link_id] = world.create()
    count(
        world,
        [click(world, link_id, at=NOON + n, referrer=f"https://{n}.example/") for n in range(2)],
    )
    theirs = [
        click(world, link_id, at=NOON + 5 + n, referrer="https://theirs.example/") for n in range(5)
    ]
    own = [
        click(world, link_id, at=NOON + 20 + n, referrer="https://own.example/") for n in range(2)
    ]
    mine = rollups(world)
    real = mine.before
    looks: list[int] = []

    def read_then_count(*args: Any, **keywords: Any) -> Any:
        found = real(*args, **keywords)
        looks.append(len(looks))
        if len(looks) == 1:
            count(world, theirs)
        return found

    monkeypatch.setattr(mine, "before", read_then_count)
    left = deliver(mine, records(own))
    assert left == []

    assert len(looks) == 2
    counters = referrers(world, link_id)
    assert counters == {"theirs.example": 5, "own.example": 2, "other": 2}
    assert day(world, link_id)["clicks"] == 9


def test_a_removal_is_not_counted(world: World) -> None:
    [link_id] = world.create()
    kept, expired = click(world, link_id), click(world, link_id, at=NOON + 1)
    batch = records([kept])
    count(world, [kept, expired])
    # A TTL's removal, with and without an image.
    for image in ({"OldImage": to_item(expired)}, {"NewImage": to_item(expired)}, {}):
        batch.append({"eventName": "REMOVE", "dynamodb": {"SequenceNumber": "200"} | image})
        world.dynamodb.delete_item(TableName=world.clicks.name, Key=world.clicks.key(expired))

    failed = deliver(rollups(world), batch)
    assert failed == []

    assert world.link(link_id).click_count == day(world, link_id)["clicks"] == 2


def test_a_visitor_is_a_keyed_hash(world: World) -> None:
    [link_id] = world.create()
    made = click(world, link_id)
    hashes = {visitor_of(made, secret=key) for key in (SECRET, b"another key")}
    assert len(hashes) == 2
    parts = f"{link_id}\0{DAY}\x00192.0.2.1\0Mozilla/5.0".encode()
    expected = hmac.new(SECRET, parts, hashlib.sha256).hexdigest()[:32]

    def visits() -> list[str]:
        return [
            item["sk"]["S"]
            for item in world.stored(world.clicks.name)
            if item["pk"]["S"].startswith(link_id) and item["sk"]["S"].startswith("VISIT#")
        ]

    # The first visitors of a day leave no hash at all.
    for n in range(FIRST_VISITS):
        count(world, [click(world, link_id, at=NOON - 9 + n, ipAddress=f"10.0.0.{n}")])
    assert visits() == []
    count(world, [made])

    [visit] = visits()
    assert visit == f"VISIT#{DAY}#{expected}"
    assert hashlib.sha256(parts).hexdigest()[:32] not in visit
    stored = [item for item in world.stored(world.clicks.name) if item["pk"]["S"] == link_id]
    assert all(hashlib.sha256(parts).hexdigest()[:32] not in str(item) for item in stored)
    assert all(expected not in str(item) for item in stored)


def test_an_unparsable_record_fails_alone(world: World) -> None:
    [link_id] = world.create()
    batch = records([click(world, link_id), click(world, link_id, at=NOON + 1)])
    batch.insert(1, {"dynamodb": {"SequenceNumber": "7", "NewImage": {"pk": {"S": "x"}}}})

    # A replayed record that fails again stays in the bucket.
    assert deliver(rollups(world), batch) == ["7"]

    assert world.link(link_id).click_count == 2


@pytest.mark.parametrize(
    "wrong", [{"pk": "x"}, {"clickedAt": "yesterday"}, {"clickedAt": 5}, {"workspaceId": ""}]
)
def test_an_unparsable_record_is_dead_lettered_and_blocks_no_other(
    world: World, wrong: dict[str, Any]
) -> None:
    [link_id] = world.create()
    made = click(world, link_id)
    batch = records([{"pk": "x"} if "pk" in wrong else made | wrong, made])
    s3 = FakeS3()
    aside = FailuresBucket(s3, "failures", function="arn:tally:live")

    failed = tally(batch, rollups=rollups(world), failures=aside, visitor_secret=SECRET)
    assert failed == []

    assert world.link(link_id).click_count == 1
    [kept] = map(json.loads, s3.objects.values())
    assert kept["payload"]["Records"] == [batch[0]]


def test_the_function_returns_the_first_failed_record(world: World) -> None:
    batch = records([click(world, world.create()[0])])
    for number in ("1000", "999"):
        batch.append({"dynamodb": {"SequenceNumber": number, "NewImage": {}}})

    response = tally_function.handler({"Records": batch, "replayed": True}, Context(30))

    assert response == {"batchItemFailures": [{"itemIdentifier": "999"}]}


class Unreliable:
    """A client whose writes sometimes fail, or are applied without a response."""

    def __init__(self, dynamodb: Any, seed: int) -> None:
        self._dynamodb = dynamodb
        self._random = random.Random(seed)

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._dynamodb, name)
        if name in ("batch_get_item", "query"):
            return real

        def write(**parameters: Any) -> Any:
            luck = self._random.random()
            if luck < 0.2:
                raise ClientError({"Error": {"Code": "ThrottlingException"}}, name)
            response = real(**parameters)
            if luck < 0.5:
                raise EndpointConnectionError(endpoint_url="lost")
            return response

        return write


def test_a_late_count_does_not_replace_a_later_click(world: World) -> None:
    """Two counts of days that the link includes already: both only set its last click."""
    [link_id] = world.create(1)
    deliver(rollups(world), records([click(world, link_id)]))
    totals = rollups(world).totals
    link = world.link(link_id)
    days = {DAY: (1, 0)}

    assert totals.advance(world.workspace_id, link, days, last_click_at=iso(NOON + 9))
    # This one still has the link as it was before.
    assert totals.advance(world.workspace_id, link, days, last_click_at=iso(NOON + 5))

    found = world.link(link_id)
    assert (found.click_count, found.last_click_at) == (1, iso(NOON + 9))


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_exact_under_redelivery_reordering_and_lost_responses(
    world: World, seed: int, monkeypatch: pytest.MonkeyPatch, virtual_clock: VirtualClock
) -> None:
    # So that days of this size go through all that long ones do.
    monkeypatch.setattr(procedure, "CLICKS_A_WRITE", 7)
    monkeypatch.setattr(procedure, "LISTED_CLICKS", 3)
    chance = random.Random(seed)
    links = world.create(3)
    clicks = some_clicks(world, links, chance, count=150, visitors=9)
    batches = []
    for start in range(0, len(clicks), 25):
        batch = clicks[start : start + 25] + chance.sample(clicks, 12)
        chance.shuffle(batch)
        batches.append(batch)

    def deliver_batch(number: int) -> None:
        left = batches[number]
        mine = rollups(world, Unreliable(world.dynamodb, seed * 100 + number))
        for _ in range(500):
            # Short of time, so that some writes are given up after they applied.
            with deadline(1):
                failed = deliver(mine, records(left))
            if not failed:
                return
            left = left[int(failed[0]) - 100 :]
        raise AssertionError("never counted")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(deliver_batch, range(len(batches))))

    assert_exact(world, clicks)
