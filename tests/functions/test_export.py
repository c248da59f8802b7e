"""Exports: the link and every click, in as many parts and runs as it takes."""

from __future__ import annotations

import json
import time
import urllib.request
import uuid
from typing import Any

import pytest

from functions import analytics
from functions import export as export_function
from functions.unlink.clock import Deadline
from functions.unlink.procedures import export as procedure
from functions.unlink.procedures.deletion import erase_one, soft_delete
from functions.unlink.procedures.export import ExportStores, run_export
from functions.unlink.settings import setting
from functions.unlink.stores import client as aws
from functions.unlink.stores.exports import ExportRecords, ExportsBucket, object_key
from functions.unlink.stores.queues import Queue
from tests.conftest import World
from tests.functions.test_tally import click
from tests.gateway import Context, send

pytestmark = pytest.mark.engine

NOW = int(time.time()) - 60


class Exports:
    """A bucket of the test's own on the engine, and the routes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.s3 = aws.client("s3")
        self.messages: list[dict[str, Any]] = []

    @property
    def records(self) -> ExportRecords:
        return ExportRecords(
            self.world.dynamodb, clicks=self.world.clicks.name, links=self.world.stores.links.name
        )

    def begin(self, reference: str, **more: Any) -> tuple[int, Any]:
        reply = send(
            analytics.handler,
            "POST",
            "/api/analytics/links/{id}/export",
            path={"id": reference},
            **{"workspace_id": self.world.workspace_id} | more,
        )
        return reply.status, reply.json()

    def get(self, reference: str, export_id: str, **more: Any) -> tuple[int, Any]:
        reply = send(
            analytics.handler,
            "GET",
            "/api/analytics/links/{id}/export/{exportId}",
            path={"id": reference, "exportId": export_id},
            **{"workspace_id": self.world.workspace_id} | more,
        )
        return reply.status, reply.json()

    def work(self, seconds: float = 60) -> None:
        """Play the queue's consumer once for every message."""
        messages, self.messages[:] = list(self.messages), []
        event = {
            "Records": [
                {"messageId": str(n), "body": json.dumps(body)} for n, body in enumerate(messages)
            ]
        }
        assert export_function.handler(event, Context(seconds)) == {"batchItemFailures": []}

    def lines(self, export_id: str) -> list[dict[str, Any]]:
        key = object_key(self.world.workspace_id, export_id)
        body = self.s3.get_object(Bucket=setting("EXPORTS_BUCKET"), Key=key)["Body"].read()
        return [json.loads(line) for line in body.splitlines()]


@pytest.fixture
def exports(world: World, monkeypatch: pytest.MonkeyPatch) -> Exports:
    bucket = f"exports-{uuid.uuid4().hex[:8]}"
    monkeypatch.setenv("EXPORTS_BUCKET", bucket)
    monkeypatch.setenv("EXPORT_QUEUE_URL", "list")
    setting.cache_clear()
    made = Exports(world)
    made.s3.create_bucket(Bucket=bucket)

    def sent(self: Queue, message: dict[str, Any], *, deadline: Deadline, delay: int = 0) -> None:
        made.messages.append(message)

    monkeypatch.setattr(Queue, "send", sent)
    return made


def test_an_export_has_the_link_and_every_click(world: World, exports: Exports) -> None:
    [link] = world.create_items(title="Ünïcode")
    clicks = [click(world, link["id"], at=NOW + n, isBot=n == 3) for n in range(20)]

    status, begun = exports.begin(link["shortCode"])
    assert (status, begun["state"], begun["url"]) == (202, "pending", None)
    click(world, link["id"], at=time.time() + 60)
    exports.work()

    status, done = exports.get(link["id"], begun["id"])
    assert (status, done["state"]) == (200, "complete")
    with urllib.request.urlopen(done["url"]) as answer:
        lines = [json.loads(line) for line in answer.read().splitlines()]
    assert lines == exports.lines(begun["id"])
    assert (lines[0]["type"], lines[0]["id"], lines[0]["title"]) == ("link", link["id"], "Ünïcode")
    assert sorted(line["id"] for line in lines[1:]) == sorted(each["id"] for each in clicks)
    assert set(lines[1]) == {"type", *procedure.CLICK_FIELDS}
    assert sum(line["isBot"] for line in lines[1:]) == 1


