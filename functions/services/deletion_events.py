"""Telling the event bus that a deletion or restore is over.

From the record's own stream, so that no answer waits for it and none is forgotten. An event may
come twice; ``id`` and ``state`` tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_lambda_powertools import Logger

from functions.aws.codec import from_item
from functions.aws.events import EventBus
from functions.domain.errors import UnlinkError
from functions.repositories.failed_records import FailuresBucket
from functions.services.stream_records import parse_records

log = Logger()

Event = tuple[str, dict[str, Any]]


def announce(
    records: Sequence[dict[str, Any]],
    *,
    api_url: str,
    events: EventBus,
    failures: FailuresBucket | None,
) -> list[str]:
    """Send the events of a batch; the sequence numbers of the records to be tried again."""

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
    """The event of a record that has just reached its end; None for any other change."""
    data = record["dynamodb"]
    new = data["NewImage"]
    state = new["state"]["S"]
    old_state = data.get("OldImage", {}).get("state", {}).get("S")
    if state not in ("complete", "failed") or state == old_state:
        return None
    names = ("actor", "reason", "createdAt", "completedAt", "counts", "receipt")
    detail = _plain(from_item({name: new[name] for name in names if name in new}))
    sk = new["sk"]["S"]
    if sk.startswith("RESTORE#"):
        workspace_id, _, deletion_id = new["pk"]["S"].rpartition("#")
        kind, mode = "restore", {"restoreId": sk.removeprefix("RESTORE#")}
    else:
        workspace_id, deletion_id = new["pk"]["S"], sk
        kind, mode = "deletion", {"mode": new["mode"]["S"]}
    return (
        f"{kind}.{'completed' if state == 'complete' else 'failed'}",
        {
            "id": deletion_id,
            "workspaceId": workspace_id,
            "state": state,
            "url": f"{api_url}/api/deletions/{deletion_id}",
            **mode,
            **detail,
        },
    )


def _plain(value: Any) -> Any:
    """Whole numbers instead of DynamoDB's decimals, at any depth."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value if isinstance(value, str | bool) or value is None else int(value)
