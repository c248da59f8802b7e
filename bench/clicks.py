"""What counting a click costs: the real count against an emulator, capacity by DynamoDB's rules.

MiniStack's own capacity figures leave out reads in batches, so items are measured where the SDK
receives and sends them.
"""

from __future__ import annotations

import math
import random
import threading
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench import capacity
from bench.emulator import NOON, a_click, new_links
from functions.aws.client import client
from functions.aws.codec import to_item
from functions.repositories.clicks import ClicksTable
from functions.repositories.rollups import RollupsTable
from functions.services.click_aggregation import tally
from infra.sizes import CLICK_WINDOW

#: Shards of the stream of a new on-demand table: it has four partitions (DynamoDB Developer Guide,
#: "On-demand capacity mode", 4,000 writes a second of 1,000 for each partition).
SHARDS = 4

CLICKS_A_SECOND = 10


@dataclass
class Counting:
    """What counting some clicks took."""

    clicks: int = 0
    invocations: int = 0
    read_units: float = 0.0
    write_units: float = 0.0
    #: Size of the day of the last counted link.
    day_bytes: int = 0

    def add(self, other: Counting) -> None:
        self.clicks += other.clicks
        self.invocations += other.invocations
        self.read_units += other.read_units
        self.write_units += other.write_units


class Metered:
    """A DynamoDB client that adds up the units of the calls that counting makes."""

    def __init__(self, dynamodb: Any, cost: Counting) -> None:
        self._dynamodb = dynamodb
        self._cost = cost
        self._lock = threading.Lock()

    def _spend(self, *, read: float = 0.0, write: float = 0.0) -> None:
        """Links are counted on several threads."""
        with self._lock:
            self._cost.read_units += read
            self._cost.write_units += write

    def batch_get_item(self, **parameters: Any) -> Any:
        response = self._dynamodb.batch_get_item(**parameters)
        for table, request in parameters["RequestItems"].items():
            items = response["Responses"].get(table, [])
            missing = len(request["Keys"]) - len(items)
            units = sum(map(capacity.read_units, items)) + missing
            self._spend(read=units if request.get("ConsistentRead") else units / 2)
        return response

    def query(self, **parameters: Any) -> Any:
        response = self._dynamodb.query(**parameters)
        read = sum(map(capacity.size, response["Items"]))
        units = max(1, math.ceil(read / 4096))
        self._spend(read=units if parameters.get("ConsistentRead") else units / 2)
        return response

    def batch_execute_statement(self, **parameters: Any) -> Any:
        # Each puts an item of less than a kilobyte, or is refused for the same price.
        self._spend(write=len(parameters["Statements"]))
        return self._dynamodb.batch_execute_statement(**parameters)

    def put_item(self, **parameters: Any) -> Any:
        self._spend(write=capacity.write_units(parameters["Item"]))
        return self._dynamodb.put_item(**parameters)

    def update_item(self, **parameters: Any) -> Any:
        before = self._item(parameters)
        response = self._dynamodb.update_item(**parameters)
        after = self._item(parameters)
        self._spend(write=max(map(capacity.write_units, (before, after))))
        return response

    def _item(self, parameters: dict[str, Any]) -> dict[str, Any]:
        key = {name: parameters[name] for name in ("TableName", "Key")}
        item: dict[str, Any] = self._dynamodb.get_item(**key, ConsistentRead=True).get("Item", {})
        return item


