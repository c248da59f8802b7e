"""One event per completed deletion or restore, from the stream of its record."""

from __future__ import annotations

import json
from typing import Any

from functions.aws.codec import to_item
from functions.aws.events import EventBus
from functions.repositories.failed_records import FailuresBucket
from functions.services.deletion_events import announce
from tests.support.erasure import FakeEvents, FakeS3


def record(new: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, Any]:
    images = {"NewImage": to_item(new)} | ({"OldImage": to_item(old)} if old else {})
    return {
        "eventName": "MODIFY" if old else "INSERT",
        "dynamodb": {"Keys": {}, "SequenceNumber": "7"} | images,
    }


HEADER = {
    "pk": "ws-1",
    "sk": "01920b5e-7d4c-7000-8000-000000000000",
    "mode": "erase",
    "state": "complete",
    "actor": {"keyId": "k", "userId": "u"},
    "reason": "privacy",
    "createdAt": "2026-01-01T00:00:00.000Z",
    "completedAt": "2026-01-01T00:01:00.000Z",
    "counts": {"requested": 2, "deleted": 2},
    "receipt": {"links": 2, "clicks": 10, "verifiedEmptyAt": "2026-01-01T00:01:00.000Z"},
}


def events_of(*records: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    bus = FakeEvents()
    failed = announce(
        records,
        api_url="https://go.example",
        events=EventBus(bus, "bus"),
        failures=FailuresBucket(FakeS3(), "failures", function="arn:announce"),
    )
    assert failed == []
    return [(entry["DetailType"], json.loads(entry["Detail"])) for entry in bus.entries]


def test_a_completed_deletion_event_has_receipt_and_url() -> None:
    [(kind, detail)] = events_of(record(HEADER, HEADER | {"state": "erasing"}))

    assert kind == "deletion.completed"
    assert detail == {
        "id": HEADER["sk"],
        "workspaceId": "ws-1",
        "state": "complete",
        "url": f"https://go.example/api/deletions/{HEADER['sk']}",
        **{
            name: HEADER[name]
            for name in ("mode", "actor", "reason", "createdAt", "completedAt", "counts", "receipt")
        },
    }


def test_only_the_final_state_sends_an_event() -> None:
    restored = HEADER | {"counts": {"requested": 2, "deleted": 1, "restored": 1}}
    assert events_of(record(restored, HEADER)) == []
    assert events_of(record(HEADER | {"state": "erasing"})) == []
    [(kind, _)] = events_of(record(HEADER | {"state": "failed"}, HEADER | {"state": "deleting"}))
    assert kind == "deletion.failed"


def test_the_event_of_a_failed_deletion_has_the_reason() -> None:
    why = "The filter matches more links than the plan allows"
    failed = HEADER | {"state": "failed", "failure": why, "receipt": None}

    [(kind, detail)] = events_of(record(failed, HEADER | {"state": "accepted"}))

    assert (kind, detail["failure"]) == ("deletion.failed", why)
    assert "receipt" not in detail
    [(_, completed)] = events_of(record(HEADER, HEADER | {"state": "erasing"}))
    assert "failure" not in completed


def test_a_completed_restore_sends_an_event() -> None:
    restore = {
        "pk": f"ws-1#{HEADER['sk']}",
        "sk": "RESTORE#01920b5e-7d4c-7000-8000-000000000001",
        "state": "complete",
        "actor": {"keyId": "k", "userId": "u"},
        "createdAt": "2026-01-02T00:00:00.000Z",
        "completedAt": "2026-01-02T00:00:01.000Z",
        "counts": {"requested": 1, "restored": 1, "refused": 0},
    }

    [(kind, detail)] = events_of(record(restore, restore | {"state": "restoring"}))

    assert kind == "restore.completed"
    assert detail["id"] == HEADER["sk"]
    assert detail["restoreId"] == "01920b5e-7d4c-7000-8000-000000000001"
    assert detail["workspaceId"] == "ws-1"


def test_a_poison_record_is_dead_lettered_and_delays_no_other() -> None:
    assert len(events_of({"dynamodb": {}}, record(HEADER))) == 1
