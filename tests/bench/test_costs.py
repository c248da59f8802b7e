"""What a counted redirect costs, from measured units: the budget of docs/costs.md."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from bench import clicks
from bench.costs import ALONE, HOT, MANY, Bill, counted_redirects
from bench.emulator import tables_in_process
from tests.conftest import forget_caches


@pytest.fixture
def _tables() -> Iterator[None]:
    before = dict(os.environ)
    with tables_in_process():
        yield
    os.environ.clear()
    os.environ.update(before)
    forget_caches()


@pytest.mark.usefixtures("_tables")
def test_a_thousand_counted_redirects_cost_at_most_six_tenths_of_a_cent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = clicks.hot_link
    monkeypatch.setattr(clicks, "hot_link", lambda _seconds, **more: real(20, warm=300, **more))
    bills: dict[str, tuple[Bill, Bill]] = counted_redirects()

    assert bills[HOT][0].total <= 0.006
    assert bills[MANY][0].total <= 0.0065
    assert bills[ALONE][0].total <= 0.0075
    for bill, naive in bills.values():
        assert bill.total < 0.7 * naive.total


@pytest.mark.usefixtures("_tables")
def test_a_lone_click_is_counted_with_two_write_units() -> None:
    cost = clicks.lone_clicks(20)

    # The day and the link; the link is read strongly, the day is not.
    assert (cost.write_units, cost.read_units) == (20 * 2, 20 * 1.5)
