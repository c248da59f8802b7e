"""Follows the stream of the deletions table: one event for each completed deletion or restore."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from functions.unlink.clock import Deadline
from functions.unlink.procedures.announcement import announce
from functions.unlink.settings import setting
from functions.unlink.stores.client import client
from functions.unlink.stores.events import EventBus
from functions.unlink.stores.failures import FailuresBucket

#: What is kept of the invocation's time for the answer, in seconds.
MARGIN = 5.0

log = Logger()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A batch of stream records; ``batchItemFailures`` names those to be tried again."""
    records = event["Records"]
    failed = announce(
        records,
        api_url=setting("API_URL").rstrip("/"),
        events=EventBus(client("events"), setting("EVENT_BUS")),
        failures=None
        if event.get("replayed")
        else FailuresBucket(
            client("s3"), setting("FAILURES_BUCKET"), function=context.invoked_function_arn
        ),
        deadline=Deadline(context.get_remaining_time_in_millis() / 1000 - MARGIN),
    )
    log.info("announce", extra={"records": len(records), "failed": len(failed)})
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
