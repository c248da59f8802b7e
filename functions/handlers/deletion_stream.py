"""Follows the stream of the deletions table: one event for each completed deletion or restore."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from functions.aws.client import client
from functions.aws.events import EventBus
from functions.config import setting
from functions.domain.clock import invocation_deadline
from functions.repositories.failed_records import FailuresBucket
from functions.services.deletion_events import announce

#: What is kept of the invocation's time for the answer, in seconds.
RESERVED_SECONDS = 5.0

log = Logger()


@invocation_deadline(RESERVED_SECONDS)
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
    )
    log.info("announce", extra={"records": len(records), "failed": len(failed)})
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
