"""Requests the export of one link: one per link and a limited number per workspace at a time."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from functions.aws.sqs import Queue
from functions.domain.clock import iso, now_iso
from functions.domain.errors import InternalError, LimitReached, LinkNotFound, Unavailable
from functions.domain.idempotency import IdempotencyKey, IdempotencyRecord, KeyTaken
from functions.domain.link import Link
from functions.domain.plans import Plan
from functions.powertools import Logger
from functions.repositories.exports import ExportGone, ExportRecords, message_of
from functions.repositories.idempotency import IdempotencyTable
from functions.repositories.open_exports import HELD_SECONDS, OpenExports

if TYPE_CHECKING:
    from functions.schemas.analytics_responses import ExportState

#: Attempts of a new export that competes with parallel requests.
ATTEMPTS = 3

#: Seconds until the next attempt for a slot.
SLOT_RETRY_SECONDS = 60

#: Why an export is ``failed``, for the caller. The log has the cause.
GIVEN_UP = "The export failed after several attempts. Start a new export."

log = Logger()


def begin_export(
    link: Link,
    *,
    base_url: str,
    plan: Plan,
    key: IdempotencyKey | None,
    keys: IdempotencyTable,
    records: ExportRecords,
    opened: OpenExports,
    queue: Queue,
) -> dict[str, Any]:
    """Record and queue the export of a link, live or soft-deleted; returns the record.

    A link has at most one unfinished export; if there is one, it is returned. Raises
    ``LinkNotFound``, ``KeyReused``, ``Unavailable`` if it was not queued, and ``LimitReached`` if
    the workspace has as many unfinished exports as its plan allows.
    """
    workspace_id, link_id = link.workspace_id, link.id
    record = {
        "id": str(uuid.uuid4()),
        "linkId": link_id,
        "workspaceId": workspace_id,
        "state": "pending",
        "createdAt": now_iso(),
        "baseUrl": base_url,
    }
    try:
        for _ in range(ATTEMPTS):
            running, ended = _unfinished(link_id, records, opened)
            if running is not None:
                if key is not None:
                    keys.claim(workspace_id, key, _kept(running))
                return _sent(running, queue)
            claim = keys.claim_action(workspace_id, key, _kept(record)) if key else None
            if _created(
                record,
                ended=ended,
                key_claim=claim,
                plan=plan,
                records=records,
                opened=opened,
            ):
                return _sent(record, queue)
    except ExportGone:
        raise LinkNotFound from None
    except KeyTaken:
        earlier = keys.find(workspace_id, key) if key else None
        if earlier is None:
            # The key expired just now, so nothing was recorded: try again.
            raise Unavailable from None
        return begun_export(earlier, workspace_id=workspace_id, records=records, queue=queue)
    raise Unavailable


def _kept(record: dict[str, Any]) -> dict[str, Any]:
    """The attributes of an export in the record of its key."""
    return {
        "exportId": record["id"],
        "linkId": record["linkId"],
        "createdAt": record["createdAt"],
        "state": record["state"],
    }


def _unfinished(
    link_id: str, records: ExportRecords, opened: OpenExports
) -> tuple[dict[str, Any] | None, str | None]:
    """The link's unfinished export, else the id of a finished one that still has the claim."""
    export_id = opened.of_link(link_id)
    if export_id is None:
        return None, None
    record = records.get(link_id, export_id)
    if record is None or state_of(record) in ("complete", "failed"):
        return None, export_id
    return record, None


def _created(
    record: dict[str, Any],
    *,
    ended: str | None,
    key_claim: dict[str, Any] | None,
    plan: Plan,
    records: ExportRecords,
    opened: OpenExports,
) -> bool:
    """Create the record in the first free slot; False if another request was faster."""
    maximum = plan.open_exports
    for number in opened.free(record["workspaceId"], maximum):
        record["slot"] = number
        refused = records.create(
            record["workspaceId"],
            record,
            *opened.claim_actions(record, ended=ended),
            key_claim=key_claim,
        )
        if not refused:
            return True
        link_is_taken, _ = refused
        if link_is_taken:
            return False
    raise LimitReached(
        f"At most {maximum} exports of a workspace can be unfinished at a time under the "
        f"{plan.name} plan",
        limit=maximum,
        retry_after=SLOT_RETRY_SECONDS,
    )


def begun_export(
    record: IdempotencyRecord,
    *,
    workspace_id: str,
    records: ExportRecords,
    queue: Queue,
) -> dict[str, Any]:
    """The export of a used key, as it was first answered.

    Also if an erasure of its link removed it since.
    """
    kept = record.details
    export = {
        "id": kept["exportId"],
        "linkId": kept["linkId"],
        "workspaceId": workspace_id,
        "state": kept["state"],
        "createdAt": kept["createdAt"],
    }
    now = records.get(export["linkId"], export["id"])
    if now is not None:
        # The first request may have been killed before it sent the message.
        _sent(now, queue)
    return export


def _sent(record: dict[str, Any], queue: Queue) -> dict[str, Any]:
    """Send the message of a pending export, perhaps again; returns the record.

    Raises ``Unavailable`` if the message was not sent. Only a repeated request sends it again.
    """
    if record["state"] == "pending":
        try:
            queue.send(message_of(record))
        except InternalError as error:
            # A refusal needs an operator, but the caller may repeat the request.
            log.exception("an export was not queued", extra={"exportId": record["id"]})
            raise Unavailable from error
    return record


def state_of(record: dict[str, Any]) -> ExportState:
    """The state of an export as callers see it.

    An export without progress for hours is ``failed``, even if its worker could not record that:
    its message may be a dead letter, so no worker continues it.
    """
    heard = record.get("progressAt", record["createdAt"])
    stalled = heard < iso(time.time() - HELD_SECONDS)
    state: ExportState = record["state"]
    return "failed" if state in ("pending", "running") and stalled else state