def test_a_large_export_goes_on_over_many_runs_and_parts_and_loses_nothing(
    world: World, exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link_id] = world.create()
    clicks = [click(world, link_id, at=NOW + n / 100, referrer="x" * 450) for n in range(120)]
    monkeypatch.setattr(procedure, "PART_BYTES", 20_000)
    real = world.clicks.page
    _, begun = exports.begin(link_id)
    stores = ExportStores(
        links=world.stores.links,
        clicks=world.clicks,
        bucket=ExportsBucket(aws.client("s3"), setting("EXPORTS_BUCKET")),
    )
    deadlines: list[Deadline] = []

    def one_page_a_run(*args: Any, **keywords: Any) -> Any:
        found = real(*args, **keywords)
        if stores.clicks.name and len(seen) % 2:
            deadlines[-1].expire()
        seen.append(1)
        return found

    seen: list[int] = []
    monkeypatch.setattr(world.clicks, "page", one_page_a_run)
    # Parts this small are refused by S3 itself, so a part is what one run wrote.
    monkeypatch.setattr(procedure, "MARGIN", 0.0)
    runs = 0
    while exports.messages:
        message = exports.messages.pop()
        deadlines.append(Deadline(30))
        state = run_export(
            message["workspaceId"],
            message["linkId"],
            message["exportId"],
            records=exports.records,
            stores=stores,
            queue=Queue(None, "list"),
            deadline=deadlines[-1],
        )
        runs += 1
        assert runs < 60
        if state == "running" and runs > 40:
            monkeypatch.setattr(world.clicks, "page", real)

    lines = exports.lines(begun["id"])
    assert [line["type"] for line in lines].count("link") == 1
    assert sorted(line["id"] for line in lines[1:]) == sorted(each["id"] for each in clicks)
    assert exports.get(link_id, begun["id"])[1]["state"] == "complete"


def test_a_message_that_comes_twice_changes_nothing(world: World, exports: Exports) -> None:
    [link_id] = world.create()
    click(world, link_id, at=NOW)
    _, begun = exports.begin(link_id)
    exports.messages *= 2

    exports.work()

    assert len(exports.lines(begun["id"])) == 2
    assert exports.get(link_id, begun["id"])[1]["state"] == "complete"


def test_soft_deleted_links_can_be_exported_and_erased_ones_not(
    world: World, exports: Exports
) -> None:
    deleted, erased = world.create(2)
    soft_delete(
        [deleted], [], requester=world.requester(), stores=world.stores, deadline=Deadline(20)
    )
    _, late = exports.begin(erased)
    erase_one(erased, requester=world.requester(), stores=world.stores, deadline=Deadline(10))

    status, begun = exports.begin(deleted)
    exports.work()

    assert status == 202
    assert "deletedAt" in exports.lines(begun["id"])[0]
    assert exports.begin(erased)[0] == exports.get(erased, late["id"])[0] == 404


def test_exports_of_others_and_unknown_ones_do_not_exist(world: World, exports: Exports) -> None:
    first, second = world.create(2)
    _, begun = exports.begin(first)

    assert exports.begin(first, workspace_id="ws-elsewhere")[0] == 404
    assert exports.get(first, begun["id"], workspace_id="ws-elsewhere")[0] == 404
    assert exports.get(second, begun["id"])[0] == 404
    assert exports.get(first, str(uuid.uuid4()))[0] == exports.get(first, "nonsense")[0] == 404
    assert exports.begin(first, scopes=("linksRead",))[0] == 403


def test_the_same_key_is_the_same_export(world: World, exports: Exports) -> None:
    [link_id] = world.create()
    key = {"Idempotency-Key": "one"}

    first, again = exports.begin(link_id, headers=key), exports.begin(link_id, headers=key)

    assert first == again
    assert exports.begin(link_id)[1]["id"] != first[1]["id"]
