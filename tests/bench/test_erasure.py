"""What erasing costs in requests and units, for messages of 99 links."""

from __future__ import annotations

import pytest

from bench.erasure import Simulated, erase, erased_message
from functions.services.purge_message import LINKS_A_MESSAGE

#: For each message: the erasures of its links, the header twice, the sums, the end of its links in
#: one transaction, and the receipt, because the message is the deletion's last.
FOR_A_MESSAGE = {"BatchGetItem": 1, "GetItem": 2, "TransactWriteItems": 1, "UpdateItem": 1}


def test_a_link_without_clicks_costs_one_query() -> None:
    simulated = erased_message(0, spread=False, latency=0)

    assert simulated.calls == FOR_A_MESSAGE | {"Query": LINKS_A_MESSAGE + 1}
    # Its erasure and the query; the end of its erasure in a transaction.
    assert simulated.read_units == 2 * LINKS_A_MESSAGE + 3
    assert simulated.write_units == 2 * (LINKS_A_MESSAGE + 1) + 1


def test_a_link_with_three_clicks_costs_two_queries_and_a_count() -> None:
    simulated = erased_message(3, spread=False, latency=0)

    assert simulated.calls == FOR_A_MESSAGE | {
        "Query": 2 * LINKS_A_MESSAGE + 1,
        "UpdateItem": LINKS_A_MESSAGE + 1,
        # 25 items of any links a call.
        "BatchWriteItem": -(-3 * LINKS_A_MESSAGE // 25),
    }
    assert simulated.read_units == 3 * LINKS_A_MESSAGE + 3
    assert simulated.write_units == (2 + 1 + 3) * LINKS_A_MESSAGE + 2 + 1


def test_a_busy_link_costs_nine_queries() -> None:
    simulated = erased_message(0, spread=True, latency=0)

    assert simulated.calls == FOR_A_MESSAGE | {"Query": 9 * LINKS_A_MESSAGE + 1}
    assert simulated.read_units == 10 * LINKS_A_MESSAGE + 3


@pytest.mark.parametrize("clicks", [10_000, 40_000])
def test_many_clicks_cost_a_straight_line(clicks: int) -> None:
    simulated = Simulated(latency=0)
    erase(simulated, [simulated.add_link(clicks)])

    assert simulated.is_empty()
    assert simulated.write_units == clicks + simulated.calls["UpdateItem"] + 4
    # 1,000 clicks a page: a query, a count and 40 deletes; of each shard a page that is not full,
    # and an empty one.
    pages = clicks / 1_000
    assert pages <= simulated.calls["UpdateItem"] - 1 <= pages + 8
    assert simulated.calls["Query"] == simulated.calls["UpdateItem"] - 1 + 9 + 1
    assert clicks / 25 <= simulated.calls["BatchWriteItem"] <= clicks / 25 + pages + 8
