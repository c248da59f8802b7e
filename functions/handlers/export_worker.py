"""Writes exports, message by message; what does not fit one run queues itself again."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools import Logger

from functions.aws.client import client
from functions.aws.sqs import Queue
from functions.config import setting
from functions.domain.clock import invocation_deadline, iso
from functions.metrics import reporting
from functions.repositories.clicks import ClicksTable
from functions.repositories.exports import ExportRecords, ExportsBucket
from functions.repositories.links import LinksTable
from functions.repositories.open_exports import OpenExports
from functions.services.export import give_up, run_export
from functions.services.export_lines import ExportStores

log = Logger()

#: What is kept of the invocation's time for the answer, in seconds.
RESERVED_SECONDS = 5.0


@reporting
@invocation_deadline(RESERVED_SECONDS)
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """SQS batch; ``batchItemFailures`` is answered.

    ``EXPORT_DELIVERIES`` is how often SQS delivers a message before it is a dead letter.
    """
    dynamodb = client("dynamodb")
    clicks, links = setting("CLICKS_TABLE"), setting("LINKS_TABLE")
    deliveries = int(setting("EXPORT_DELIVERIES"))
    opened = OpenExports(dynamodb, clicks)
    failures = []
    for record in event["Records"]:
        message = json.loads(record["body"])
        records = ExportRecords(dynamodb, clicks=clicks, links=links)
        queue = Queue(client("sqs"), setting("EXPORT_QUEUE_URL"))
        try:
            # The last delivery is for saying so: that also tells of runs that were killed.
            if int(record["attributes"]["ApproximateReceiveCount"]) >= deliveries:
                sent = record["attributes"].get("SentTimestamp")
                sent_at = iso(int(sent) / 1000) if sent else None
                if give_up(message, sent_at, records=records, queue=queue):
                    update_claims(message, "failed", opened)
                    log.error("an export was given up", extra=message)
                    failures.append({"itemIdentifier": record["messageId"]})
                continue
            state = run_export(
                message["workspaceId"],
                message["linkId"],
                message["exportId"],
                records=records,
                stores=ExportStores(
                    links=LinksTable(dynamodb, links),
                    clicks=ClicksTable(dynamodb, clicks),
                    # A part of 16 MB takes longer than a call of DynamoDB.
                    bucket=ExportsBucket(client("s3", read_timeout=15), setting("EXPORTS_BUCKET")),
                ),
                queue=queue,
            )
            update_claims(message, state, opened)
        except Exception:
            log.exception("an export failed", extra=message)
            failures.append({"itemIdentifier": record["messageId"]})
        else:
            log.info("export", extra=message | {"state": state})
    return {"batchItemFailures": failures}


def update_claims(message: dict[str, Any], state: str, opened: OpenExports) -> None:
    """Hold what an unfinished export claims, or release it after the last run.

    By the message alone: the export's record may be erased with its link by now.
    """
    claims = {"id": message["exportId"]} | message
    if state == "running":
        opened.renew(claims)
    elif state != "taken over":
        opened.release(claims)
