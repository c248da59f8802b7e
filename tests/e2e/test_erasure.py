"""From the delete to its receipt on the deployed stack, with a scan for remaining data."""

from __future__ import annotations

import json
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from functions.domain.ids import new_short_code
from local.demo_data import Workspace
from local.stack import LocalStack
from tests.support.http_client import Client, eventually
from tests.support.scans import scan

#: Seconds from a delete to its receipt; the queue's delay is most of it.
TIMEOUT = 180


@pytest.fixture
def admin(stack: LocalStack, workspace: Workspace) -> Client:
    return Client(stack.base_url, workspace.admin_key)


def click(admin: Client, link: dict[str, Any], times: int) -> None:
    for _ in range(times):
        response = Client(admin.base_url, "").get(f"/{link['shortCode']}")
        assert response.status == 302


def wait_until_complete(admin: Client, deletion_id: str) -> dict[str, Any]:
    path = f"/api/deletions/{deletion_id}"
    eventually(lambda: admin.get(path).json["state"], "complete", TIMEOUT)
    deletion: dict[str, Any] = admin.get(path).json
    return deletion


def images(stack: LocalStack, link_id: str) -> list[str]:
    return [key for bucket, key in objects(stack) if "Qr" in bucket and link_id in key]


def objects(stack: LocalStack) -> Iterator[tuple[str, str]]:
    """(output name, key) of every object in the stack's buckets."""
    s3 = stack.client("s3")
    for output, name in stack.outputs.items():
        if output.endswith("BucketName"):
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
                for entry in page.get("Contents", []):
                    yield output, entry["Key"]


def mentions(stack: LocalStack, *needles: str) -> list[str]:
    """Where in any table or bucket one of these texts (ids also as bytes) occurs."""
    found = []
    s3 = stack.client("s3")
    raw = [uuid.UUID(each).bytes for each in needles if len(each) == 36]

    def mentioned(value: Any) -> bool:
        if isinstance(value, bytes):
            return any(each in value for each in raw)
        return any(each in str(value) for each in needles)

    for output, name in stack.outputs.items():
        if not output.endswith("TableName"):
            continue
        for item in scan(stack.emulator.url, name):
            values = [next(iter(value.values())) for value in item.values()]
            if any(mentioned(value) for value in values):
                found.append(f"{output} {item['pk']['S']} {item['sk']['S']}")
    for output, key in objects(stack):
        body = s3.get_object(Bucket=stack.outputs[output], Key=key)["Body"].read()
        if mentioned(key) or any(each.encode() in body for each in needles):
            found.append(f"{output} {key}")
    return found


@dataclass(frozen=True)
class Erased:
    """Links that are erased at the start of the tests, so that their receipts exist at the end."""

    admin: Client
    workspace: Workspace
    link: dict[str, Any]
    deletion_id: str
    bulk_id: str


@pytest.fixture(scope="session")
def erased(stack: LocalStack) -> Erased:
    workspace = stack.new_workspace()
    admin = Client(stack.base_url, workspace.admin_key)
    code = new_short_code()
    link = admin.create(customCode=code, externalId=f"crm-{code}", title="To be erased")
    others = [admin.create() for _ in range(3)]
    click(admin, link, 5)
    click(admin, others[0], 2)
    rendered = admin.get(f"/api/links/{link['id']}/qr?format=svg")
    assert rendered.status == 200
    assert len(images(stack, link["id"])) == 1
    export = f"/api/analytics/links/{link['id']}/export"
    begun = admin.send("POST", export)
    assert begun.status == 202
    eventually(lambda: admin.get(f"{export}/{begun.json['id']}").json["state"], "complete")
    assert any(begun.json["id"] in key for _, key in objects(stack))
    assert len(mentions(stack, link["id"], code)) >= 6
    response = admin.delete(f"/api/links/{link['id']}?reason=privacy")
    assert response.status == 200
    bulk = admin.post("/api/links/bulk-delete", {"ids": [each["id"] for each in others]})
    assert bulk.status == 200
    ids = (each.headers["x-deletion-id"] for each in (response, bulk))
    return Erased(admin, workspace, link, *ids)


@pytest.mark.at_first
def test_an_erased_link_is_removed_at_once(erased: Erased) -> None:
    admin, link = erased.admin, erased.link

    assert admin.get(f"/api/links/{link['id']}").status == 404
    assert admin.get(f"/api/analytics/links/{link['id']}").status == 404
    assert Client(admin.base_url, "").get(f"/{link['shortCode']}").status == 404
    assert admin.get(f"/api/deletions/{erased.deletion_id}").json["state"] == "erasing"


