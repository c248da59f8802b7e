"""Counting clicks under kills, bisected batches, stale reads and races: every number is exact."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest

from functions.aws import calls
from functions.aws.codec import to_item
from functions.domain.clock import iso
from functions.domain.ids import SHARDS
from functions.repositories.click_totals import include
from functions.repositories.rollups import FIRST_VISITS, LISTED_CLICKS
from functions.services import click_aggregation as service
from tests.conftest import World
from tests.support.clicks import (
    DAY,
    NOON,
    assert_exact,
    click,
    count,
    day,
    deliver,
    records,
    rollups,
    some_clicks,
)
from tests.support.faults import FaultyClient, Killed, attempt, every_fault, faults_of_call
from tests.support.in_process_dynamodb import StartingPoint

pytestmark = pytest.mark.exhaustive


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "BACKOFF_BASE", 0.001)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days of a few clicks go through all that long ones do."""
    monkeypatch.setattr(service, "CLICKS_A_WRITE", 3)
    monkeypatch.setattr(service, "LISTED_CLICKS", 2)


def visits(world: World, link_id: str, addresses: Sequence[int], start: float) -> list[Any]:
    """One recorded click from each of these addresses, a second apart."""
    clicks = [
        click(
            world,
            link_id,
            at=start + n,
            store=False,
            ipAddress=f"10.0.0.{address}",
            countryCode=f"C{n % 3}",
        )
        for n, address in enumerate(addresses)
    ]
    world.clicks.write(put=[to_item(each) for each in clicks])
    return clicks


#: What a day holds before, and what comes: a lone click, few visitors, the first of many.
SITUATIONS = {
    "lone": ([], [1]),
    "few": ([1, 2], [2, 3, 1]),
    "many": ([1, 2, 3], [3, 4, 5, 6, 1]),
}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("situation", list(SITUATIONS))
def test_a_worker_that_fails_at_any_call_is_repeated_without_a_difference(
    world: World, starting_point: StartingPoint, situation: str
) -> None:
    before, coming = SITUATIONS[situation]

    def clicked() -> tuple[list[Any], list[Any]]:
        [link_id] = world.create()
        old = visits(world, link_id, before, NOON)
        if old:
            assert count(world, old) == []
        return old, visits(world, link_id, coming, NOON + 60)

    survived = 0
    for point in every_fault():
        if point.kind == "access denied":
            # It takes the same way through the count as a kill before the call.
            continue
        old, new = starting_point(clicked)
        faulty = FaultyClient(world.dynamodb)
        with point.strikes(faulty):
            attempt(deliver, rollups(world, faulty), records(new))
        # Lambda delivers the batch again, here in halves: it bisects what failed.
        half = len(new) // 2
        for part in (new[:half], new[half:]):
            assert count(world, part) == [], point
        assert_exact(world, [*old, *new], (situation, point))
        survived += 1
    assert survived > 12


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("seed", range(3))
def test_counts_are_exact_when_failing_batches_are_bisected_and_delivered_again(
    world: World, seed: int
) -> None:
    """As Lambda does it: a batch that failed is cut in two, in order, down to single records."""
    chance = random.Random(seed)
    links = world.create(2)
    clicks = some_clicks(world, links, chance, count=60, visitors=8)
    deaths = 0

    def run(batch: Sequence[dict[str, Any]]) -> None:
        nonlocal deaths
        after = chance.randrange(25)

        def die(_operation: str, call: Callable[[], Any], _parameters: dict[str, Any]) -> Any:
            if chance.random() < 0.5:
                call()
            raise Killed

        faulty = FaultyClient(world.dynamodb, fault=die, at=after)
        try:
            failed = deliver(rollups(world, faulty), records(batch))
        except Killed:
            deaths += 1
            failed = ["all"]
        if failed and len(batch) > 1:
            half = len(batch) // 2
            run(batch[:half])
            run(batch[half:])
        elif failed:
            run(batch)

    for start in range(0, len(clicks), 20):
        run(clicks[start : start + 20] + chance.sample(clicks[: start + 1], min(start, 5)))
    # Much later, from the failures bucket.
    run(clicks[::-1])

    assert deaths > 5
    assert_exact(world, clicks)


