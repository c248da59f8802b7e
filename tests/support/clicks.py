"""Clicks as the redirect records them, counted as the stream delivers them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from functions.aws.codec import from_item, to_item
from functions.domain.clock import iso
from functions.domain.ids import new_click_id
from functions.repositories.rollups import RollupsTable
from functions.services.click_aggregation import tally
from tests.conftest import World

NOON = 1_780_000_000  # Some second of 2026.
DAY = iso(NOON)[:10]

SECRET = b"the key of the visitors' hashes"


def rollups(world: World, dynamodb: Any = None) -> RollupsTable:
    return RollupsTable(
        dynamodb or world.dynamodb, clicks=world.clicks.name, links=world.stores.links.name
    )


def click(
    world: World, link_id: str, *, at: float = NOON, store: bool = True, **fields: Any
) -> dict[str, Any]:
    """A recorded click, as the stream shows it."""
    milliseconds = int(at * 1000)
    made = {
        "id": new_click_id(link_id, milliseconds),
        "linkId": link_id,
        "workspaceId": world.workspace_id,
        "clickedAt": iso(milliseconds / 1000),
        "ipAddress": "192.0.2.1",
        "userAgent": "Mozilla/5.0",
        "deviceType": "mobile",
        "platform": "iOS",
        "isBot": False,
    } | fields
    one_partition = world.one_partition(link_id)
    if store:
        world.clicks.put(made, one_partition=one_partition)
    key = world.clicks.key(made, one_partition=one_partition)
    return made | {"pk": key["pk"]["S"], "sk": key["sk"]["S"]}


def records(clicks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "eventName": "INSERT",
            "dynamodb": {"SequenceNumber": str(number), "NewImage": to_item(each)},
        }
        for number, each in enumerate(clicks, 100)
    ]


def deliver(table: RollupsTable, batch: list[dict[str, Any]]) -> list[str]:
    """Count a batch of the stream; the records that failed."""
    return tally(batch, rollups=table, failures=None, visitor_secret=SECRET)


def count(world: World, clicks: Sequence[dict[str, Any]], dynamodb: Any = None) -> list[str]:
    return deliver(rollups(world, dynamodb), records(clicks))


def day(world: World, link_id: str, date: str = DAY) -> dict[str, Any]:
    """The counters of a day, without its key."""
    found = rollups(world).days(link_id, date, date)
    if not found:
        return {}
    return {name: int(v) for name, v in found[0].items() if name not in ("pk", "sk")}


def some_clicks(
    world: World, links: Sequence[str], chance: random.Random, *, count: int, visitors: int
) -> list[dict[str, Any]]:
    """Recorded clicks of these links on two days, in the order of their times."""
    return [
        click(
            world,
            chance.choice(links),
            at=NOON + chance.choice([0, 86_400]) + n / 1000,
            ipAddress=f"10.0.0.{chance.randrange(visitors)}",
            countryCode=chance.choice(["EG", "SA", None]),
        )
        for n in range(count)
    ]


def assert_exact(world: World, clicks: Sequence[dict[str, Any]], context: object = "") -> None:
    """Each of these clicks is counted once, on its day and on its link."""
    for link_id in {each["linkId"] for each in clicks}:
        own = {each["sk"]: each for each in clicks if each["linkId"] == link_id}.values()
        found = world.link(link_id)
        assert found.click_count == len(own), context
        assert found.last_click_at == max(each["clickedAt"] for each in own), context
        for date in {each["clickedAt"][:10] for each in own}:
            that_day = [each for each in own if each["clickedAt"].startswith(date)]
            counted = day(world, link_id, date)
            assert counted["clicks"] == len(that_day), context
            assert counted["visitors"] == len({each["ipAddress"] for each in that_day}), context
            sites = Counter(each.get("countryCode") or "unknown" for each in that_day)
            assert {k: v for k, v in counted.items() if k.startswith("country:")} == {
                f"country:{name}": value for name, value in sites.items()
            }, context


def clicks_of(world: World, link_id: str) -> list[dict[str, Any]]:
    """Every recorded click of a link."""
    found = []
    for pk in (link_id, *(f"{link_id}#{shard}" for shard in range(8))):
        response = world.dynamodb.query(
            TableName=world.clicks.name,
            KeyConditionExpression="pk=:pk AND begins_with(sk,:click)",
            ExpressionAttributeValues={
                ":pk": {"S": pk},
                ":click": {"S": "CLICK#"},
            },
            ConsistentRead=True,
        )
        found += [from_item(item) for item in response["Items"]]
    return found