@pytest.mark.at_last
def test_only_the_deletion_record_is_left_of_an_erased_link(
    stack: LocalStack, erased: Erased
) -> None:
    admin, link, deletion_id = erased.admin, erased.link, erased.deletion_id
    code, workspace_id = link["shortCode"], erased.workspace.workspace_id

    deletion = wait_until_complete(admin, deletion_id)

    receipt = deletion["receipt"]
    assert receipt.pop("verifiedEmptyAt") <= deletion["completedAt"]
    rollups = receipt.pop("rollups")
    # The schedule signs it within a minute.
    assert receipt.pop("signed") in {True, False}
    assert rollups >= 0
    assert receipt == {
        "links": 1,
        "codes": 1,
        "clicks": 5,
        "installs": 0,
        "installsKept": 0,
        "qrObjects": 1,
    }
    assert deletion["reason"] == "privacy"
    own = f"DeletionsTableName LINK#{workspace_id}#{link['id']} ERASURE"
    header = f"DeletionsTableName {workspace_id} {deletion_id}"
    reserved = f"LinksTableName CODE#{code} CODE"
    assert sorted(mentions(stack, link["id"], code)) == sorted([own, header, reserved])
    # The code's item names the workspace and a time, and nothing of the link.
    code_item = stack.client("dynamodb").get_item(
        TableName=stack.outputs["LinksTableName"],
        Key={"pk": {"S": f"CODE#{code}"}, "sk": {"S": "CODE"}},
        ConsistentRead=True,
    )["Item"]
    assert code_item.keys() == {"pk", "sk", "ttl", "reservedFor"}
    assert code_item["reservedFor"] == {"S": workspace_id}

    bulk_deletion = wait_until_complete(admin, erased.bulk_id)
    assert bulk_deletion["receipt"]["links"] == 3
    assert bulk_deletion["receipt"]["clicks"] == 2
    # The code is free for its own workspace.
    assert admin.create(customCode=code)["id"] != link["id"]


@pytest.fixture
def bus_events(stack: LocalStack) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """All events on the stack's event bus since the test started."""
    sqs, events = stack.client("sqs"), stack.client("events")
    name = f"events-{uuid.uuid4().hex[:8]}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    bus = stack.outputs["EventBusName"]
    events.put_rule(Name=name, EventBusName=bus, EventPattern='{"source":["unlink"]}')
    target = {"Id": "1", "Arn": arn["Attributes"]["QueueArn"]}
    events.put_targets(Rule=name, EventBusName=bus, Targets=[target])
    seen: list[dict[str, Any]] = []

    def read() -> list[dict[str, Any]]:
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                seen.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return seen

    yield read
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["1"])
    events.delete_rule(Name=name, EventBusName=bus)
    sqs.delete_queue(QueueUrl=url)


def test_a_soft_delete_removes_the_images_and_a_restore_returns_the_link(
    stack: LocalStack, admin: Client, bus_events: Callable[[], list[dict[str, Any]]]
) -> None:
    first, link, last = (admin.create() for _ in range(3))
    click(admin, link, 2)
    assert admin.get(f"/api/links/{link['id']}/qr?format=svg").status == 200
    assert len(images(stack, link["id"])) == 1

    deleted = admin.delete("/api/links?reason=tidy", [link["id"]])
    assert deleted.status == 200
    deletion_id = deleted.headers["x-deletion-id"]
    assert Client(admin.base_url, "").get(f"/{link['shortCode']}").status == 404
    eventually(lambda: images(stack, link["id"]), [])
    assert any("ClicksTableName" in where for where in mentions(stack, link["id"]))

    restored = admin.post(f"/api/deletions/{deletion_id}/restore", {"ids": [link["id"]]})

    assert (restored.status, restored.json) == (200, {"restoredIds": [link["id"]], "refused": []})
    listed = [each["id"] for each in admin.get("/api/links").json["links"]]
    assert listed == [last["id"], link["id"], first["id"]]
    assert Client(admin.base_url, "").get(f"/{link['shortCode']}").status == 302
    assert admin.get(f"/api/links/{link['id']}/qr?format=svg").status == 200
    assert len(images(stack, link["id"])) == 1

    eventually(lambda: len(events_about(bus_events(), deletion_id)), 2)
    gone, back = sorted(
        events_about(bus_events(), deletion_id), key=lambda each: each["detail-type"]
    )
    assert (gone["detail-type"], back["detail-type"]) == (
        "deletion.completed",
        "restore.completed",
    )
    for event in (gone, back):
        assert event["detail"]["url"] == f"{stack.base_url}/api/deletions/{deletion_id}"
        assert event["detail"]["actor"]["userId"] == "user-admin"
    assert gone["detail"]["counts"]["deleted"] == 1
    assert gone["detail"]["reason"] == "tidy"
    assert back["detail"]["counts"]["restored"] == 1


def events_about(events: list[dict[str, Any]], deletion_id: str) -> list[dict[str, Any]]:
    return [event for event in events if event["detail"]["id"] == deletion_id]


def test_the_export_is_written_before_the_delete(stack: LocalStack, admin: Client) -> None:
    link = admin.create(title="Exported")
    click(admin, link, 2)

    asked = admin.post("/api/deletions", {"ids": [link["id"]], "export": True})

    assert (asked.status, asked.json["state"]) == (202, "exporting")
    deletion_id = asked.headers["x-deletion-id"]
    eventually(lambda: admin.get(f"/api/deletions/{deletion_id}").json["state"], "complete")
    export = admin.get(f"/api/deletions/{deletion_id}").json["export"]
    with urllib.request.urlopen(export["url"], timeout=30) as response:
        lines = [json.loads(line) for line in response.read().splitlines()]
    assert [line["type"] for line in lines] == ["link", "click", "click"]
    assert lines[0]["title"] == "Exported"
    assert admin.get(f"/api/links/{link['id']}").status == 404