def _stale(world: World, old: dict[tuple[str, str], Any]) -> Any:
    """A client whose eventually consistent reads show the ``clicks`` table as it was."""

    class Stale:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.dynamodb, name)

        def batch_get_item(self, **parameters: Any) -> Any:
            response = world.dynamodb.batch_get_item(**parameters)
            table = world.clicks.name
            request = parameters["RequestItems"].get(table)
            if request is not None and not request["ConsistentRead"]:
                response["Responses"][table] = [
                    old[key]
                    for each in request["Keys"]
                    if (key := (each["pk"]["S"], each["sk"]["S"])) in old
                ]
            return response

    return Stale()


def _items(world: World, link_id: str) -> dict[tuple[str, str], Any]:
    return {
        (item["pk"]["S"], item["sk"]["S"]): item
        for partition in range(SHARDS + 1)
        for item in world.clicks.first_page(link_id, partition, whole=True)
    }


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("known", [0, 1, 2, 5])
def test_reads_that_are_behind_count_nothing_twice(world: World, known: int) -> None:
    [link_id] = world.create()
    first = visits(world, link_id, range(known), NOON)
    count(world, first)
    behind = _items(world, link_id)
    second = visits(world, link_id, range(7), NOON + 60)
    count(world, second)
    third = visits(world, link_id, [6, 7, 8], NOON + 120)

    failed = deliver(rollups(world, _stale(world, behind)), records([*second, *third]))

    assert failed == []
    assert_exact(world, [*first, *second, *third])


def test_a_visitor_claimed_by_a_killed_worker_is_counted_by_the_claiming_click(
    world: World,
) -> None:
    [link_id] = world.create()
    old = visits(world, link_id, range(FIRST_VISITS + 1), NOON)
    count(world, old)
    claiming = visits(world, link_id, [9], NOON + 60)
    later = visits(world, link_id, [9], NOON + 70)

    def die(_operation: str, call: Callable[[], Any], _parameters: dict[str, Any]) -> Any:
        call()
        raise Killed

    calls = FaultyClient(world.dynamodb)
    count_calls = rollups(world, calls)
    # The calls of such a count, in order.
    deliver(count_calls, records(visits(world, link_id, [8], NOON + 50)))
    at = calls.calls.index("batch_execute_statement")
    faulty = FaultyClient(world.dynamodb, fault=die, at=at)
    with pytest.raises(Killed):
        deliver(rollups(world, faulty), records(claiming))
    assert faulty.calls[-1] == "batch_execute_statement"

    before = day(world, link_id)["visitors"]
    count(world, later)
    assert day(world, link_id)["visitors"] == before
    count(world, claiming)
    assert day(world, link_id)["visitors"] == before + 1
    count(world, [*later, *claiming])
    assert day(world, link_id)["visitors"] == before + 1


def test_a_visitor_who_becomes_one_of_the_first_during_a_count_is_counted_once(
    world: World,
) -> None:
    """One worker sees more visitors than a day names and is killed; another sees fewer."""
    [link_id] = world.create()
    old = visits(world, link_id, [1, 2], NOON)
    count(world, old)
    many = visits(world, link_id, [3, 4, 5, 6], NOON + 60)
    few = visits(world, link_id, [3], NOON + 70)
    at, reached = 0, True
    while reached:
        faulty = FaultyClient(world.dynamodb, fault=faults_of_call(0)["killed after"], at=at)
        with suppress(Killed):
            deliver(rollups(world, faulty), records(many))
        reached = len(faulty.calls) > at
        count(world, few)
        at += 1
    count(world, many)
    assert_exact(world, [*old, *many, *few])


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("situation", list(SITUATIONS))
def test_a_link_erased_at_any_call_is_left_without_counts(world: World, situation: str) -> None:
    """The run itself removes what it wrote, before the erasure looks for it."""
    before, coming = SITUATIONS[situation]
    at, reached = 0, True
    while reached:
        [link_id] = world.create()
        if before:
            count(world, visits(world, link_id, before, NOON))
        kept = set(_items(world, link_id))
        new = visits(world, link_id, coming, NOON + 60)

        def erase(
            _operation: str,
            call: Callable[[], Any],
            _parameters: dict[str, Any],
            link_id: str = link_id,
        ) -> Any:
            world.dynamodb.delete_item(
                TableName=world.stores.links.name,
                Key=world.link_key(link_id),
            )
            return call()

        faulty = FaultyClient(world.dynamodb, fault=erase, at=at)
        assert deliver(rollups(world, faulty), records(new)) == []
        reached = len(faulty.calls) > at
        if reached:
            left = set(_items(world, link_id)) - {(each["pk"], each["sk"]) for each in new}
            assert left <= kept, (situation, at)
            assert not world.exists(link_id)
        at += 1
    assert at > 3


