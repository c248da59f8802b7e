"""Each function gets by with its own synthesized policy, and has little that it does not use.

Functions are driven through what they do, and what they send is compared, at the SDK's boundary,
with what their roles may. A grant that no drive uses is named in `ELSEWHERE` with the reason.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.session
import pytest

from functions import (
    analytics,
    authorizer,
    cleanup,
    deletions,
    erase,
    links,
    qr,
    redirect,
    resume,
    tally,
)
from functions.unlink.clock import now_iso
from functions.unlink.ids import shard_of
from functions.unlink.keys import generate_api_key
from functions.unlink.policies import Policies
from functions.unlink.sessions import SigningKeys
from functions.unlink.stores import client as aws
from functions.unlink.stores import secrets
from functions.unlink.stores.items import to_item
from tests import tokens
from tests.conftest import World, forget_caches, make_world
from tests.events import Context, api_event
from tests.functions.erasing import Erasing
from tests.iam import Grant, Recorder, Use, grants
from tests.template import resources, synthesized_template

pytestmark = pytest.mark.engine

#: What the Lambda service does with a function's role; the code asks for none of it.
PLATFORM = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
}

#: Actions that IAM allows on every resource or on none.
WITHOUT_RESOURCE = {
    "xray:PutTraceSegments": "X-Ray has no resources",
    "xray:PutTelemetryRecords": "X-Ray has no resources",
    "dynamodb:ListStreams": "listing streams has no resource",
}

#: Function -> why the drives below do not use a grant -> the grants. It can only shrink: what a
#: drive uses, or what is no longer granted, has to leave this list.
ELSEWHERE: dict[str, dict[str, set[tuple[str, str]]]] = {
    "analytics": {
        "an install of a link that was clicked; an export that is asked for": {
            ("dynamodb:ConditionCheckItem", "DataLinks"),
            ("dynamodb:PutItem", "DataClicks"),
            ("dynamodb:UpdateItem", "DataClicks"),
            ("s3:GetObject", "DataExportsBucket/exports/*"),
            ("sqs:SendMessage", "QueuesExport"),
        },
    },
    "cleanup": {
        "only workspaces that want an event for each link": {("events:PutEvents", "EventsBus")},
        "Lambda's destination of failed batches; records put aside": {
            ("s3:ListBucket", "DataFailuresBucket"),
            ("s3:PutObject", "DataFailuresBucket/*"),
        },
    },
    "tally": {
        "Lambda's destination of failed batches": {
            ("s3:ListBucket", "DataFailuresBucket"),
            ("s3:PutObject", "DataFailuresBucket/*"),
        },
    },
    "deletions": {
        "not found in use: a candidate for removal": {
            ("dynamodb:ConditionCheckItem", "DataLinks"),
        },
        "codes in quarantine": {("dynamodb:UpdateItem", "DataLinks")},
        "a signed URL: its reader calls": {("s3:GetObject", "DataExportsBucket/exports/*")},
    },
    "links": {
        "not found in use: a candidate for removal": {
            ("dynamodb:ConditionCheckItem", "DataLinks"),
        },
    },
    "erase": {
        "links that TTL removed, and time that runs out": {
            ("dynamodb:BatchGetItem", "DataLinks"),
            ("dynamodb:DeleteItem", "DataLinks"),
            ("dynamodb:UpdateItem", "DataLinks"),
            ("dynamodb:PutItem", "DataDeletions"),
            ("events:PutEvents", "EventsBus"),
            ("sqs:SendMessage", "QueuesErase"),
        },
    },
    "qr": {
        "an image whose link was deleted while it was drawn": {
            ("s3:DeleteObject", "DataQrBucket/qr/*"),
        },
    },
    "resume": {
        "an open deletion of either mode, and a restore, whose worker died": {
            ("dynamodb:BatchGetItem", "DataDeletions"),
            ("dynamodb:BatchGetItem", "DataLinks"),
            ("dynamodb:ConditionCheckItem", "DataLinks"),
            ("dynamodb:DeleteItem", "DataLinks"),
            ("dynamodb:GetItem", "DataLinks"),
            ("dynamodb:PutItem", "DataDeletions"),
            ("dynamodb:Query", "DataDeletions"),
            ("dynamodb:Query", "DataLinks/index/live"),
            ("dynamodb:UpdateItem", "DataLinks"),
            ("sqs:SendMessage", "QueuesErase"),
            ("sqs:SendMessage", "QueuesResume"),
        },
        "a deletion that is to be exported first": {
            ("dynamodb:Query", "DataClicks"),
            ("s3:AbortMultipartUpload", "DataExportsBucket/exports/*"),
            ("s3:ListBucket", "DataExportsBucket"),
            ("s3:ListMultipartUploadParts", "DataExportsBucket/exports/*"),
            ("s3:PutObject", "DataExportsBucket/exports/*"),
        },
    },
}

BUCKETS = ("QR_BUCKET", "FAILURES_BUCKET", "EXPORTS_BUCKET")


@dataclass
class Scene:
    """A world whose SDK calls are recorded, and the phrases of the drives."""

    world: World
    recorder: Recorder
    erasing: Erasing

    def ask(self, module: Any, method: str, resource: str, **more: Any) -> Any:
        name = module.__name__.rpartition(".")[2]
        event = api_event(method, resource, workspace_id=self.world.workspace_id, **more)
        with self.recorder.acts(name):
            answer = module.handler(event, Context(more.pop("seconds", 28.0)))
        assert answer["statusCode"] < 500, (method, resource, answer)
        return answer

    def run(self, module: Any, event: dict[str, Any], seconds: float = 120.0) -> Any:
        with self.recorder.acts(module.__name__.rpartition(".")[2]):
            return module.handler(event, Context(seconds))


@pytest.fixture
def scene(deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    template = synthesized_template()
    outputs = {name: each["Value"] for name, each in template["Outputs"].items()}
    suffix = uuid.uuid4().hex[:8]
    names: dict[str, str] = {}

    def logical(output: str) -> str:
        value = outputs[output]
        return f"{{{value['Ref'] if 'Ref' in value else value['Fn::GetAtt'][0]}}}"

    for table in ("Links", "Clicks", "Deletions", "Access"):
        names[deployed[f"{table.upper()}_TABLE"]] = logical(f"{table}TableName")
    for queue in ("Resume", "Erase"):
        url = boto3.client("sqs").create_queue(QueueName=f"{queue}-{suffix}")["QueueUrl"]
        monkeypatch.setenv(f"{queue.upper()}_QUEUE_URL", url)
        names[url] = logical(f"{queue}QueueUrl")
    used_by = [
        each["Properties"].get("Environment", {}).get("Variables", {})
        for each in resources(template, "AWS::Lambda::Function").values()
    ]
    for variable in BUCKETS:
        references = {json.dumps(each[variable]) for each in used_by if variable in each}
        for reference in references:
            bucket = f"{variable.lower().replace('_', '-')}-{suffix}"
            boto3.client("s3").create_bucket(Bucket=bucket)
            monkeypatch.setenv(variable, bucket)
            names[bucket] = f"{{{json.loads(reference)['Ref']}}}"
    [bus] = resources(template, "AWS::Events::EventBus")
    boto3.client("events").create_event_bus(Name=f"bus-{suffix}")
    monkeypatch.setenv("EVENT_BUS", f"bus-{suffix}")
    names[f"bus-{suffix}"] = f"{{{bus}}}"
    [secret] = resources(template, "AWS::SecretsManager::Secret")
    arn = boto3.client("secretsmanager").create_secret(Name=suffix, SecretString="s")["ARN"]
    monkeypatch.setenv("CURSOR_SECRET_ARN", arn)
    monkeypatch.setattr(secrets, "call", aws.call)
    names[arn] = f"{{{secret}}}"
    monkeypatch.setenv("API_URL", "http://api.test")
    monkeypatch.setenv("SESSION_ISSUER", tokens.ISSUER)
    monkeypatch.setenv("SESSION_CLIENT_ID", tokens.CLIENT_ID)

    recorder = Recorder(names)
    session = botocore.session.get_session()
    session.register("before-send", recorder.before_send)
    monkeypatch.setattr(aws, "get_session", lambda: session)
    forget_caches()
    world = make_world(deployed)
    yield Scene(world, recorder, Erasing(world, deployed))
    forget_caches()


# -- the drives -----------------------------------------------------------------------------


def drive_authorizer(scene: Scene) -> None:
    access, workspace_id = scene.world.access, scene.world.workspace_id
    access.create_workspace(
        workspace_id, plan="pro", usage_key="u", usage_key_id="i", policies=Policies()
    )
    key = generate_api_key()
    access.put_key(
        key, key_id="k", workspace_id=workspace_id, scopes=["admin"], user_id="u", name="n"
    )
    access.put_member(f"user-{workspace_id}", workspace_id=workspace_id, role="owner")
    keys = SigningKeys(tokens.ISSUER, fetch=tokens.KeyServer())
    authorizer._signing_keys.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(authorizer, "_signing_keys", lambda _issuer: keys)
        for credential in (key, tokens.token(sub=f"user-{workspace_id}")):
            arn = "arn:aws:execute-api:r:a:api/prod/GET/x"
            answer = scene.run(
                authorizer, {"methodArn": arn, "headers": {"Authorization": credential}}
            )
            assert answer["context"]["workspaceId"] == workspace_id
    assert access.key(workspace_id, "k")["lastUsedAt"]


def drive_links(scene: Scene) -> None:
    new = {"originalUrl": "https://example.com/a"}
    key = {"Idempotency-Key": uuid.uuid4().hex}
    made = scene.ask(links, "POST", "/api/links", body=new | {"externalId": "e-1"}, headers=key)
    scene.ask(links, "POST", "/api/links", body=new | {"externalId": "e-1"}, headers=key)
    link = json.loads(made["body"])
    scene.ask(links, "GET", "/api/links/{id}", path={"id": link["id"]})
    scene.ask(links, "GET", "/api/links/{id}", path={"id": link["shortCode"]})
    for body in ({"title": "t"}, {"externalId": "e-2"}, {"externalId": None}):
        scene.ask(links, "PUT", "/api/links/{id}", path={"id": link["id"]}, body=body)
    scene.ask(links, "POST", "/api/links", body=[new, new])
    scene.ask(links, "GET", "/api/links", query={"limit": "1"})
    scene.ask(links, "GET", "/api/links", query={"externalId": "e-2"})
    # A code that is taken between the look and the transaction: what was made is taken back.
    taken = f"taken-{uuid.uuid4().hex[:8]}"
    scene.ask(links, "POST", "/api/links", body=new | {"shortCode": taken})
    from functions.unlink.stores.links import LinksTable

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LinksTable, "taken_codes", lambda *_, **__: set())
        many = [new] * 40 + [new | {"shortCode": taken}]
        assert scene.ask(links, "POST", "/api/links", body=many)["statusCode"] == 409


def drive_deletions(scene: Scene) -> None:
    ask, world = scene.ask, scene.world
    a, b, c, d, e = world.create(5)
    [coded] = world.create_items(1, externalId="x-1")
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    done = ask(deletions, "DELETE", "/api/links", body=[a, b], headers=headers)
    ask(deletions, "DELETE", "/api/links", body=[a, b], headers=headers)
    deletion = json.loads(ask(deletions, "GET", "/api/deletions")["body"])
    assert done["statusCode"] == 200
    first = deletion["deletions"][0]["id"]
    ask(deletions, "GET", "/api/deletions", query={"limit": "1"})
    ask(deletions, "GET", "/api/deletions/{id}", path={"id": first})
    ask(deletions, "DELETE", "/api/links/{id}", path={"id": coded["shortCode"]})
    ask(deletions, "POST", "/api/links/bulk-delete", body={"ids": [c]})
    ask(deletions, "POST", "/api/deletions", body={"ids": [d], "dryRun": True})
    ask(deletions, "POST", "/api/deletions", body={"filter": {"tag": "none"}})
    ask(deletions, "POST", "/api/deletions/{id}/restore", path={"id": first})
    ask(deletions, "DELETE", "/api/links", body=world.create(300))
    # No time is left after the intent: the rest is handed to the queue.
    event = api_event("DELETE", "/api/links", workspace_id=world.workspace_id, body=[e])
    with scene.recorder.acts("deletions"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "functions.unlink.stores.links.LinksTable.mark_deleted",
            lambda _self, _workspace, ids, **_: bytearray(len(ids)),
        )
        assert deletions.handler(event, Context(6.0))["statusCode"] == 202


def drive_qr(scene: Scene) -> None:
    [link] = scene.world.create(1)
    for _ in range(2):
        answer = scene.ask(qr, "GET", "/api/links/{id}/qr", path={"id": link})
        assert answer["statusCode"] == 200


def drive_redirect(scene: Scene) -> None:
    [item] = scene.world.create_items(1)
    event = api_event("GET", "/{code}", workspace_id="none", path={"code": item["shortCode"]})
    assert scene.run(redirect, event)["statusCode"] == 302


def drive_analytics(scene: Scene) -> None:
    [link] = scene.world.create(1)
    scene.ask(analytics, "GET", "/api/analytics/links/{id}", path={"id": link})
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    for _ in range(2):
        body = {"linkId": link}
        scene.ask(analytics, "POST", "/api/installs", body=body, headers=headers)


def drive_tally(scene: Scene) -> None:
    [link] = scene.world.create(1)
    click = {
        "pk": f"{link}#{shard_of(link)}",
        "sk": f"CLICK#{now_iso()}#1",
        "id": str(uuid.uuid4()),
        "linkId": link,
        "workspaceId": scene.world.workspace_id,
        "clickedAt": now_iso(),
    }
    record = {
        "eventName": "INSERT",
        "dynamodb": {"SequenceNumber": "100", "NewImage": to_item(click)},
    }
    scene.run(tally, {"Records": [record]})


def drive_resume(scene: Scene) -> None:
    scene.run(resume, {})
    [link] = scene.world.create(1)
    deletion, _ = scene.erasing.erase([link])
    body = {"workspaceId": scene.world.workspace_id, "deletionId": deletion.id}
    scene.run(resume, {"Records": [{"messageId": "1", "body": json.dumps(body)}]})
    scene.run(resume, {})


def drive_cleanup(scene: Scene) -> None:
    kept, gone = scene.world.create(2)
    scene.erasing.render(kept, "a.png")
    scene.erasing.render(gone, "b.png")
    _, soft = scene.erasing.soft_delete([kept])
    _, hard = scene.erasing.erase([gone])
    scene.run(cleanup, {"Records": [*soft, *hard]})


def drive_erase(scene: Scene) -> None:
    [link] = scene.world.create(1)
    scene.erasing.click(link, 3)
    scene.erasing.render(link, "a.png")
    _, records = scene.erasing.erase([link])
    scene.erasing.cleanup(records)
    for message in scene.erasing.messages:
        scene.run(erase, {"Records": [{"messageId": "1", "body": json.dumps(message)}]}, 300.0)


DRIVES: dict[str, Callable[[Scene], None]] = {
    name.removeprefix("drive_"): drive
    for name, drive in list(globals().items())
    if name.startswith("drive_")
}

#: Functions that ask AWS for nothing themselves, or only for what their own tests pin.
NOT_DRIVEN = {
    "docs": "makes no call",
    "export": "not driven yet",
    "announce": "its one call, PutEvents, is pinned by tests/infra/test_functions.py",
}


def test_every_function_is_driven() -> None:
    functions = {
        each["Properties"]["Handler"].split(".")[1]
        for each in resources(synthesized_template(), "AWS::Lambda::Function").values()
        if each["Properties"]["Handler"].startswith("functions.")
    }
    assert functions == set(DRIVES) | set(NOT_DRIVEN)


@pytest.mark.parametrize("function", sorted(DRIVES))
def test_a_function_gets_by_with_what_it_is_granted(scene: Scene, function: str) -> None:
    granted = grants(synthesized_template(), function)
    DRIVES[function](scene)
    used = scene.recorder.used[function]
    missing = sorted(
        {
            (use.action, use.resource)
            for use in used
            if not any(grant.allows(use) for grant in granted)
        }
    )
    assert not missing
    unused = {
        (grant.action, grant.resource)
        for grant in granted
        if grant.action not in PLATFORM and not any(grant.allows(use) for use in used)
    }
    assert {(action, plain(resource)) for action, resource in unused} == not_driven(function)


def plain(resource: str) -> str:
    """Without the hashes of logical ids."""
    return re.sub(r"\{(\w+?)[0-9A-F]{8}\}", r"\1", resource)


def not_driven(function: str) -> set[tuple[str, str]]:
    return {entry for entries in ELSEWHERE.get(function, {}).values() for entry in entries}


def test_what_is_allowed_on_everything_has_no_resource(scene: Scene) -> None:
    template = synthesized_template()
    for function in DRIVES:
        everything = {g.action for g in grants(template, function) if g.resource == "*"}
        assert everything <= set(WITHOUT_RESOURCE)


def test_the_comparison_would_notice_what_is_missing() -> None:
    """A condition that does not hold, another key or another table is no grant."""
    condition = json.dumps({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["RATE#*"]}})
    granted = Grant("dynamodb:UpdateItem", "{Access}", condition)
    assert granted.allows(Use("dynamodb:UpdateItem", "{Access}", "RATE#k#1"))
    assert not granted.allows(Use("dynamodb:UpdateItem", "{Access}", "KEY#k"))
    assert not granted.allows(Use("dynamodb:PutItem", "{Access}", "RATE#k#1"))
    assert not granted.allows(Use("dynamodb:UpdateItem", "{Links}", "RATE#k#1"))
