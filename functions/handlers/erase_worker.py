"""Processes the erase queue: removes clicks, rollups and installs of erased links."""

from __future__ import annotations

import json
import time
from typing import Any

from functions import service_stores
from functions.domain.clock import invocation_deadline
from functions.metrics import reporting
from functions.powertools import Logger
from functions.services.expired_links import EraseStores
from functions.services.purge import purge_dependents
from functions.services.purge_message import read_message

#: Seconds of the invocation that are reserved for finishing the links that were just purged.
RESERVED_SECONDS = 20.0

log = Logger()


@reporting
@invocation_deadline(RESERVED_SECONDS)
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle an SQS batch; ``batchItemFailures`` names the messages to deliver again."""
    stores = service_stores.erase_stores()
    failures = [
        {"itemIdentifier": record["messageId"]}
        for record in event["Records"]
        if not _erase(record["body"], stores)
    ]
    return {"batchItemFailures": failures}


def _erase(body: str, stores: EraseStores) -> bool:
    """Handle one message. Its failure must not stop the others."""
    started = time.perf_counter()
    try:
        workspace_id, removed = read_message(json.loads(body))
        succeeded = purge_dependents(workspace_id, removed, stores=stores)
    except Exception:
        log.exception("an erasure failed")
        return False
    log.info(
        "erase",
        extra={
            "workspaceId": workspace_id,
            "links": len(removed),
            "succeeded": succeeded,
            "durationMs": round((time.perf_counter() - started) * 1000, 1),
        },
    )
    return succeeded
