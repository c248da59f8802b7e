"""What a counted redirect costs, from measured units: the budget of docs/costs.md."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from bench import clicks, costs
from bench.costs import ALONE, HOT, MANY, Bill, counted_redirects
from bench.emulator import tables_in_process
from functions.repositories.receipts import ReceiptsTable
from functions.services import sweep
from tests.conftest import World, forget_caches
from tests.support.restores import restore_stores


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


def test_an_idle_minute_reads_the_shards_of_the_bill(world: World) -> None:
    calls: Counter[str] = Counter()
    world.dynamodb.meta.events.register(
        "after-call.dynamodb", lambda model, **_: calls.update([model.name])
    )
    nothing_to_send: Any = None

    sweep.finish_deletions(world.stores)
    sweep.finish_restores(restore_stores(world))
    sweep.requeue_stalled_erasures(world.stores, nothing_to_send)
    assert calls == {"Query": costs.SCHEDULE_READS}
    ReceiptsTable(world.dynamodb, world.stores.deletions.name).unsigned(limit=1)

    assert calls == {"Query": costs.SCHEDULE_READS + costs.SIGNER_READS}
