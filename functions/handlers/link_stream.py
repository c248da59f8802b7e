"""Reads the stream of the links table: removes images of deleted links and queues erasures."""

from __future__ import annotations

from typing import Any

from functions import service_stores
from functions.domain.clock import invocation_deadline
from functions.metrics import reporting
from functions.powertools import Logger
from functions.services.link_stream import clean_up

#: Seconds of the invocation that are reserved for the response.
RESERVED_SECONDS = 5.0

log = Logger()


@reporting
@invocation_deadline(RESERVED_SECONDS)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle a batch of stream records; ``batchItemFailures`` names the ones to retry."""
    records = event["Records"]
    failed = clean_up(records, stores=service_stores.cleanup_stores(event, context))
    log.info("cleanup", extra={"records": len(records), "failed": len(failed)})
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
