"""Exports: the link and every click, over many parts and runs."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any
from unittest.mock import Mock

import pytest

from functions.aws import calls
from functions.aws.codec import to_item
from functions.aws.sqs import Queue
from functions.config import setting
from functions.domain.clock import Deadline
from functions.domain.errors import InternalError, Unavailable, UnlinkError
from functions.handlers import analytics
from functions.repositories.exports import LINGERS, ExportRecords, ExportsBucket, object_key
from functions.repositories.idempotency import IDEMPOTENCY_SECONDS, IdempotencyTable
from functions.services import export as procedure
from functions.services import export_lines
from functions.services.export_lines import CLICK_FIELDS
from functions.services.export_request import GIVEN_UP
from tests.conftest import World
from tests.support.clicks import click
from tests.support.exports import EXPORT, Exports
from tests.support.faults import FaultyClient, Killed, attempt, die, every_fault
from tests.support.in_process_dynamodb import StartingPoint, download
from tests.support.shards import use_two_shards
from tests.support.virtual_time import RunningClock

NOW = int(time.time()) - 60


def test_an_export_has_the_link_and_every_click(world: World, exports: Exports) -> None:
    [link] = world.create_items(title="Ünïcode")
    clicks = [click(world, link.id, at=NOW + n, isBot=n == 3) for n in range(20)]

    status, begun = exports.begin(link.short_code)
    assert (status, begun["state"], begun["url"]) == (202, "pending", None)
    click(world, link.id, at=time.time() + 60)
    exports.work()

    status, done = exports.get(link.id, begun["id"])
    assert (status, done["state"]) == (200, "complete")
    lines = [json.loads(line) for line in download(done["url"]).splitlines()]
    assert lines == exports.lines(begun["id"])
    assert (lines[0]["type"], lines[0]["id"], lines[0]["title"]) == ("link", link.id, "Ünïcode")
    assert sorted(line["id"] for line in lines[1:]) == sorted(each["id"] for each in clicks)
    assert set(lines[1]) == {"type", *CLICK_FIELDS}
    assert sum(line["isBot"] for line in lines[1:]) == 1


@pytest.mark.parametrize("first_page", [1, 100])
def test_an_export_has_the_clicks_of_before_and_after_a_link_became_busy(
    world: World, exports: Exports, monkeypatch: pytest.MonkeyPatch, first_page: int
) -> None:
    monkeypatch.setattr(export_lines, "FIRST_PAGE", first_page)
    [link_id] = world.create()
    clicks = [click(world, link_id, at=NOW + n) for n in range(5)]
    world.spread(link_id)
    clicks += [click(world, link_id, at=NOW + n) for n in range(5, 20)]

    _, begun = exports.begin(link_id)
    exports.work()

    lines = exports.lines(begun["id"])
    assert sorted(line["id"] for line in lines[1:]) == sorted(each["id"] for each in clicks)


def test_a_large_export_continues_over_many_runs_and_parts(
    world: World, exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link_id] = world.create()
    world.spread(link_id)
    clicks = [click(world, link_id, at=NOW + n / 100, referrer="x" * 450) for n in range(120)]
    # About a part for each of the eight shards; each run has time for one.
    monkeypatch.setattr(procedure, "PART_BYTES", 8_000)
    monkeypatch.setattr(export_lines, "FIRST_PAGE", 5)
    put_part = ExportsBucket.put_part

    def put_one_part(*given: Any, **more: Any) -> None:
        put_part(*given, **more)
        time_of_run.expire()

    monkeypatch.setattr(ExportsBucket, "put_part", put_one_part)
    _, begun = exports.begin(link_id)
    states = []
    while exports.messages:
        time_of_run = Deadline(60)
        states.append(exports.run(exports.messages.pop(), cut=time_of_run))

    assert states[-1] == "complete"
    assert len(states) > 5
    assert set(states[:-1]) == {"running"}
    lines = exports.lines(begun["id"])
    assert [line["type"] for line in lines].count("link") == 1
    assert sorted(line["id"] for line in lines[1:]) == sorted(each["id"] for each in clicks)
    assert exports.get(link_id, begun["id"])[1]["state"] == "complete"


def test_a_redelivered_message_changes_nothing(world: World, exports: Exports) -> None:
    [link_id] = world.create()
    click(world, link_id, at=NOW)
    _, begun = exports.begin(link_id)
    exports.messages *= 2

    exports.work()

    assert len(exports.lines(begun["id"])) == 2
    assert exports.get(link_id, begun["id"])[1]["state"] == "complete"


def test_an_export_that_fails_every_time_ends_as_failed_and_as_a_dead_letter(
    world: World, exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link_id] = world.create()
    click(world, link_id, at=NOW)
    key = "one"
    _, begun = exports.begin(link_id, key=key)
    message = exports.messages.pop()

    with monkeypatch.context() as broken:
        broken.setattr(ExportsBucket, "put", Mock(side_effect=InternalError))
        for delivery in (1, 2, 3, 4):
            assert exports.deliver(message, delivery)
            assert exports.get(link_id, begun["id"])[1]["state"] == "pending"
        assert exports.deliver(message, 5)

    _, failed = exports.get(link_id, begun["id"])
    assert (failed["state"], failed["url"]) == ("failed", None)
    assert failed["failure"] == GIVEN_UP
    assert exports.begin(link_id, key=key) == (202, begun)
    assert exports.messages == []

    # The cause is fixed, and the dead letter is sent again.
    assert not exports.deliver(message)
    _, done = exports.get(link_id, begun["id"])
    assert (done["state"], done["failure"]) == ("complete", None)
    assert [line["type"] for line in exports.lines(begun["id"])] == ["link", "click"]


def test_killed_runs_with_progress_do_not_fail_the_export(
    world: World, exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procedure, "SAVE_SECONDS", 0.0)
    [link_id] = world.create()
    click(world, link_id, at=NOW)
    sent_at = time.time() - 1
    _, begun = exports.begin(link_id)
    message = exports.messages.pop()
    with monkeypatch.context() as broken:
        broken.setattr(procedure._File, "complete", die)
        for delivery in (1, 2, 3, 4):
            with pytest.raises(Killed):
                exports.deliver(message, delivery, sent_at=sent_at)

    assert not exports.deliver(message, 5, sent_at=sent_at)
    assert exports.get(link_id, begun["id"])[1]["state"] == "running"
    [again] = exports.messages
    assert again == message

    # The new message made no progress: the export fails and does not stay running.
    assert exports.deliver(again, 5, sent_at=time.time() + 1)
    assert exports.get(link_id, begun["id"])[1]["state"] == "failed"


def test_the_last_delivery_of_a_finished_export_changes_nothing(
    world: World, exports: Exports
) -> None:
    done, erased = world.create(2)
    _, begun = exports.begin(done)
    _, gone = exports.begin(erased)
    first, second = exports.messages
    exports.deliver(first)
    exports.forget(gone)

    assert not exports.deliver(first, 5)
    assert not exports.deliver(second, 5)
    assert exports.get(done, begun["id"])[1]["state"] == "complete"


def test_an_export_of_a_link_erased_between_runs_keeps_no_part(
    world: World, exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link_id] = world.create()
    for n in range(4):
        click(world, link_id, at=NOW + n)
    monkeypatch.setattr(procedure, "PART_BYTES", 500)
    exports.begin(link_id)
    message = exports.messages.pop()
    bucket = setting("EXPORTS_BUCKET")

    with monkeypatch.context() as broken:
        broken.setattr(ExportsBucket, "complete", Mock(side_effect=InternalError))
        with pytest.raises(InternalError):
            exports.run(message)
    assert len(exports.s3.list_multipart_uploads(Bucket=bucket)["Uploads"]) == 1

    world.erase_one(link_id)

    assert exports.run(message) == "gone"
    assert not exports.s3.list_multipart_uploads(Bucket=bucket).get("Uploads")
    assert not exports.s3.list_objects_v2(Bucket=bucket).get("Contents")


def test_a_complete_export_leaves_no_tail(
    world: World, exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procedure, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(export_lines, "FIRST_PAGE", 1)
    [link_id] = world.create()
    # All in one shard: page after page.
    clicks = [click(world, link_id, at=NOW + n, store=False) for n in range(30)]
    put: list[str] = []
    store = ExportsBucket.put

    def noting_the_key(self: ExportsBucket, key: str, body: bytes, **options: Any) -> None:
        put.append(key)
        store(self, key, body, **options)

    monkeypatch.setattr(ExportsBucket, "put", noting_the_key)
    world.clicks.write(put=[to_item(each) for each in clicks])
    _, begun = exports.begin(link_id)

    exports.work()

    assert [key.rpartition(".")[2] for key in put][:-1] == ["tail"] * (len(put) - 1)
    assert len(set(put)) == len(put) > 2
    objects = exports.s3.list_objects_v2(Bucket=setting("EXPORTS_BUCKET"))["Contents"]
    assert [each["Key"] for each in objects] == [object_key(world.workspace_id, begun["id"])]
    assert len(exports.lines(begun["id"])) == 31


def test_an_erasure_removes_what_an_unfinished_export_has_saved(
    world: World, exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procedure, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(export_lines, "FIRST_PAGE", 1)
    first, second = world.create(2)
    for link_id in (first, second):
        clicks = [click(world, link_id, at=NOW + n, store=False) for n in range(20)]
        world.clicks.write(put=[to_item(each) for each in clicks])
        _, begun = exports.begin(link_id)
        with monkeypatch.context() as patch:
            # A tail whose position was never saved has a key that is in no record.
            patch.setattr(ExportRecords, "advance", die)
            with pytest.raises(Killed):
                exports.run(exports.messages.pop())
    bucket = ExportsBucket(exports.s3, setting("EXPORTS_BUCKET"))
    listed = exports.s3.list_objects_v2(Bucket=bucket.name)["Contents"]
    assert len(listed) == 2

    bucket.remove_exports([object_key(world.workspace_id, begun["id"])])

    [left] = exports.s3.list_objects_v2(Bucket=bucket.name)["Contents"]
    assert left in listed
    assert begun["id"] not in left["Key"]


def test_an_export_with_a_missing_tail_starts_over(
    world: World, exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procedure, "SAVE_SECONDS", 0.0)
    [link_id] = world.create()
    for n in range(3):
        click(world, link_id, at=NOW + n)
    _, begun = exports.begin(link_id)
    [message] = exports.messages
    with monkeypatch.context() as broken:
        broken.setattr(procedure._File, "complete", die)
        with pytest.raises(Killed):
            exports.run(message)
    bucket = setting("EXPORTS_BUCKET")
    [tail] = exports.s3.list_objects_v2(Bucket=bucket)["Contents"]
    exports.s3.delete_object(Bucket=bucket, Key=tail["Key"])

    # It starts from the beginning, in a separate run.
    assert exports.run(message) == "running"
    exports.work()

    assert [line["type"] for line in exports.lines(begun["id"])] == ["link"] + ["click"] * 3


def test_soft_deleted_links_can_be_exported_and_erased_ones_not(
    world: World, exports: Exports
) -> None:
    deleted, erased = world.create(2)
    world.soft_delete([deleted])
    _, late = exports.begin(erased)
    world.erase_one(erased)

    status, begun = exports.begin(deleted)
    exports.work()

    assert status == 202
    assert "deletedAt" in exports.lines(begun["id"])[0]
    assert exports.begin(erased)[0] == exports.get(erased, late["id"])[0] == 404


def test_foreign_and_unknown_exports_are_not_found(world: World, exports: Exports) -> None:
    first, second = world.create(2)
    _, begun = exports.begin(first)

    assert exports.begin(first, workspace_id="ws-elsewhere")[0] == 404
    assert exports.get(first, begun["id"], workspace_id="ws-elsewhere")[0] == 404
    assert exports.get(second, begun["id"])[0] == 404
    assert exports.get(first, str(uuid.uuid4()))[0] == exports.get(first, "nonsense")[0] == 404
    assert exports.begin(first, scopes="linksRead")[0] == 403


@pytest.mark.parametrize("key", [None, "one"])
@pytest.mark.parametrize("error", [InternalError, Unavailable])
def test_an_export_whose_message_is_refused_can_be_requested_again(
    world: World,
    exports: Exports,
    monkeypatch: pytest.MonkeyPatch,
    key: str | None,
    error: type[UnlinkError],
) -> None:
    [link_id] = world.create()

    with monkeypatch.context() as patch:
        patch.setattr(Queue, "send", Mock(side_effect=error))
        for _ in range(2):
            reply = world.send(analytics, EXPORT, at=link_id, key=key)
            assert reply.status == 503
            assert reply.json() == {
                "statusCode": 503,
                "error": "Service Unavailable",
                "message": "Service temporarily unavailable",
                "retryAfter": 5,
            }
            assert reply.headers["Retry-After"] == "5"

    status, begun = exports.begin(link_id, key=key)
    exports.work()

    assert (status, begun["state"]) == (202, "pending")
    assert exports.get(link_id, begun["id"])[1]["state"] == "complete"


def test_a_key_of_an_expired_export_starts_a_new_one(
    world: World, exports: Exports, running_clock: RunningClock
) -> None:
    [link_id] = world.create()
    key = "one"
    _, first = exports.begin(link_id, key=key)
    exports.work()
    world.dynamodb.update_item(
        TableName=world.clicks.name,
        Key={"pk": {"S": link_id}, "sk": {"S": f"EXPORT#{first['id']}"}},
        UpdateExpression="SET #ttl=:seven_days_later",
        ExpressionAttributeNames={"#ttl": "ttl"},
        ExpressionAttributeValues={":seven_days_later": {"N": str(int(time.time()) + LINGERS)}},
    )
    assert exports.get(link_id, first["id"])[0] == 404
    assert exports.begin(link_id, key=key) == (202, first)
    running_clock.pass_by(IDEMPOTENCY_SECONDS + 1)

    status, begun = exports.begin(link_id, key=key)
    exports.work()

    assert (status, begun["state"]) == (202, "pending")
    assert begun["id"] != first["id"]
    assert exports.get(link_id, begun["id"])[1]["state"] == "complete"


def test_an_export_is_recorded_when_its_key_expires_at_that_moment(
    world: World, exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link_id] = world.create()
    key = "one"
    exports.begin(link_id, key=key)

    # The key is taken when it is claimed, and has expired whenever it is read.
    monkeypatch.setattr(IdempotencyTable, "find", lambda *_, **__: None)

    assert exports.begin(link_id, key=key)[0] == 503


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("part_bytes", "save_seconds"),
    [(procedure.PART_BYTES, 10.0), (1_000, 10.0), (1_000, 0.0)],
    ids=["whole", "in parts", "in parts with a tail"],
)
def test_each_call_fails_once_in_each_way_and_the_export_still_completes(
    world: World,
    exports: Exports,
    starting_point: StartingPoint,
    monkeypatch: pytest.MonkeyPatch,
    part_bytes: int,
    save_seconds: float,
) -> None:
    def link_with_clicks() -> tuple[str, set[str]]:
        [link_id] = world.create()
        world.spread(link_id)
        clicks = [click(world, link_id, at=NOW + n, store=False) for n in range(3)]
        world.clicks.write(put=[to_item(each) for each in clicks])
        return link_id, {each["id"] for each in clicks}

    use_two_shards(monkeypatch)
    monkeypatch.setattr(procedure, "PART_BYTES", part_bytes)
    monkeypatch.setattr(procedure, "SAVE_SECONDS", save_seconds)
    if not save_seconds:
        monkeypatch.setattr(export_lines, "FIRST_PAGE", 1)
    monkeypatch.setattr(calls, "BACKOFF_BASE", 0.001)
    for point in every_fault():
        link_id, clicks = starting_point(link_with_clicks)
        _, begun = exports.begin(link_id)
        [message] = exports.messages
        exports.messages.clear()
        faulty = FaultyClient()
        with point.strikes(faulty):
            if attempt(exports.run, message, faulty.beside) is None:
                # SQS brings it again.
                exports.run(message)
        exports.work()
        assert exports.get(link_id, begun["id"])[1]["state"] == "complete", point
        lines = exports.lines(begun["id"])
        assert [line["type"] for line in lines] == ["link"] + ["click"] * 3, point
        assert {line["id"] for line in lines[1:]} == clicks
    assert point.at > (14 if part_bytes == 1_000 else 9)
