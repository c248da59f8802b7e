"""Exports of links: the routes, the queue and the worker, on a bucket of the emulator."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from functions import container
from functions.aws import client as aws
from functions.aws.sqs import Queue
from functions.config import setting
from functions.domain.clock import Deadline, use_deadline
from functions.handlers import analytics
from functions.handlers import export_worker as export_function
from functions.repositories.clicks import ClicksTable
from functions.repositories.exports import ExportRecords, ExportsBucket, object_key
from functions.repositories.links import LinksTable
from functions.repositories.open_exports import OpenExports
from functions.services.export_lines import ExportStores
from functions.services.export_runs import ExportJobs, run_export, update_claims
from tests.conftest import World
from tests.support.api_gateway import Context
from tests.support.faults import Killed

EXPORT = "POST /api/analytics/links/{id}/export"


class Exports:
    """The test's own bucket on the emulator, and the routes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.s3 = aws.client("s3")
        self.messages: list[dict[str, Any]] = []

    def begin(self, reference: str, **more: Any) -> tuple[int, Any]:
        return self.world.call(analytics, EXPORT, at=reference, **more)

    def get(self, reference: str, export_id: str, **more: Any) -> tuple[int, Any]:
        return self.world.call(
            analytics,
            "GET /api/analytics/links/{id}/export/{exportId}",
            path={"id": reference, "exportId": export_id},
            **more,
        )

    def work(self) -> None:
        """Process every message of the queue once."""
        messages, self.messages[:] = list(self.messages), []
        assert not any(self.deliver(message) for message in messages)

    def deliver(
        self, message: dict[str, Any], delivery: int = 1, *, sent_at: float | None = None
    ) -> bool:
        """Deliver a message to the function for the n-th time; returns whether it failed."""
        record: dict[str, Any] = {
            "messageId": "m-1",
            "body": json.dumps(message),
            "attributes": {"ApproximateReceiveCount": str(delivery)},
        }
        if sent_at is not None:
            record["attributes"]["SentTimestamp"] = str(int(sent_at * 1000))
        response = export_function.handler({"Records": [record]}, Context(60))
        assert response["batchItemFailures"] in ([], [{"itemIdentifier": "m-1"}])
        return bool(response["batchItemFailures"])

    def run(
        self,
        message: dict[str, Any],
        wrap: Callable[[Any], Any] = lambda client: client,
        cut: Deadline | None = None,
    ) -> str:
        """One run of the worker, perhaps with failing clients; returns the new state."""
        dynamodb = wrap(self.world.dynamodb)
        clicks, links = self.world.clicks.name, self.world.stores.links.name
        jobs = ExportJobs(
            records=ExportRecords(dynamodb, clicks=clicks, links=links),
            opened=OpenExports(dynamodb, clicks),
            queue=Queue(None, "list"),
            stores=ExportStores(
                links=LinksTable(dynamodb, links),
                clicks=ClicksTable(dynamodb, clicks),
                bucket=ExportsBucket(wrap(self.s3), setting("EXPORTS_BUCKET")),
            ),
            deliveries=5,
        )
        with use_deadline(cut or Deadline(60)):
            state = run_export(message, jobs)
            update_claims(message, state, jobs.opened)
        return state

    def forget(self, begun: dict[str, Any]) -> None:
        """Remove an export's record, as the erasure of its link does."""
        key = {"pk": {"S": begun["linkId"]}, "sk": {"S": f"EXPORT#{begun['id']}"}}
        self.world.dynamodb.delete_item(TableName=self.world.clicks.name, Key=key)

    def lines(self, export_id: str) -> list[dict[str, Any]]:
        key = object_key(self.world.workspace_id, export_id)
        body = self.s3.get_object(Bucket=setting("EXPORTS_BUCKET"), Key=key)["Body"].read()
        return [json.loads(line) for line in body.splitlines()]


@pytest.fixture
def exports(world: World, monkeypatch: pytest.MonkeyPatch) -> Exports:
    bucket = f"exports-{uuid.uuid4().hex[:8]}"
    monkeypatch.setenv("EXPORTS_BUCKET", bucket)
    monkeypatch.setenv("EXPORT_QUEUE_URL", "list")
    container.reset()
    made = Exports(world)
    made.s3.create_bucket(Bucket=bucket)

    def sent(self: Queue, message: dict[str, Any], *, delay: int = 0) -> None:
        made.messages.append(message)

    monkeypatch.setattr(Queue, "send", sent)
    return made


class MemoryBucket:
    """Exports in memory; it can fail first."""

    def __init__(self, failures: int = 0) -> None:
        self.objects: dict[str, bytes] = {}
        self.failures = failures

    def put(self, key: str, body: bytes, *, content_type: str) -> None:
        if self.failures:
            self.failures -= 1
            raise Killed
        self.objects[key] = body
