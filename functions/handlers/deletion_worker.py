"""Finishes deletions that a worker left to the queue or, each minute, left by being killed.

Both ways run the same code as the request did, and either may run it twice.
"""

from __future__ import annotations

import json
from typing import Any

from functions import container
from functions.domain.clock import current_deadline, invocation_deadline
from functions.metrics import reporting
from functions.services import sweep

#: Seconds of the invocation that are reserved for saving the record and the requeue.
RESERVED_SECONDS = 5.0


@reporting
@invocation_deadline(RESERVED_SECONDS)
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle an SQS batch (returns ``batchItemFailures``) or the schedule's event."""
    stores = container.deletion_worker_stores()
    if "Records" not in event:
        sweep.finish_deletions(stores)
        sweep.finish_restores(container.restore_stores())
        sweep.requeue_stalled_erasures(stores, container.erase_queue())
        return {}
    failures = []
    for record in event["Records"]:
        message = json.loads(record["body"])
        if current_deadline().passed or not sweep.resume_logged(
            message["workspaceId"], message["deletionId"], stores
        ):
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
