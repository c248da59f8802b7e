"""Counts clicks from the stream of the clicks table. Records may be delivered twice."""

from __future__ import annotations

from typing import Any

from functions import container, service_stores
from functions.domain.clock import invocation_deadline
from functions.powertools import Logger
from functions.services.click_aggregation import tally

#: Seconds of the invocation that are reserved for the response.
RESERVED_SECONDS = 5.0

log = Logger()


@invocation_deadline(RESERVED_SECONDS)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle a batch of stream records; ``batchItemFailures`` has the first record to retry.

    Lambda continues from the lowest sequence number (Developer Guide, "Configuring partial batch
    response with DynamoDB and Lambda"), so all later records are delivered again, counted or not.
    """
    failed = tally(
        event["Records"],
        rollups=container.rollups(),
        failures=service_stores.failed_records(event, context),
        visitor_secret=container.visitor_secret(),
    )
    log.info("tally", extra={"clicks": len(event["Records"]), "failed": len(failed)})
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed[:1]]}
