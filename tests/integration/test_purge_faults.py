"""Kills, redelivery, reordering and late writers: the same result and receipt."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.aws import calls
from functions.domain.clock import Deadline, use_deadline
from functions.handlers import redirect
from functions.repositories import clicks as clicks_store
from functions.repositories.clicks import ClicksTable
from tests.conftest import ReportFigure
from tests.support.api_gateway import send
from tests.support.erasure import Erasing, Erasure, receipt
from tests.support.faults import (
    Call,
    FaultyClient,
    attempt,
    die,
    every_fault,
)
from tests.support.in_process_dynamodb import StartingPoint
from tests.support.interleaving import at_once
from tests.support.shards import use_two_shards

pytestmark = pytest.mark.exhaustive


@pytest.fixture(autouse=True)
def _small_and_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    use_two_shards(monkeypatch)
    monkeypatch.setattr(clicks_store, "PAGE", 2)
    monkeypatch.setattr(calls, "BACKOFF_BASE", 0.001)


# -- every call fails -----------------------------------------------------------------------


def _link_with_a_life(erasing: Erasing, *, spread: bool = False) -> str:
    [link_id] = erasing.world.create(1)
    erasing.write_clicks(link_id, (1, 2, 3), spread=spread)
    erasing.put_beside(link_id, "DAY#2026-01-01")
    for number in range(2):
        erasing.put_beside(link_id, f"INSTALL#2026-01-01T10:11:12.13{number}Z#{number}")
    erasing.export(link_id, "e-1")
    erasing.render(link_id, "a.png", "b.png")
    return link_id


EXPECTED = receipt(clicks=3, rollups=1, installsKept=2, qrObjects=2)


@pytest.mark.parametrize(
    ("stage", "spread"), [("cleanup", False), ("erase", False), ("erase", True)]
)
def test_each_call_fails_once_in_each_way_and_the_erasure_still_completes(
    erasing: Erasing,
    stage: str,
    spread: bool,
    starting_point: StartingPoint,
    report_figure: ReportFigure,
) -> None:
    def erased() -> _Erased:
        link_id = _link_with_a_life(erasing, spread=spread)
        deletion, records = erasing.erase([link_id], policies={"linkEvents": True})
        if stage == "erase":
            assert erasing.cleanup(records) == []
        return _Erased(
            link_id, deletion.id, records, dict(erasing.s3.objects), list(erasing.messages)
        )

    points = 0
    for point in every_fault():
        faulty = FaultyClient()
        failing = erasing.with_clients(faulty.beside)
        start = starting_point(erased)
        erasing.s3.objects, erasing.messages[:] = dict(start.objects), start.messages
        kept_installs = _kept_installs(erasing)

        # As Lambda and SQS do: a failed batch is delivered again.
        with point.strikes(faulty):
            if stage == "cleanup":
                if attempt(failing.cleanup, start.records) != []:
                    assert erasing.cleanup(start.records) == []
            else:
                erasing.messages.clear()
                for message in start.messages:
                    if not attempt(failing.work, message):
                        assert erasing.work(message)
        erasing.work_all()

        context = f"{stage}: {point}"
        assert erasing.header(start.deletion_id).state == "complete", context
        assert erasing.receipt(start.deletion_id) == EXPECTED, context
        assert erasing.left_of(start.link_id) == [], context
        assert _kept_installs(erasing) == kept_installs + 2, context
        assert not erasing.s3.objects, context
        points += point.reached
    report_figure(f"{stage}: {points} faults survived")


class _Erased(NamedTuple):
    """A link that was erased, and what is left to do: the records of the stream or the messages."""

    link_id: str
    deletion_id: str
    records: list[dict[str, Any]]
    objects: dict[str, bytes]
    messages: list[dict[str, Any]]


def _kept_installs(erasing: Erasing) -> int:
    """How many installs of erased links the workspace has kept."""
    counted: int = erasing.world.dynamodb.query(
        TableName=erasing.world.clicks.name,
        KeyConditionExpression="pk=:pk",
        ExpressionAttributeValues={":pk": {"S": f"INSTALLS#{erasing.world.workspace_id}"}},
        ConsistentRead=True,
    )["Count"]
    return counted


# -- every order and every repeat -----------------------------------------------------------


@given(data=st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_redelivery_reordering_and_duplicates_change_nothing(
    erasing: Erasing, data: st.DataObject
) -> None:
    # Left by an example that failed: without this every later one would seem to fail too.
    erasing.s3.objects.clear()
    counts = data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=4), label="clicks")
    ids = erasing.world.create(len(counts))
    for link_id, number in zip(ids, counts, strict=True):
        spread = data.draw(st.booleans(), label="spread")
        erasing.write_clicks(link_id, range(number), spread=spread)
    erasing.render(ids[0], "a.png")
    deletion, records = erasing.erase(ids)
    erasing.messages.clear()

    # Batches of any records in any order, some of them twice or more; each at least once.
    batches = data.draw(
        st.lists(st.lists(st.sampled_from(range(len(records))), min_size=1), max_size=3)
    )
    batches += [list(data.draw(st.permutations(range(len(records)))))]
    for batch in batches:
        erasing.cleanup([records[number] for number in batch])
    messages = list(erasing.messages)
    erasing.messages.clear()

    # The same for messages; some workers run out of time, some are killed.
    order = data.draw(st.lists(st.sampled_from(range(len(messages))), max_size=4))
    order += list(data.draw(st.permutations(range(len(messages)))))
    for number in order:
        end = data.draw(st.sampled_from(["well", "time", "death"]))
        if end == "death":
            faulty = FaultyClient(fault=die, at=data.draw(st.integers(0, 30)))
            attempt(erasing.with_clients(faulty.beside).work, messages[number])
        else:
            erasing.work(messages[number], seconds=0 if end == "time" else 20)
    for message in messages:
        erasing.work(message)
    erasing.work_all()

    assert erasing.header(deletion.id).state == "complete"
    assert erasing.receipt(deletion.id) == receipt(len(ids), clicks=sum(counts), qrObjects=1)
    assert all(erasing.left_of(link_id) == [] for link_id in ids)
    assert not erasing.s3.objects


@pytest.mark.parametrize("spread", [False, True])
def test_two_workers_at_once_count_each_click_once(erasing: Erasing, spread: bool) -> None:
    [link_id] = erasing.world.create(1)
    erasing.write_clicks(link_id, range(120), spread=spread)
    deletion, records = erasing.erase([link_id])
    erasing.cleanup(records)
    [message] = erasing.messages
    workers = at_once([partial(erasing.work, message)] * 3)
    assert not any(isinstance(each, Exception) for each in workers)

    assert erasing.receipt(deletion.id)["clicks"] == 120


# -- the late write -------------------------------------------------------------------------


def _visit(code: str) -> int:
    return send(redirect.handler, "GET /{code}", path={"code": code}).status


def _visiting(code: str, statuses: list[int]) -> Callable[[str, Call, dict[str, Any]], Any]:
    def visit(_operation: str, call: Call, _parameters: dict[str, Any]) -> Any:
        statuses.append(_visit(code))
        return call()

    return visit


@pytest.mark.parametrize("begins", [0, 1, 2])
@pytest.mark.parametrize("lasts", [0, 1, 2])
def test_a_redirect_interleaved_at_every_step_leaves_nothing_behind(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch, begins: int, lasts: int
) -> None:
    """The redirect reads the link after `begins` steps and writes its click `lasts` later."""
    [link] = erasing.world.create_items(1)
    erasure = Erasure(erasing, link.id)
    put = ClicksTable.put
    written = []

    def late_put(table: ClicksTable, *args: Any, **kwargs: Any) -> None:
        with use_deadline(Deadline(20)):
            for _ in range(lasts):
                erasure.step()
        put(table, *args, **kwargs)
        written.append(1)

    monkeypatch.setattr(ClicksTable, "put", late_put)
    for _ in range(begins):
        erasure.step()

    status = _visit(link.short_code)

    assert (status, len(written)) == ((302, 1) if begins == 0 else (404, 0))
    erasure.step()
    erasure.step()
    erasing.work_all()
    assert erasing.left_of(link.id) == []
    assert erasing.receipt(erasure.deletion_id)["clicks"] == len(written)


def test_a_redirect_during_the_worker_is_refused_at_every_call(erasing: Erasing) -> None:
    """A writer after the delay finds the link gone, at any call of the worker."""
    at, reached = 0, True
    while reached:
        [link] = erasing.world.create_items(1)
        erasing.click(link.id, 3)
        deletion, records = erasing.erase([link.id])
        erasing.cleanup(records)
        statuses: list[int] = []
        faulty = FaultyClient(fault=_visiting(link.short_code, statuses), at=at)
        assert erasing.with_clients(faulty.beside).work(erasing.messages.pop())
        reached = bool(statuses)
        assert set(statuses) <= {404}
        assert erasing.left_of(link.id) == []
        assert erasing.receipt(deletion.id)["clicks"] == 3
        at += 1


def test_the_queue_delay_prevents_late_writes(erasing: Erasing) -> None:
    """Without the delay a click can arrive after the receipt, so the test above can fail."""
    [link_id] = erasing.world.create(1)
    deletion, records = erasing.erase([link_id])
    erasing.cleanup(records)
    # The queue's own delay holds; a later round of the same worker needs none.
    assert erasing.sqs.delays == [None]
    erasing.work_all()
    erasing.click(link_id)
    assert erasing.header(deletion.id).state == "complete"
    assert len(erasing.left_of(link_id)) == 1
