"""Reads the stream of the deletions table and sends one event per completed deletion or restore."""

from __future__ import annotations

from typing import Any

from functions import container, service_stores
from functions.domain.clock import invocation_deadline
from functions.powertools import Logger
from functions.services.deletion_events import announce

#: Seconds of the invocation that are reserved for the response.
RESERVED_SECONDS = 5.0

log = Logger()


@invocation_deadline(RESERVED_SECONDS)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle a batch of stream records; ``batchItemFailures`` names the ones to retry."""
    records = event["Records"]
    failed = announce(
        records,
        api_url=container.api_url(),
        events=container.event_bus(),
        failures=service_stores.failed_records(event, context),
    )
    log.info("announce", extra={"records": len(records), "failed": len(failed)})
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
