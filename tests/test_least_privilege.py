"""Each function's synthesized policy has all permissions that it uses, and few others.

The scenarios in `tests/support/iam_scenarios.py` run each function. What it sends is compared, at
the SDK's boundary, with what its role allows. A grant that no scenario can use is listed in
`ELSEWHERE` with the reason.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest

from functions.aws import calls, secrets
from functions.aws import client as aws
from functions.aws.session import session_for
from tests.conftest import forget_caches, make_world
from tests.differential.checks import CHECKS
from tests.support import tokens
from tests.support.erasure import Erasing
from tests.support.iam import Grant, Recorder, Use, grants, text
from tests.support.iam_scenarios import DRIVES, Scene
from tests.support.iam_simulator import IamSimulator
from tests.support.template import (
    invoked_function,
    module_of,
    properties_of,
    resources,
    synthesized_template,
)

#: Actions of the Lambda service with a function's role, not of the code.
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

#: Reason -> function -> actions that its code never uses. A used or no longer granted action must
#: be removed from this list.
ELSEWHERE: dict[str, dict[str, set[tuple[str, str]]]] = {
    "Lambda writes the batches of a stream that failed under the function's role": {
        "deletion_stream": {("s3:ListBucket", "DataFailuresBucket")},
        "link_stream": {("s3:ListBucket", "DataFailuresBucket")},
        "click_stream": {("s3:ListBucket", "DataFailuresBucket")},
    },
    "S3 answers NoSuchKey for a missing object only to callers that may list the bucket": {
        "qr": {("s3:ListBucket", "DataQrBucket")},
    },
    "who reads a signed URL has the rights of the function that signed it": {
        "analytics": {("s3:GetObject", "DataExportsBucket/exports/*")},
        "deletions": {("s3:GetObject", "DataExportsBucket/exports/*")},
    },
}

BUCKETS = ("QR_BUCKET", "FAILURES_BUCKET", "EXPORTS_BUCKET")


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
    for queue in ("Resume", "Erase", "Export"):
        url = boto3.client("sqs").create_queue(QueueName=f"{queue}-{suffix}")["QueueUrl"]
        monkeypatch.setenv(f"{queue.upper()}_QUEUE_URL", url)
        names[url] = logical(f"{queue}QueueUrl")
    used_by = [
        each.get("Environment", {}).get("Variables", {})
        for each in properties_of(template, "AWS::Lambda::Function")
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
    for variable in ("CURSOR_SECRET_ARN", "VISITOR_SECRET_ARN"):
        [reference] = {json.dumps(each[variable]) for each in used_by if variable in each}
        created = boto3.client("secretsmanager").create_secret(
            Name=f"{variable}-{suffix}", SecretString="s"
        )
        monkeypatch.setenv(variable, created["ARN"])
        names[created["ARN"]] = f"{{{json.loads(reference)['Ref']}}}"
    [receipt_key] = resources(template, "AWS::KMS::Key")
    made = boto3.client("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    key_id = made["KeyMetadata"]["KeyId"]
    monkeypatch.setenv("RECEIPT_KEY_ID", key_id)
    names[key_id] = f"{{{receipt_key}}}"
    monkeypatch.setattr(secrets, "call", calls.call)
    monkeypatch.setenv("API_URL", "http://api.test")
    monkeypatch.setenv("SESSION_ISSUER", tokens.ISSUER)
    monkeypatch.setenv("SESSION_CLIENT_IDS", tokens.CLIENT_ID)

    recorder = Recorder(names)

    def recorded(service: str) -> Any:
        session = session_for(service)
        session.register("before-send", recorder.before_send)
        return session

    monkeypatch.setattr(aws, "session_for", recorded)
    forget_caches()
    world = make_world(deployed)
    yield Scene(world, recorder, Erasing(world, deployed))
    forget_caches()


@pytest.fixture(scope="session")
def simulator() -> Iterator[IamSimulator]:
    started = IamSimulator(synthesized_template())
    yield started
    started.close()


#: Functions without AWS calls.
NOT_DRIVEN = {"pages"}


def test_every_function_has_a_scenario() -> None:
    functions = {
        module_of(each)
        for each in properties_of(synthesized_template(), "AWS::Lambda::Function")
        if each["Handler"].startswith("functions.")
    }
    assert functions == set(DRIVES) | NOT_DRIVEN
    assert set(DRIVES).isdisjoint(NOT_DRIVEN)


@pytest.mark.parametrize("function", sorted(DRIVES))
def test_every_call_is_granted_and_every_grant_is_used(
    scene: Scene, simulator: IamSimulator, function: str
) -> None:
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
    # The same by an independent simulator of IAM.
    assert [use for use in used if not simulator.allows(function, use)] == []
    # `make differential` checks every shape of call that is sent.
    assert sorted(scene.recorder.shapes - CHECKS.keys()) == []
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
    return {entry for by in ELSEWHERE.values() for entry in by.get(function, set())}


def test_a_function_may_consume_only_its_event_source() -> None:
    """What `PLATFORM` leaves out is granted only where Lambda uses it: on the event sources."""
    template = synthesized_template()
    sources: dict[str, set[str]] = {}
    for each in properties_of(template, "AWS::Lambda::EventSourceMapping"):
        name = module_of(invoked_function(template, each["FunctionName"]))
        sources.setdefault(name, set()).add(text(each["EventSourceArn"]))
    for function in set(DRIVES) | NOT_DRIVEN:
        consumed = {
            grant.resource
            for grant in grants(template, function)
            if grant.action in PLATFORM
            and grant.action.startswith(("sqs:", "dynamodb:"))
            and grant.action not in WITHOUT_RESOURCE
        }
        assert consumed == sources.get(function, set())


def test_functions_without_calls_have_no_rights() -> None:
    for function in NOT_DRIVEN:
        actions = {grant.action for grant in grants(synthesized_template(), function)}
        assert actions <= PLATFORM


def test_the_comparison_notices_a_missing_right() -> None:
    """A condition that does not hold, another key or another table does not grant the call."""
    condition = json.dumps({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["RATE#*"]}})
    granted = Grant("dynamodb:UpdateItem", "{Access}", condition)
    assert granted.allows(Use("dynamodb:UpdateItem", "{Access}", "RATE#k#1"))
    assert not granted.allows(Use("dynamodb:UpdateItem", "{Access}", "KEY#k"))
    assert not granted.allows(Use("dynamodb:PutItem", "{Access}", "RATE#k#1"))
    assert not granted.allows(Use("dynamodb:UpdateItem", "{Links}", "RATE#k#1"))


#: What a role must not do: function, action, resource, partition key.
LINK, OTHER = "acme#0b7c0c6e-3f0e-4d9c-9b0a-5f6a2b8a7f11", "0b7c0c6e-3f0e-4d9c-9b0a-5f6a2b8a7f11"
REFUSED = [
    # The audit record: no role deletes or replaces it in bulk.
    *((each, "DeleteItem", "Deletions", "acme") for each in sorted(DRIVES)),
    *((each, "BatchWriteItem", "Deletions", "acme") for each in sorted(DRIVES)),
    *((each, "PartiQLDelete", "Deletions", None) for each in sorted(DRIVES)),
    # Idempotency-Keys are in the same table, and erasures alone are read in batches.
    *(
        (each, action, "Deletions", key)
        for each in ("links", "analytics")
        for action in ("GetItem", "PutItem")
        for key in ("acme", None)
    ),
    ("links", "UpdateItem", "Deletions", "acme"),
    *((each, "BatchGetItem", "Deletions", "acme") for each in ("deletions", "deletion_worker")),
    # Links are deleted by PartiQL; a short code is reserved by an update.
    *(
        (each, "UpdateItem", "Links", key)
        for each in ("deletions", "deletion_worker", "scheduler", "erase_worker")
        for key in (LINK, None)
    ),
    ("erase_worker", "DeleteItem", "Links", LINK),
    # API functions touch rate windows of `access` only; who calls is the authorizer's to read.
    *(
        (each, "UpdateItem", "Access", key)
        for each in ("links", "deletions", "analytics", "qr")
        for key in ("WS#acme", "KEY#0f1e", "MEMBER#u1", None)
    ),
    *((each, "GetItem", "Access", "KEY#0f1e") for each in ("links", "redirect", "click_stream")),
    ("authorizer", "UpdateItem", "Access", "KEY#0f1e"),
    ("authorizer", "PutItem", "Access", "KEY#0f1e"),
    ("authorizer", "GetItem", "Links", LINK),
    # Visits: one function reads links and adds clicks, and neither changes nor deletes.
    ("redirect", "UpdateItem", "Links", LINK),
    ("redirect", "DeleteItem", "Links", LINK),
    ("redirect", "DeleteItem", "Clicks", OTHER),
    ("redirect", "Query", "Clicks", OTHER),
    # The stream's reader of links changes counters of workspaces, and no link.
    ("link_stream", "UpdateItem", "Links", LINK),
    ("link_stream", "UpdateItem", "Links", "CODE#spring"),
    ("link_stream", "DeleteItem", "Links", "COUNT#acme"),
    ("click_stream", "PutItem", "Links", LINK),
    ("click_stream", "DeleteItem", "Links", LINK),
    ("click_stream", "PartiQLDelete", "Clicks", None),
    # Deletes touch the slots of exports in `clicks`, and no click. The worker reads its exports.
    *(
        (each, action, "Clicks", OTHER)
        for each in ("deletions", "deletion_worker", "scheduler")
        for action in ("PutItem", "UpdateItem", "DeleteItem", "Query")
        if (each, action) != ("deletion_worker", "Query")
    ),
]


@pytest.mark.parametrize(("function", "action", "table", "key"), REFUSED)
def test_the_simulator_refuses_what_a_role_is_not_for(
    simulator: IamSimulator, function: str, action: str, table: str, key: str | None
) -> None:
    assert not simulator.allows(function, Use(f"dynamodb:{action}", arn_of(table), key))


@pytest.mark.parametrize(
    ("function", "table", "key", "attribute"),
    [
        ("redirect", "Links", LINK, "onePartition"),
        ("authorizer", "Access", "KEY#0f1e", "lastUsedAt"),
        ("keys", "Access", "KEY#0f1e", "revokedAt"),
    ],
)
def test_a_role_may_write_one_attribute_and_read_none_by_it(
    simulator: IamSimulator, function: str, table: str, key: str, attribute: str
) -> None:
    allowed = frozenset({"pk", "sk", attribute})
    own = Use("dynamodb:UpdateItem", arn_of(table), key, allowed)
    assert simulator.allows(function, own)
    others = [
        replace(own, attributes=allowed | {"scopes"}),
        replace(own, attributes=frozenset()),
        replace(own, return_values="ALL_OLD"),
    ]
    if table == "Access":
        others += [replace(own, leading_key="WS#acme"), replace(own, leading_key=None)]
    for other in others:
        assert not simulator.allows(function, other), other


def arn_of(table: str) -> str:
    """What `text` writes for a table's ARN."""
    [logical_id] = [
        name
        for name in resources(synthesized_template(), "AWS::DynamoDB::Table")
        if name.startswith(f"Data{table}")
    ]
    return f"{{{logical_id}}}"


def test_no_role_may_scan_or_drop_a_table(simulator: IamSimulator) -> None:
    tables = resources(synthesized_template(), "AWS::DynamoDB::Table")
    for function in sorted(DRIVES):
        for action in ("Scan", "DeleteTable", "PartiQLSelect", "UpdateTable"):
            for name in tables:
                assert not simulator.allows(function, Use(f"dynamodb:{action}", f"{{{name}}}"))
