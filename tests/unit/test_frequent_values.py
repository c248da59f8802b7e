"""Counting the most frequent values in few counters: exact totals, bounded error, bounded size."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.domain.frequent_values import DayChange, count_values, rest_of

MOST = 10


def apply(day: dict[str, Any], change: DayChange) -> None:
    """As DynamoDB applies the update: its parts do not overlap."""
    assert not set(change.add) & set(change.remove)
    for name, (before, after) in change.floors.items():
        assert day.get(name) == before
        assert after > (before or 0)
        day[name] = after
    for name in change.remove:
        del day[name]
    for name, amount in change.add.items():
        assert amount > 0
        day[name] = day.get(name, 0) + amount


def count(day: dict[str, Any], values: list[str], *, maximum: int = MOST) -> None:
    apply(day, count_values(day, {"referrer": Counter(values)}, maximum=maximum))
    day["clicks"] = day.get("clicks", 0) + len(values)


def counters(day: dict[str, Any]) -> dict[str, int]:
    prefix = "referrer:"
    return {n.removeprefix(prefix): v for n, v in day.items() if n.startswith(prefix)}


def batches(values: list[str], size: int) -> list[list[str]]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def test_few_values_are_counted_exactly_and_nothing_else_is_stored() -> None:
    day: dict[str, Any] = {}
    for batch in (["a", "b", "a"], ["c"] * 5, ["a"]):
        count(day, batch)
    assert day == {"clicks": 9, "referrer:a": 3, "referrer:b": 1, "referrer:c": 5}
    assert rest_of(day, "referrer") == 0


@given(
    st.lists(st.integers(0, 60), max_size=400),
    st.integers(1, 40),
    st.randoms(use_true_random=False),
)
def test_counts_are_at_most_the_floor_too_low(
    drawn: list[int], size: int, chance: random.Random
) -> None:
    # Low numbers come more often.
    values = [f"v{number * number // 60}" for number in drawn]
    chance.shuffle(values)
    day: dict[str, Any] = {}
    for batch in batches(values, size):
        count(day, batch)

    true, found = Counter(values), counters(day)
    floor = day.get("floor:referrer", 0)
    assert len(found) <= MOST
    assert floor <= len(values) / MOST
    for value, times in true.items():
        assert times - floor <= found.get(value, 0) <= times
    assert sum(found.values()) + rest_of(day, "referrer") == len(values)
    if len(true) <= MOST:
        assert found == true


@pytest.mark.parametrize("order", ["invented first", "mixed", "real first"])
def test_a_flood_of_invented_values_does_not_hide_a_frequent_one(order: str) -> None:
    real = ["news"] * 300 + ["mail"] * 200
    invented = [f"x{n}" for n in range(1_500)]
    values = {
        "invented first": invented + real,
        "real first": real + invented,
        "mixed": random.Random(7).sample(real + invented, 2_000),
    }[order]
    day: dict[str, Any] = {}
    for batch in batches(values, 40):
        count(day, batch, maximum=100)

    found = counters(day)
    floor = day["floor:referrer"]
    assert floor <= 2_000 / 100
    assert 300 - floor <= found["news"] <= 300
    assert 200 - floor <= found["mail"] <= 200
    assert sum(found.values()) + rest_of(day, "referrer") == 2_000


def test_the_same_batches_leave_the_same_day_in_any_process() -> None:
    values = [f"x{n % 37}" for n in range(500)]
    first: dict[str, Any] = {}
    second: dict[str, Any] = {}
    for batch in batches(values, 23):
        count(first, batch)
        count(second, batch[::-1])
    assert first == second


def test_an_existing_other_value_is_kept() -> None:
    day: dict[str, Any] = {"clicks": 7, "referrer:other": 7}
    count(day, [f"x{n}" for n in range(MOST + 1)])
    assert len(counters(day)) == MOST + 1
    assert day["referrer:other"] == 7
    assert rest_of(day, "referrer") == 1


def test_dimensions_do_not_share_counters() -> None:
    day: dict[str, Any] = {}
    change = count_values(
        day, {"city": Counter(["a", "b", "c"]), "region": Counter(["a"])}, maximum=2
    )
    apply(day, change)
    day["clicks"] = 3
    assert rest_of(day, "city") == 1
    assert day["region:a"] == 1
    assert "floor:region" not in day
