"""The budgets of a soft delete as counts: requests, capacity units, nothing lost or deleted
twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench import capacity
from bench.implementations import Transactions, Unlink, UpdateLoop
from bench.simulated import Simulation, link_ids, link_item
from bench.soft_delete import measure
from functions.aws import calls
from functions.aws.dynamodb import READ_BATCH, STATEMENT_BATCH
from functions.domain.outcomes import Outcome
from tests.conftest import forget_caches


@pytest.fixture(autouse=True)
def _no_client_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    forget_caches()
    yield
    forget_caches()


def test_ten_thousand_links_take_100_reads_400_writes_and_20_for_the_record() -> None:
    ids = link_ids(10_000)
    simulation = Simulation()

    cost = measure(Unlink(simulation).delete, ids, simulation)

    reads = cost.requests.pop("BatchGetItem")
    writes = cost.requests.pop("BatchExecuteStatement")
    assert reads <= len(ids) / READ_BATCH == 100
    assert writes <= len(ids) / STATEMENT_BATCH == 400
    assert sum(cost.requests.values()) <= 20
    assert simulation.applied == dict.fromkeys(ids, 1)


def test_a_link_takes_one_read_unit_and_two_write_units_and_the_record_two_per_cent() -> None:
    ids = link_ids(10_000)
    simulation = Simulation()

    cost = measure(Unlink(simulation).delete, ids, simulation)

    assert cost.read_units == len(ids)
    assert 2 * len(ids) < cost.write_units <= 2 * len(ids) * 1.02


@pytest.mark.parametrize("count", [1, 25, 26, 100, 101, 300])
def test_requests_grow_linearly_with_the_links(count: int) -> None:
    simulation = Simulation()

    cost = measure(Unlink(simulation).delete, link_ids(count), simulation)

    assert cost.requests["BatchGetItem"] == -(-count // READ_BATCH)
    assert cost.requests["BatchExecuteStatement"] == -(-count // STATEMENT_BATCH)
    assert sum(cost.requests.values()) <= -(-count // READ_BATCH) - (-count // STATEMENT_BATCH) + 4


@pytest.mark.parametrize("seconds", [20, 0.02])
def test_throttled_links_are_deleted_or_queued_none_lost_none_twice(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "BACKOFF_BASE", 0.001)
    ids = link_ids(2_000)
    simulation = Simulation(throttled=0.3)
    unlink = Unlink(simulation)

    deletion = unlink.delete(ids, seconds=seconds)

    deleted, pending = deletion.ids_with(Outcome.DELETED), deletion.ids_with(Outcome.PENDING)
    assert sorted(deleted + pending) == sorted(ids)
    assert set(simulation.applied) == set(deleted)
    assert set(simulation.applied.values()) <= {1}
    assert len(unlink.queue.sent) == (1 if pending else 0)
    assert deletion.open == bool(pending)


def test_the_compared_alternatives_delete_the_links() -> None:
    ids = link_ids(100)
    simulation = Simulation()

    loop = measure(UpdateLoop(simulation).delete, ids, simulation)
    transactions = measure(Transactions(simulation).delete, ids, simulation)

    assert loop.requests == {"UpdateItem": 100}
    assert (loop.read_units, loop.write_units) == (0, 200)
    assert transactions.requests == {"TransactWriteItems": 1}
    assert transactions.write_units == 300


def test_units_follow_the_documented_sizes() -> None:
    # 4 KB a read unit, 1 KB a write unit, rounded up; names count.
    assert capacity.size({"pk": {"S": "é"}, "n": {"N": "1234"}, "b": {"BOOL": True}}) == 11
    assert capacity.write_units({"a": {"S": "x" * 1023}}) == 1
    assert capacity.write_units({"a": {"S": "x" * 1024}}) == 2
    assert capacity.read_units({"a": {"S": "x" * 4095}}) == 1
    assert capacity.read_units({"a": {"S": "x" * 4096}}) == 2
    assert capacity.size(link_item(link_ids(1)[0])) <= 1024