class Visits:
    """Clicks on links, each of a visitor who has not come before.

    Without a distribution in front of the API no click has a place.
    """

    def __init__(self, links: Sequence[str], *, places: bool = False) -> None:
        self._links = links
        self._places = places
        self._chance = random.Random(13)
        self._visitors = 0

    def some(self, seconds: Iterable[float]) -> list[dict[str, Any]]:
        return [self._click(second) for second in seconds]

    def _click(self, second: float) -> dict[str, Any]:
        self._visitors += 1
        number, place = self._visitors, self._place()
        return a_click(
            self._chance.choice(self._links),
            NOON + second,
            ipAddress=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
            platform=("iOS", "Android", "Windows", "macOS", "Linux")[self._frequent(5)],
            referrer=f"https://site-{self._frequent(150)}.example/page",
            **place,
        )

    def _place(self) -> dict[str, Any]:
        if not self._places:
            return {}
        country = self._frequent(60)
        return {
            "countryCode": f"C{country}",
            "region": f"C{country}-{self._frequent(9)}",
            "city": f"City {country} {self._frequent(20)}",
            "timezone": f"Continent/City_{country % 30}",
        }

    def _frequent(self, values: int) -> int:
        """A random value, the first the most frequent (Zipf)."""
        return int(values ** self._chance.random()) - 1


def hot_link(
    seconds: float,
    *,
    window: float = CLICK_WINDOW,
    warm: int = 2_000,
    places: bool = False,
) -> Counting:
    """Counting 10 clicks a second on one link that has had ``warm`` visitors on this day."""
    [link] = new_links(1, title="A page")
    visits = Visits([link.id], places=places)
    _count(visits.some(n / CLICKS_A_SECOND for n in range(warm)))
    cost, start = Counting(), warm / CLICKS_A_SECOND
    while seconds > 0:
        moments = [start + n / CLICKS_A_SECOND for n in range(int(window * CLICKS_A_SECOND))]
        for batch in _by_shard(visits.some(moments)):
            cost.add(_count(batch))
        start, seconds = start + window, seconds - window
    cost.day_bytes = day_size(link.id)
    return cost


def lone_clicks(links: int) -> Counting:
    """Counting the only click of the day on each of many links, in one window's batches."""
    new = new_links(links, title="A page")
    visits = [Visits([link.id]).some([n])[0] for n, link in enumerate(new)]
    cost = Counting()
    for batch in _by_shard(visits, one_partition=True):
        cost.add(_count(batch, one_partition=True))
    return cost


def _by_shard(
    clicks: Sequence[dict[str, Any]], *, one_partition: bool = False
) -> list[list[dict[str, Any]]]:
    """The batches of the stream's shards, by the partition of each click."""
    shards: dict[int, list[dict[str, Any]]] = {}
    for click in clicks:
        partition = ClicksTable.key(click, one_partition=one_partition)["pk"]["S"]
        shards.setdefault(zlib.crc32(partition.encode()) % SHARDS, []).append(click)
    return list(shards.values())


def _count(clicks: Sequence[dict[str, Any]], *, one_partition: bool = False) -> Counting:
    dynamodb = client("dynamodb")
    cost = Counting(clicks=len(clicks), invocations=1)
    items = [
        ClicksTable.key(click, one_partition=one_partition) | to_item(click) for click in clicks
    ]
    ClicksTable(dynamodb, "clicks").write(put=items)
    records = [
        {"dynamodb": {"SequenceNumber": str(n), "NewImage": item}} for n, item in enumerate(items)
    ]
    failed = tally(
        records,
        rollups=RollupsTable(Metered(dynamodb, cost), clicks="clicks", links="links"),
        failures=None,
        visitor_secret=b"bench",
    )
    assert not failed
    return cost


def naive(clicks: int, day_bytes: int) -> Counting:
    """Each click separately: its mark, its visitor, the day and the link in one transaction.

    A transaction costs double. Before it, link, day and visitor are read strongly.
    """
    return Counting(
        clicks=clicks,
        invocations=clicks,
        read_units=clicks * (1 + max(1, math.ceil(day_bytes / 4096)) + 1),
        write_units=clicks * 2 * (1 + 1 + max(1, math.ceil(day_bytes / 1024)) + 1),
    )


def day_size(link_id: str) -> int:
    """Bytes of a link's one day."""
    days = client("dynamodb").query(
        TableName="clicks",
        KeyConditionExpression="pk=:link AND begins_with(sk, :day)",
        ExpressionAttributeValues={":link": {"S": link_id}, ":day": {"S": "DAY#"}},
    )["Items"]
    return sum(map(capacity.size, days))
