"""Follows the stream of the links table: images of deleted links go, erasures are queued."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from functions import container
from functions.domain.clock import invocation_deadline
from functions.metrics import reporting
from functions.services.link_stream import clean_up

#: What is kept of the invocation's time for the answer, in seconds.
RESERVED_SECONDS = 5.0

log = Logger()


@reporting
@invocation_deadline(RESERVED_SECONDS)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A batch of stream records; ``batchItemFailures`` names those to be tried again."""
    records = event["Records"]
    failed = clean_up(
        records,
        stores=container.cleanup_stores(event, context),
    )
    log.info("cleanup", extra={"records": len(records), "failed": len(failed)})
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
