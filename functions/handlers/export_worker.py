"""Writes exports, one message at a time. Unfinished exports are requeued."""

from __future__ import annotations

from typing import Any

from functions import service_stores
from functions.domain.clock import invocation_deadline
from functions.metrics import reporting
from functions.services.export_runs import process

#: Seconds of the invocation that are reserved for the response.
RESERVED_SECONDS = 5.0


@reporting
@invocation_deadline(RESERVED_SECONDS)
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle an SQS batch; ``batchItemFailures`` names the messages to deliver again."""
    jobs = service_stores.export_jobs()
    failed = [record for record in event["Records"] if not process(record, jobs)]
    return {"batchItemFailures": [{"itemIdentifier": each["messageId"]} for each in failed]}
