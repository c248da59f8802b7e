"""Failures without a response are logged, and error responses keep their cause."""

from __future__ import annotations

import logging
import random
import uuid
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions import service_stores
from functions.aws import client as aws
from functions.aws.calls import TransactionCancelled
from functions.aws.sqs import Queue
from functions.domain.clock import Deadline, deadline, use_deadline
from functions.domain.errors import Unavailable
from functions.domain.idempotency import IdempotencyKey
from functions.domain.ids import time_of
from functions.domain.outcomes import Outcome
from functions.handlers import deletions as deletions_function
from functions.handlers import links as links_function
from functions.repositories.create_runs import CreateRun, CreateRuns
from functions.repositories.deletion_creator import CHUNKS_LINGER
from functions.repositories.deletions import DeletionsTable
from functions.services import erase_links, run_deletion
from tests.conftest import World, make_world
from tests.support.faults import FaultyClient
from tests.support.virtual_time import VirtualClock


def lines(caplog: pytest.LogCaptureFixture, message: str) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.getMessage() == message]


def world_without_updates(deployed: dict[str, str], code: str) -> World:
    """An environment in which every update of an item gets this error."""

    def fault(name: str, real: Any, _parameters: dict[str, Any]) -> Any:
        if name == "update_item":
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "UpdateItem")
        return real()

    return make_world(deployed, FaultyClient(aws.client("dynamodb"), fault, every=True))


@pytest.mark.parametrize(
    ("code", "level"),
    [("ThrottlingException", logging.WARNING), ("AccessDeniedException", logging.ERROR)],
)
def test_a_close_that_fails_is_logged_with_its_cause(
    deployed: dict[str, str],
    virtual_clock: VirtualClock,
    caplog: pytest.LogCaptureFixture,
    code: str,
    level: int,
) -> None:
    world = world_without_updates(deployed, code)

    deletion = world.soft_delete(world.create(2))

    assert deletion.open
    [line] = lines(caplog, "a deletion was not closed")
    assert line["levelno"] == level
    assert (line["workspaceId"], line["deletionId"]) == (world.workspace_id, deletion.id)
    assert code in line["cause"]


