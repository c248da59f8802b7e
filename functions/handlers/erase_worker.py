"""Works through the erase queue: clicks, rollups and installs of links that are gone."""

from __future__ import annotations

import json
import time
from typing import Any

from aws_lambda_powertools import Logger

from functions.aws.client import client
from functions.aws.events import EventBus
from functions.aws.sqs import Queue
from functions.config import setting
from functions.domain.clock import invocation_deadline
from functions.metrics import reporting
from functions.repositories.clicks import ClicksTable
from functions.repositories.deletions import DeletionsTable
from functions.repositories.erasures import ErasuresTable
from functions.repositories.exports import ExportsBucket
from functions.repositories.links import LinksTable
from functions.repositories.qr_cache import Images
from functions.services.purge import EraseStores, purge_dependents, read_message

#: What is kept of the invocation's time for the links that were just emptied, in seconds.
RESERVED_SECONDS = 20.0

log = Logger()


@reporting
@invocation_deadline(RESERVED_SECONDS)
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """An SQS batch; ``batchItemFailures`` names the messages that should come again."""
    dynamodb = client("dynamodb")
    stores = EraseStores(
        links=LinksTable(dynamodb, setting("LINKS_TABLE")),
        clicks=ClicksTable(dynamodb, setting("CLICKS_TABLE")),
        deletions=DeletionsTable(dynamodb, setting("DELETIONS_TABLE")),
        erasures=ErasuresTable(dynamodb, setting("DELETIONS_TABLE")),
        images=Images(client("s3"), setting("QR_BUCKET")),
        exports=ExportsBucket(client("s3"), setting("EXPORTS_BUCKET")),
        events=EventBus(client("events"), setting("EVENT_BUS")),
        erase_queue=Queue(client("sqs"), setting("ERASE_QUEUE_URL")),
    )
    failures = [
        {"itemIdentifier": record["messageId"]}
        for record in event["Records"]
        if not _erase(record["body"], stores)
    ]
    return {"batchItemFailures": failures}


def _erase(body: str, stores: EraseStores) -> bool:
    """One message; a failure of one must not stop the others."""
    started = time.perf_counter()
    try:
        workspace_id, removed = read_message(json.loads(body))
        succeeded = purge_dependents(workspace_id, removed, stores=stores)
    except Exception:
        log.exception("erasing failed")
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
