"""Finishes deletions that a request or another worker left to the queue.

It runs the same code as the request did, and may run it twice.
"""

from __future__ import annotations

import json
from typing import Any

from functions import service_stores
from functions.domain.clock import current_deadline, invocation_deadline
from functions.metrics import reporting
from functions.services.run_deletion import resume_logged

#: Seconds of the invocation that are reserved for saving the record and the requeue.
RESERVED_SECONDS = 5.0


@reporting
@invocation_deadline(RESERVED_SECONDS)
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle an SQS batch; ``batchItemFailures`` names the messages to deliver again."""
    stores = service_stores.deletion_worker_stores()
    failures = []
    for record in event["Records"]:
        message = json.loads(record["body"])
        if current_deadline().passed or not resume_logged(
            message["workspaceId"], message["deletionId"], stores
        ):
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