def test_a_failed_requeue_is_logged_with_its_cause(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cut = Deadline(20)

    def mark_none(*_: Any, **__: Any) -> bytearray:
        cut.expire()
        return bytearray(2)

    def send(*_: Any, **__: Any) -> None:
        raise Unavailable from ConnectionError("the queue is gone")

    monkeypatch.setattr(world.stores.links.batches, "mark_deleted", mark_none)
    monkeypatch.setattr(world.queue, "send", send)
    with use_deadline(cut):
        deletion = world.soft_delete(world.create(2))

    [line] = lines(caplog, "a deletion was not requeued")
    assert line["deletionId"] == deletion.id
    assert "the queue is gone" in line["cause"]


class RefusingQueue:
    """SQS that refuses messages with a permanent error."""

    def send_message(self, **_: Any) -> None:
        error: Any = {"Error": {"Code": "AccessDenied", "Message": "no"}}
        raise ClientError(error, "SendMessage")


@pytest.mark.parametrize("mode", ["soft", "erase"])
def test_an_accepted_deletion_is_answered_when_the_queue_refuses_its_message(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mode: str,
) -> None:
    stores = replace(world.stores, resume_queue=Queue(RefusingQueue(), "queue"))
    monkeypatch.setattr(service_stores, "deletion_stores", lambda: stores)
    ids = world.create(2)

    body = {"ids": ids, "mode": mode, "export": True}
    status, made = world.call(deletions_function, "POST /api/deletions", body=body)

    assert (status, made["state"]) == (202, "exporting")
    [line] = lines(caplog, "a deletion was not requeued")
    assert line["levelno"] == logging.ERROR
    assert (line["workspaceId"], line["deletionId"]) == (world.workspace_id, made["id"])
    assert "AccessDenied" in line["cause"]
    # The schedule finds it at once, because its lease was released.
    found = stores.deletions.expired_leases(limit=1_000)
    assert (world.workspace_id, made["id"]) in found


def test_a_worker_that_runs_out_of_time_answers_when_the_queue_refuses_its_message(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The same for the two contracts' own routes: what is left is ``pendingIds``."""
    stores = replace(world.stores, resume_queue=Queue(RefusingQueue(), "queue"))
    monkeypatch.setattr(service_stores, "deletion_stores", lambda: stores)
    ids = world.create(2)
    monkeypatch.setattr(run_deletion, "runs", lambda *_: [])

    status, body = world.call(deletions_function, "DELETE /api/links", body=ids)

    assert (status, body) == (202, {"deletedIds": [], "pendingIds": ids})
    [line] = lines(caplog, "a deletion was not requeued")
    assert "AccessDenied" in line["cause"]


def test_a_response_that_cannot_be_recorded_is_logged_and_sent(
    deployed: dict[str, str], virtual_clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    world = world_without_updates(deployed, "ThrottlingException")
    key = IdempotencyKey("k", "h")
    runs = CreateRuns(world.dynamodb, world.stores.deletions.name, world.workspace_id, key)
    run = CreateRun("run", "2026-01-01T00:00:00.000Z", "tester")

    with deadline(1):
        runs.end(run, made_by=run)

    [line] = lines(caplog, "the response to a request was not recorded")
    assert line["workspaceId"] == world.workspace_id
    assert "ThrottlingException" in line["cause"]


def refuse_always(actions: list[dict[str, Any]]) -> None:
    raise TransactionCancelled(
        [{"Code": "ConditionalCheckFailed"}, *({"Code": "None"} for _ in actions[1:])]
    )


def test_a_link_that_cannot_be_erased_has_a_cause_and_pauses_between_rounds(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    virtual_clock: VirtualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    [link_id] = world.create(1)
    monkeypatch.setattr(world.stores.links.erasures, "apply", refuse_always)
    monkeypatch.setattr(random, "uniform", lambda _least, maximum: maximum)

    with pytest.raises(Unavailable) as failed:
        world.erase_one(link_id)

    assert isinstance(failed.value.__cause__, TransactionCancelled)
    assert "ConditionalCheckFailed" in str(failed.value.__cause__)
    refusals = lines(caplog, "a link was not erased")
    assert [line["linkId"] for line in refusals] == [link_id] * erase_links.MAX_REFUSALS
    assert "ConditionalCheckFailed" in refusals[0]["cause"]
    # 0.1 + 0.2 + 0.4 + 0.8 seconds between five rounds.
    assert virtual_clock.passed == pytest.approx(1.5)


def test_links_that_cannot_be_erased_are_logged_with_the_reasons(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    virtual_clock: VirtualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ids = world.create(1)
    monkeypatch.setattr(world.stores.links.erasures, "apply", refuse_always)
    monkeypatch.setattr(random, "uniform", lambda _least, maximum: maximum)

    deletion = world.erase(ids)

    assert deletion.ids_with(Outcome.FAILED) == ids
    refusals = lines(caplog, "links were not erased")
    assert len(refusals) == erase_links.MAX_REFUSALS
    assert "ConditionalCheckFailed" in refusals[0]["cause"]
    [line] = lines(caplog, "a link cannot be erased")
    assert (line["deletionId"], line["linkId"]) == (deletion.id, ids[0])
    assert virtual_clock.passed == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("function", "route", "error"),
    [
        (links_function, "GET /api/links", "Internal Server Error"),
        (
            deletions_function,
            "GET /api/deletions",
            {"en": "Internal server error", "ar": "خطأ داخلي في الخادم"},
        ),
    ],
)
def test_an_unknown_plan_gets_an_error_in_the_routes_format(
    world: World,
    caplog: pytest.LogCaptureFixture,
    function: Any,
    route: str,
    error: Any,
) -> None:
    """A release that was rolled back may have left one in the table."""
    status, body = world.call(function, route, plan="platinum")

    assert status == 500
    assert body["error"] == error
    [line] = lines(caplog, "the authorizer's context could not be parsed")
    assert "platinum" in line["cause"]


def test_a_record_that_deletes_nothing_is_kept_for_a_week(world: World) -> None:
    """An erasure of unknown ids, also of more than fit its header."""
    unknown = [str(uuid.uuid4()) for _ in range(300)]

    deletion = world.erase(unknown)

    week_after = int(time_of(deletion.id)) + 7 * 86_400
    assert deletion.state == "complete"
    items = world.own(world.stores.deletions.name)
    expiry = {item["sk"]["S"]: int(item["ttl"]["N"]) for item in items}
    # While there is a header, it has its ids.
    assert expiry == {deletion.id: week_after, "CHUNK#00000": week_after + CHUNKS_LINGER}


@pytest.mark.parametrize("mode", ["soft", "erase"])
def test_a_filter_without_matches_leaves_no_permanent_record(world: World, mode: str) -> None:
    status, body = world.call(
        deletions_function, "POST /api/deletions", body={"filter": {"tag": "none"}, "mode": mode}
    )

    assert (status, body["state"]) == (200, "complete")
    [record], _ = world.stores.deletions.newest(world.workspace_id, limit=2, before=None)
    header = world.stores.deletions.header(world.workspace_id, record.id)
    assert header is not None
    assert header.ttl == int(time_of(record.id)) + 7 * 86_400


def test_a_record_with_deleted_links_is_permanent(world: World) -> None:
    ids = world.create(2)
    erased = world.erase([ids[0], str(uuid.uuid4())])
    soft = world.soft_delete(ids[1:])
    table: DeletionsTable = world.stores.deletions
    for deletion in (erased, soft):
        header = table.header(world.workspace_id, deletion.id)
        assert header is not None
        assert header.ttl is None
