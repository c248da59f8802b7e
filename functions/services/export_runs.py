"""The export of one link as a job: one message of the export queue is one run of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from functions.aws.sqs import Queue
from functions.domain.clock import iso, now_iso, shutdown_deadline
from functions.powertools import Logger
from functions.repositories.exports import ExportGone, ExportRecords, message_of, object_key
from functions.repositories.open_exports import OpenExports
from functions.services.export import RESERVED_SECONDS, write_export
from functions.services.export_lines import ExportStores
from functions.services.export_position import Position
from functions.services.export_request import GIVEN_UP

log = Logger()


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
            state = _give_up(message, iso(int(sent) / 1000) if sent else None, jobs)
        else:
            state = run_export(message, jobs)
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


def update_claims(message: dict[str, Any], state: str, opened: OpenExports) -> None:
    """Renew the claims of an unfinished export, or release them after the last run."""
    if state == "running":
        opened.renew(message)
    elif state != "taken over":
        opened.release(message)


def run_export(message: dict[str, Any], jobs: ExportJobs) -> str:
    """One run of a link's export; returns the new state. A ``running`` export is requeued.

    Safe to repeat: of two parallel runs one finds the record changed and stops. A failed export
    continues if its dead letter is sent again.
    """
    record = jobs.records.get(message["linkId"], message["exportId"])
    if record is None or record["state"] == "complete":
        return "nothing to do"
    workspace_id, link_id = message["workspaceId"], message["linkId"]
    position = Position.read(record.get("position"))
    key = object_key(workspace_id, message["exportId"])
    # A run that started while the link existed ends before the purge looks for files.
    if jobs.stores.links.get(workspace_id, link_id) is None:
        if position.upload_id is not None:
            jobs.stores.bucket.abort(key, position.upload_id)
        return "gone"

    def save(reached: Position) -> None:
        unfinished = "running" if reached != Position() else "pending"
        has_progress = reached.place != Position.read(record.get("position")).place
        jobs.records.advance(
            record,
            state="complete" if reached.done else unfinished,
            position=reached.stored(),
            **({"progressAt": now_iso()} if has_progress else {}),
        )

    try:
        reached = write_export(
            [link_id],
            workspace_id=workspace_id,
            key=key,
            until=record["createdAt"],
            base_url=record["baseUrl"],
            position=position,
            save=save,
            stores=jobs.stores,
        )
    except ExportGone:
        return "taken over"
    if reached.done:
        return "complete"
    with shutdown_deadline(RESERVED_SECONDS):
        jobs.queue.send(message_of(record))
    return "running"


def _give_up(message: dict[str, Any], sent_at: str | None, jobs: ExportJobs) -> str:
    """The last delivery of a message: mark an export that failed every time as ``failed``, so that
    callers stop waiting. Returns the state, as :func:`run_export` does.

    ``sent_at`` is when its message was sent. An export with progress since then gets a new message
    instead: its runs were killed, but each one continued.
    """
    record = jobs.records.get(message["linkId"], message["exportId"])
    if record is None or record["state"] == "complete":
        return "nothing to do"
    if sent_at is not None and record.get("progressAt", "") > sent_at:
        jobs.queue.send(message)
        return "running"
    try:
        jobs.records.advance(record, state="failed", failure=GIVEN_UP)
    except ExportGone:
        return "taken over"
    return "failed"
