"""One message of the export queue: a run of the export, or its end after too many failures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from functions.aws.sqs import Queue
from functions.domain.clock import iso
from functions.powertools import Logger
from functions.repositories.exports import ExportRecords
from functions.repositories.open_exports import OpenExports
from functions.services.export import give_up, run_export
from functions.services.export_lines import ExportStores

log = Logger()


def update_claims(message: dict[str, Any], state: str, opened: OpenExports) -> None:
    """Renew the claims of an unfinished export, or release them after the last run."""
    if state == "running":
        opened.renew(message)
    elif state != "taken over":
        opened.release(message)


@dataclass(frozen=True, slots=True)
class ExportJobs:
    """What the export of single links works with."""

    records: ExportRecords
    opened: OpenExports
    queue: Queue
    stores: ExportStores
    #: How often SQS delivers a message before it is a dead letter.
    deliveries: int


def process(record: dict[str, Any], jobs: ExportJobs) -> bool:
    """Process one SQS record; False when SQS should deliver it again."""
    message = json.loads(record["body"])
    try:
        # The last delivery marks the export as failed. This also covers killed runs.
        if int(record["attributes"]["ApproximateReceiveCount"]) >= jobs.deliveries:
            sent = record["attributes"].get("SentTimestamp")
            sent_at = iso(int(sent) / 1000) if sent else None
            state = give_up(message, sent_at, records=jobs.records, queue=jobs.queue)
        else:
            state = run_export(
                message["workspaceId"],
                message["linkId"],
                message["exportId"],
                records=jobs.records,
                stores=jobs.stores,
                queue=jobs.queue,
            )
        # Also of an export that ended before: its worker may have been killed at this point.
        update_claims(message, state, jobs.opened)
    except Exception:
        log.exception("an export failed", extra=message)
        return False
    if state == "failed":
        log.error("an export was given up", extra=message)
        return False
    log.info("export", extra=message | {"state": state})
    return True
