"""Sends an event when a deletion or restore is complete.

It reads the stream of the record, so no response waits for it and no event is lost. An event may be
sent twice; compare ``id`` and ``state``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from functions.aws.codec import from_item
from functions.aws.events import Event, EventBus
from functions.domain.errors import UnlinkError
from functions.powertools import Logger
from functions.repositories.failed_records import FailuresBucket
from functions.services.stream_records import parse_records

if TYPE_CHECKING:
    from functions.schemas.events import DeletionEvent, RestoreEvent

log = Logger()

#: The attributes of a deletion's or restore's record that its event is made of.
_MEMBERS = (
    *("pk", "sk", "mode", "state", "actor", "reason"),
    *("createdAt", "completedAt", "counts", "receipt", "failure"),
)


def announce(
    records: Sequence[dict[str, Any]],
    *,
    api_url: str,
    events: EventBus,
    failures: FailuresBucket | None,
) -> list[str]:
    """Send the events of a batch; returns the sequence numbers of the records to retry."""

    def meaning(record: dict[str, Any]) -> tuple[str, Event] | None:
        event = _event(record, api_url)
        return (record["dynamodb"]["SequenceNumber"], event) if event else None

    found, failed = parse_records(records, meaning, failures=failures)
    try:
        events.put([event for _, event in found])
    except UnlinkError:
        log.exception("sending events failed")
        failed |= {number for number, _ in found}
    return sorted(failed)


def _event(record: dict[str, Any], api_url: str) -> Event | None:
    """The event of a record that has just reached its final state; None for any other change."""
    data = record["dynamodb"]
    new = data["NewImage"]
    state = new["state"]["S"]
    old_state = data.get("OldImage", {}).get("state", {}).get("S")
    if state not in ("complete", "failed") or state == old_state:
        return None
    ended = from_item({name: new[name] for name in _MEMBERS if name in new})
    if ended["sk"].startswith("RESTORE#"):
        return "restore.completed", _restore(ended, api_url)
    kind = "deletion.completed" if state == "complete" else "deletion.failed"
    return kind, _deletion(ended, api_url)


def _deletion(ended: dict[str, Any], api_url: str) -> DeletionEvent:
    event: DeletionEvent = {
        "id": ended["sk"],
        "workspaceId": ended["pk"],
        "mode": ended["mode"],
        "state": ended["state"],
        "url": f"{api_url}/api/deletions/{ended['sk']}",
        "actor": ended["actor"],
        "createdAt": ended["createdAt"],
        "completedAt": ended["completedAt"],
        "counts": ended["counts"],
    }
    if "reason" in ended:
        event["reason"] = ended["reason"]
    if "receipt" in ended:
        event["receipt"] = ended["receipt"]
    if "failure" in ended:
        event["failure"] = ended["failure"]
    return event


def _restore(ended: dict[str, Any], api_url: str) -> RestoreEvent:
    workspace_id, _, deletion_id = ended["pk"].rpartition("#")
    event: RestoreEvent = {
        "id": deletion_id,
        "restoreId": ended["sk"].removeprefix("RESTORE#"),
        "workspaceId": workspace_id,
        "state": ended["state"],
        "url": f"{api_url}/api/deletions/{deletion_id}",
        "actor": ended["actor"],
        "createdAt": ended["createdAt"],
        "completedAt": ended["completedAt"],
        "counts": ended["counts"],
    }
    if "reason" in ended:
        event["reason"] = ended["reason"]
    return event
