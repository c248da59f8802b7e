"""Follows the stream of the links table: images of deleted links go, erasures are queued."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from functions.aws.client import client
from functions.aws.events import EventBus
from functions.aws.sqs import Queue
from functions.config import setting
from functions.domain.clock import invocation_deadline
from functions.metrics import reporting
from functions.repositories.erasures import ErasuresTable
from functions.repositories.failed_records import FailuresBucket
from functions.repositories.link_counts import LinkCounts
from functions.repositories.qr_cache import Images
from functions.services.link_stream import CleanupStores, clean_up

#: What is kept of the invocation's time for the answer, in seconds.
RESERVED_SECONDS = 5.0

log = Logger()


@reporting
@invocation_deadline(RESERVED_SECONDS)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A batch of stream records; ``batchItemFailures`` names those to be tried again."""
    s3 = client("s3")
    dynamodb = client("dynamodb")
    stores = CleanupStores(
        counts=LinkCounts(dynamodb, setting("LINKS_TABLE")),
        erasures=ErasuresTable(dynamodb, setting("DELETIONS_TABLE")),
        images=Images(s3, setting("QR_BUCKET")),
        events=EventBus(client("events"), setting("EVENT_BUS")),
        failures=None
        if event.get("replayed")
        else FailuresBucket(s3, setting("FAILURES_BUCKET"), function=context.invoked_function_arn),
        erase_queue=Queue(client("sqs"), setting("ERASE_QUEUE_URL")),
    )
    records = event["Records"]
    failed = clean_up(
        records,
        stores=stores,
    )
    log.info("cleanup", extra={"records": len(records), "failed": len(failed)})
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
