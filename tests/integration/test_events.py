"""Events of the code, compared with their schema and the rules of docs/events.md."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema_rs
import pytest
from moto.events.models import EventPattern

from functions.aws.codec import to_item
from functions.aws.events import EventBus
from functions.domain.deletion import Deletion
from functions.repositories.deletion_items import header_item
from functions.schemas.events import EVENTS
from functions.services.deletion_events import announce
from local.event_schema import event_schema
from tests.support.erasure import Erasing
from tests.support.markdown_examples import ROOT
from tests.support.openapi import openapi_document
from tests.support.restores import bring_back

SCHEMA = event_schema(openapi_document())
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)


def delivered(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of PutEvents as EventBridge delivers it."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": "000000000000",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": json.loads(entry["Detail"]),
    }


def announce_records(erasing: Erasing) -> None:
    """Send the events of every record of the workspace that has reached its end."""
    workspace_id = erasing.world.workspace_id
    records = erasing.world.stored(erasing.world.stores.deletions.name)
    failed = header_item(
        Deletion(
            id="01920b5e-7d4c-7000-8000-000000000000",
            workspace_id=workspace_id,
            mode="soft",
            state="failed",
            actor={"userId": "tester"},
            created_at="2026-01-01T00:00:00.000Z",
            completed_at="2026-01-01T00:00:01.000Z",
        )
    ) | to_item({"failure": "Too many links match"})
    announced = announce(
        [
            {"eventName": "MODIFY", "dynamodb": {"SequenceNumber": "1", "NewImage": item}}
            for item in [*records, failed]
            if item["pk"]["S"].split("#")[0] == workspace_id and "state" in item
        ],
        api_url="https://go.example",
        events=EventBus(erasing.bus, "bus"),
        failures=None,
    )
    assert announced == []


@pytest.fixture
def events(erasing: Erasing) -> list[dict[str, Any]]:
    """One event of each detail type, and of each mode."""
    wants = {"policies": {"linkEvents": True}}
    kept, gone = erasing.world.create(2)
    soft, records = erasing.soft_delete([kept], reason="tidy", **wants)
    erasing.cleanup(records)
    before = erasing.image_of(kept)
    assert bring_back(erasing.world, soft.id, [kept], **wants).restored_ids == [kept]
    erasing.cleanup([erasing.record("MODIFY", kept, before, erasing.image_of(kept))])
    erasing.click(gone, 2)
    erasing.erase_completely([gone], **wants)
    announce_records(erasing)
    return [delivered(entry) for entry in erasing.bus.entries]


def test_every_event_matches_the_schema_and_no_other_member_does(
    events: list[dict[str, Any]],
) -> None:
    assert {event["detail-type"] for event in events} == set(EVENTS)
    for event in events:
        VALIDATOR.validate(event)
        assert not VALIDATOR.is_valid(event | {"detail": event["detail"] | {"secret": 1}})
        assert not VALIDATOR.is_valid(event | {"detail-type": "link.unknown"})
        for member in event["detail"].keys() - {"reason", "receipt", "failure"}:
            rest = {name: value for name, value in event["detail"].items() if name != member}
            assert not VALIDATOR.is_valid(event | {"detail": rest}), member


def test_the_type_of_an_event_and_its_state_agree(events: list[dict[str, Any]]) -> None:
    [failed] = [event for event in events if event["detail-type"] == "deletion.failed"]
    assert failed["detail"]["failure"] == "Too many links match"
    assert not VALIDATOR.is_valid(failed | {"detail-type": "deletion.completed"})


def test_each_event_is_a_webhook_of_the_document() -> None:
    webhooks = openapi_document()["webhooks"]
    assert set(webhooks) == set(EVENTS)
    for name, webhook in webhooks.items():
        content = webhook["post"]["requestBody"]["content"]["application/json"]
        assert content["schema"]["properties"]["detail-type"] == {"const": name}


def test_the_schema_in_the_documentation_is_current() -> None:
    shown = json.loads((ROOT / "docs" / "events.schema.json").read_text(encoding="utf-8"))
    assert shown == SCHEMA


#: Each rule of the page, in order: the events that it lets through. Those of another workspace
#: are marked with a star.
RULES = {
    "Every event": {
        *("deletion.completed soft", "deletion.completed erase", "deletion.failed soft"),
        *("restore.completed", "link.soft_deleted", "link.restored", "link.erased"),
        *("*deletion.completed soft", "*deletion.completed erase", "*deletion.failed soft"),
        *("*restore.completed", "*link.soft_deleted", "*link.restored", "*link.erased"),
    },
    "Deletions that failed, of any workspace": {"deletion.failed soft", "*deletion.failed soft"},
    "Deletions and restores of one workspace that completed": {
        "deletion.completed soft",
        "deletion.completed erase",
        "restore.completed",
    },
    "Erasures of one workspace, with their receipts": {"deletion.completed erase"},
    "Soft deletes that completed": {"deletion.completed soft", "*deletion.completed soft"},
    "Each link, for workspaces with `linkEvents`": {
        *("link.soft_deleted", "link.restored", "link.erased"),
        *("*link.soft_deleted", "*link.restored", "*link.erased"),
    },
}


def test_the_rules_of_the_page_match_the_events_that_they_name(
    erasing: Erasing,
    events: list[dict[str, Any]],
) -> None:
    page = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    patterns = dict(re.findall(r"^([^\n]+):\n\n```json\n(.*?)```$", page, re.MULTILINE | re.DOTALL))
    assert page.count("```json") == len(patterns)
    foreign = [event | {"detail": event["detail"] | {"workspaceId": "other"}} for event in events]

    found = {
        title: {
            name_of(event, own=erasing.world.workspace_id)
            for event in events + foreign
            if matches(pattern.replace("acme", erasing.world.workspace_id), event)
        }
        for title, pattern in patterns.items()
    }

    assert found == RULES


def test_the_rules_let_no_event_of_another_source_through(events: list[dict[str, Any]]) -> None:
    page = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    for pattern in re.findall(r"```json\n(.*?)```", page, re.DOTALL):
        assert not any(matches(pattern, event | {"source": "aws.s3"}) for event in events)


def matches(pattern: str, event: Any) -> bool:
    return EventPattern(pattern, json.loads(pattern)).matches_event(event)


def name_of(event: dict[str, Any], *, own: str) -> str:
    detail = event["detail"]
    star = "" if detail["workspaceId"] == own else "*"
    return f"{star}{event['detail-type']} {detail.get('mode', '')}".strip()