class Calls:
    """A client that keeps the names of its calls, and the keys that are written."""

    def __init__(self, dynamodb: Any) -> None:
        self._dynamodb = dynamodb
        self.names: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.names.append(name)
        return getattr(self._dynamodb, name)


def test_a_lone_click_costs_one_read_and_two_writes(world: World) -> None:
    [link_id] = world.create()
    calls = Calls(world.dynamodb)

    deliver(rollups(world, calls), records([click(world, link_id)]))

    assert calls.names == ["batch_get_item", "update_item", "update_item"]


def test_a_batch_of_one_link_costs_few_calls_at_any_size(world: World) -> None:
    [link_id] = world.create()
    count(world, visits(world, link_id, range(LISTED_CLICKS), NOON))
    calls = Calls(world.dynamodb)
    batch = visits(world, link_id, range(200), NOON + 60)

    deliver(rollups(world, calls), records(batch))

    counted = Counter(calls.names)
    # The link and its day; the visitors that are known, 100 a call; the others, 25 a call; the
    # clicks that move out of the day; the day and the link.
    new = 200 - LISTED_CLICKS
    assert counted == {
        "batch_get_item": 1 + 2,
        "batch_execute_statement": -(-new // 25),
        "put_item": 1,
        "update_item": 2,
    }


def test_a_redelivered_batch_writes_nothing(world: World) -> None:
    [link_id] = world.create()
    batch = records(visits(world, link_id, range(9), NOON))
    deliver(rollups(world), batch)
    calls = Calls(world.dynamodb)

    deliver(rollups(world, calls), batch)

    assert set(calls.names) <= {"batch_get_item", "query"}


# -- the link's totals -----------------------------------------------------------------------


def days_from(*dates: float) -> Iterator[str]:
    return (iso(NOON + 86_400 * date)[:10] for date in dates)


def test_a_link_stores_how_many_clicks_of_recent_days_it_includes(world: World) -> None:
    [link_id] = world.create()
    clicks = [click(world, link_id, at=NOON + 86_400 * n) for n in (0, 19, 20, 21)]
    count(world, clicks)

    found = world.link(link_id)

    first, *recent = days_from(0, 19, 20, 21)
    assert found.click_count == 4
    assert found.counted_days == dict.fromkeys(recent, 1)
    assert first not in found.counted_days


def test_clicks_of_a_day_that_is_no_longer_stored_are_added_once(world: World) -> None:
    [link_id] = world.create()
    count(world, [click(world, link_id, at=NOON + 86_400 * 30)])
    late = click(world, link_id)

    count(world, [late])
    count(world, [late])

    assert world.link(link_id).click_count == 2
    assert day(world, link_id)["clicks"] == 1


def test_totals_can_be_added_up_late_and_out_of_order() -> None:
    newest = DAY
    assert include({}, {newest: (5, 5)}) == ({newest: 5}, 5)
    # Counted by a run that was killed before it could update the link.
    assert include({newest: 5}, {newest: (9, 1)}) == ({newest: 9}, 4)
    # Another run was faster.
    assert include({newest: 9}, {newest: (7, 2)}) == ({newest: 9}, 0)
