"""`make aws-smoke`: checks on a throw-away stage of a real account, for what the emulator cannot
show.

    AWS_PROFILE=… .venv/bin/python -m tests.smoke.__main__ --yes

Deploys the stage `smoke`, checks, and destroys it with its data. Costs a few cents and half an
hour. The checks are those of docs/operations.md, "Not verified on AWS"; the end-to-end tests run
`CHECKS` against the local stack, so that only what AWS alone shows is new to them there.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from admin import commands
from admin.commands import Deployment, Refused
from admin.connection import client_maker, outputs_of
from admin.failed_records import failures, records_of, replay
from functions.domain.policies import Policies

ROOT = Path(__file__).resolve().parent.parent.parent
STAGE = "smoke"
CDK = ROOT / "node_modules" / ".bin" / "cdk"

#: What `call` answers: status, parsed body (or its text), headers by lower-case name.
Response = tuple[int, Any, dict[str, str]]


class Failed(Exception):
    """A check saw something else."""


class Smoke:
    """The deployed stage, with a workspace of its own.

    `client` makes boto3 clients; `cdk` runs a command of the CDK CLI for the stage and answers its
    exit code; `base_url` is where the API is, if not at the output `ApiUrl`.
    """

    def __init__(
        self,
        *,
        stage: str,
        client: Callable[[str], Any],
        cdk: Callable[..., int],
        base_url: str = "",
        ttl_hours: float = 0,
    ) -> None:
        self.stage = stage
        self.client = client
        self.cdk = cdk
        self.ttl_hours = ttl_hours
        self.outputs = outputs_of(f"Unlink-{stage}", client)
        self.base_url = (base_url or self.outputs["ApiUrl"]).rstrip("/")
        self.deployment = Deployment.of(self.outputs, client)
        self.workspace = f"smoke-{uuid.uuid4().hex[:8]}"
        # Retention, so that a soft-deleted link has what its removal by TTL needs.
        commands.create_workspace(
            self.deployment, self.workspace, plan="free", policies=Policies(retention_days=1)
        )
        self.key, _ = commands.issue_key(
            self.deployment,
            self.workspace,
            name="smoke",
            scopes=("linksRead", "linksWrite", "linksErase"),
        )
        # First, because its receipt takes longest; looked at by a check.
        self.erased = self.call("DELETE", f"/api/links/{self.create()['id']}")

    def call(
        self, method: str, path: str, body: bytes | None = None, key: str | None = None
    ) -> Response:
        """Call the API with the workspace's key, or another."""
        address = urlsplit(self.base_url)
        secure = address.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(address.netloc, timeout=40)
        headers = {"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json"}
        try:
            connection.request(method, address.path + path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        finally:
            connection.close()
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = text
        return answer.status, parsed, {name.lower(): value for name, value in answer.getheaders()}

    def create(self) -> dict[str, Any]:
        """A new link."""
        status, link, _ = self.call("POST", "/api/links", b'{"originalUrl":"https://example.com"}')
        _expect(status == 201, f"create answered {status}: {link}")
        return dict(link)

    def key_of(self, link: dict[str, Any]) -> dict[str, Any]:
        """The key of a link's item."""
        return {"pk": {"S": f"{self.workspace}#{link['id']}"}, "sk": {"S": "LINK"}}

    def named(self, kind: str, part: str = "") -> list[str]:
        """What the stack's resources of a type are called whose logical id contains `part`."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        return [
            str(resource["PhysicalResourceId"])
            for page in pages.paginate(StackName=f"Unlink-{self.stage}")
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == f"AWS::{kind}" and part in resource["LogicalResourceId"]
        ]

    def set_aside(self, text: str) -> list[str]:
        """Keys of the failures' bucket under which a record mentions `text`."""
        bucket = self.outputs["FailuresBucketName"]
        return [
            key
            for key, failure in failures(self.client("s3"), bucket)
            if text in json.dumps(records_of(failure))
        ]

    def clean(self) -> None:
        """Remove what CloudFormation leaves: the workspace's usage key, and objects."""
        item = self.deployment.access.workspace(self.workspace)
        if item is not None:
            self.deployment.usage_keys.delete(str(item["usageKeyId"]))
        s3 = self.client("s3")
        for name, bucket in self.outputs.items():
            if name.endswith("BucketName"):
                for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                    for entry in page.get("Contents", []):
                        s3.delete_object(Bucket=bucket, Key=entry["Key"])


def _expect(truth: bool, otherwise: str) -> None:
    if not truth:
        raise Failed(otherwise)


def _wait(what: str, look: Callable[[], Any], *, minutes: float, pause: float = 5) -> Any:
    """Poll `look` until it returns something; raises `Failed` after a timeout."""
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(pause)
    raise Failed(f"{what}: not within {minutes:g} minutes")


# -- everywhere -------------------------------------------------------------------------------


def diff_is_empty(smoke: Smoke) -> None:
    """`cdk diff` says nothing after a deployment."""
    _expect(smoke.cdk("diff", "--fail") == 0, "there are differences, or it failed")


def delete_body_and_statement(smoke: Smoke) -> None:
    """DELETE with a body reaches the function; the PartiQL statement and its rights work."""
    link = smoke.create()
    status, answer, _ = smoke.call("DELETE", "/api/links", json.dumps([link["id"]]).encode())
    _expect((status, answer) == (200, {"deletedIds": [link["id"]]}), f"{status}: {answer}")
    status, _, _ = smoke.call("GET", f"/{link['shortCode']}")
    _expect(status == 404, f"the redirect still answers {status}")


def refusals_are_mapped(smoke: Smoke) -> None:
    """A wrong key is 401 with both contracts' body, an unknown route 404."""
    status, answer, _ = smoke.call("GET", "/api/links", key="invalid")
    _expect(status == 401 and answer["error"]["en"] == "Invalid API key", f"{status}: {answer}")
    status, answer, _ = smoke.call("GET", "/api/nothing")
    _expect(status == 404 and answer["message"] == "Route not found", f"{status}: {answer}")


def payload_limits(smoke: Smoke) -> None:
    """Five megabytes are refused with our 413, not with the gateway's own words."""
    status, answer, _ = smoke.call("DELETE", "/api/links", b"[" + b" " * 5_000_000 + b"]")
    _expect(status == 413 and "error" in answer, f"{status}: {answer}")


def strange_records_are_put_aside(smoke: Smoke) -> None:
    """A stream record that nobody understands is put aside, and the redrive command reads it."""
    table, strange = smoke.outputs["LinksTableName"], f"strange-{uuid.uuid4().hex}"
    dynamodb = smoke.client("dynamodb")
    key = {"pk": {"S": strange}, "sk": {"S": "LINK"}}
    dynamodb.put_item(TableName=table, Item=key)
    dynamodb.delete_item(TableName=table, Key=key)
    [aside] = _wait("a record put aside", lambda: smoke.set_aside(strange), minutes=5, pause=2)
    bucket = smoke.outputs["FailuresBucketName"]
    # It is as strange as before, so it stays.
    [(_, problem)] = replay(smoke.client, bucket, aside)
    _expect(problem == "1 of 1 records failed", f"the redrive says {problem}")
    smoke.client("s3").delete_object(Bucket=bucket, Key=aside)


def erasure_and_its_rights(smoke: Smoke) -> None:
    """The erasing transaction, stream, queue and receipt, each under its own role."""
    status, answer, headers = smoke.erased
    _expect(status == 200, f"{status}: {answer}")
    record = _wait("a receipt", lambda: _complete(smoke, headers["x-deletion-id"]), minutes=20)
    _expect(record["receipt"]["links"] == 1, f"receipt {record['receipt']}")


def _complete(smoke: Smoke, deletion_id: str) -> dict[str, Any] | None:
    _, record, _ = smoke.call("GET", f"/api/deletions/{deletion_id}")
    return dict(record) if record.get("state") == "complete" else None


def usage_plan_throttles(smoke: Smoke) -> None:
    """More than a window's worth at once: some are refused, all with Retry-After."""
    refused = []
    for _ in range(330):
        status, _, headers = smoke.call("GET", "/api/links?limit=1")
        if status == 429:
            refused.append(headers)
        if len(refused) == 10:
            break
    _expect(bool(refused), "nothing was refused")
    _expect(all("retry-after" in each for each in refused), "a 429 without Retry-After")


# -- on AWS alone -----------------------------------------------------------------------------


def settings_that_engines_drop(smoke: Smoke) -> None:
    """TTL, PITR, lifecycle and the key source are really on."""
    dynamodb = smoke.client("dynamodb")
    for name in ("Links", "Clicks", "Deletions", "Access"):
        table = smoke.outputs[f"{name}TableName"]
        ttl = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        _expect(ttl["TimeToLiveStatus"] in {"ENABLED", "ENABLING"}, f"{table}: {ttl}")
        backup = dynamodb.describe_continuous_backups(TableName=table)
        recovery = backup["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        _expect(recovery["PointInTimeRecoveryStatus"] == "ENABLED", f"{table}: {recovery}")
    for name in ("Qr", "Exports", "Failures"):
        rules = smoke.client("s3").get_bucket_lifecycle_configuration(
            Bucket=smoke.outputs[f"{name}BucketName"]
        )["Rules"]
        _expect(bool(rules), f"the bucket {name} has no lifecycle")
    api = smoke.client("apigateway").get_rest_api(restApiId=smoke.outputs["ApiId"])
    _expect(api["apiKeySource"] == "AUTHORIZER", f"key source {api['apiKeySource']}")


def alarms_reach_their_topic(smoke: Smoke) -> None:
    """CloudWatch may publish to the topic of the alarms."""
    # One that no deployment minds.
    alarms, [name] = smoke.client("cloudwatch"), smoke.named("CloudWatch::Alarm", "ErasureLate")
    alarms.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a smoke test")

    def acted() -> list[str]:
        history = alarms.describe_alarm_history(AlarmName=name, HistoryItemType="Action")
        return [str(each["HistorySummary"]) for each in history["AlarmHistoryItems"]]

    said = _wait("an action of the alarm", acted, minutes=5)
    _expect(said[0].startswith("Successfully executed action"), said[0])


def failed_batches_reach_the_bucket(smoke: Smoke) -> None:
    """What a stream's reader fails on every time ends in the bucket, and can be done after all."""
    link = smoke.create()
    with broken(smoke, smoke.outputs["LinkStreamFunctionName"]) as version:
        _move_alias(smoke, smoke.outputs["LinkStreamFunctionName"], version)
        smoke.client("dynamodb").delete_item(
            TableName=smoke.outputs["LinksTableName"], Key=smoke.key_of(link)
        )
        # Ten retries with a back-off of at most some minutes.
        [key] = _wait("a failed batch", lambda: smoke.set_aside(link["id"]), minutes=70, pause=20)
    [(_, problem)] = replay(smoke.client, smoke.outputs["FailuresBucketName"], key)
    _expect(problem is None, f"the redrive says {problem}")


def failing_versions_are_taken_back(smoke: Smoke) -> None:
    """CodeDeploy takes a version that fails back within its five minutes."""
    [function] = smoke.named("Lambda::Function", "Redirect")
    [application] = smoke.named("CodeDeploy::Application")
    [group] = smoke.named("CodeDeploy::DeploymentGroup", "Redirect")
    deploy, before = smoke.client("codedeploy"), _version(smoke, function)
    with broken(smoke, function) as version:
        shift = {
            "version": 0.0,
            "Resources": [
                {
                    "redirect": {
                        "Type": "AWS::Lambda::Function",
                        "Properties": {
                            "Name": function,
                            "Alias": "live",
                            "CurrentVersion": before,
                            "TargetVersion": version,
                        },
                    }
                }
            ],
        }
        started = deploy.create_deployment(
            applicationName=application,
            deploymentGroupName=group,
            revision={
                "revisionType": "AppSpecContent",
                "appSpecContent": {"content": json.dumps(shift)},
            },
        )["deploymentId"]

        def ended() -> str | None:
            for _ in range(10):
                smoke.call("GET", "/nothing")
            status = deploy.get_deployment(deploymentId=started)["deploymentInfo"]["status"]
            return str(status) if status in {"Succeeded", "Failed", "Stopped"} else None

        status = _wait("the end of the deployment", ended, minutes=15, pause=2)
        _expect(status != "Succeeded", "the failing version went live")
        _wait("the version before", lambda: _version(smoke, function) == before, minutes=5, pause=5)


def expired_links_are_erased(smoke: Smoke) -> None:
    """A link past its retention is removed by TTL, and its erasure starts by itself."""
    link = smoke.create()
    smoke.call("DELETE", "/api/links", json.dumps([link["id"]]).encode())
    # As if the retention had ended a minute ago.
    smoke.client("dynamodb").update_item(
        TableName=smoke.outputs["LinksTableName"],
        Key=smoke.key_of(link),
        UpdateExpression="SET #ttl=:past",
        ConditionExpression="attribute_exists(pk) AND attribute_exists(#ttl)",
        ExpressionAttributeNames={"#ttl": "ttl"},
        ExpressionAttributeValues={":past": {"N": str(int(time.time()) - 60)}},
    )

    def erased() -> dict[str, Any] | None:
        _, answer, _ = smoke.call("GET", "/api/deletions")
        for each in answer["deletions"]:
            if each["actor"].get("service") == "retention":
                return _complete(smoke, each["id"])
        return None

    record = _wait("a receipt", erased, minutes=smoke.ttl_hours * 60, pause=60)
    _expect(record["receipt"]["links"] == 1, f"receipt {record['receipt']}")


@contextmanager
def broken(smoke: Smoke, function: str) -> Iterator[str]:
    """A published version of a function that fails at every call; afterwards all is as before."""
    functions, before = smoke.client("lambda"), _version(smoke, function)
    settings = functions.get_function_configuration(FunctionName=function)["Environment"]
    try:
        _configure(smoke, function, {"Variables": {"STAGE": smoke.stage}})
        version = str(functions.publish_version(FunctionName=function)["Version"])
        waiter = functions.get_waiter("published_version_active")
        waiter.wait(FunctionName=function, Qualifier=version)
        yield version
    finally:
        if _version(smoke, function) != before:
            _move_alias(smoke, function, before)
        _configure(smoke, function, {"Variables": settings["Variables"]})


def _configure(smoke: Smoke, function: str, environment: dict[str, Any]) -> None:
    functions = smoke.client("lambda")
    functions.update_function_configuration(FunctionName=function, Environment=environment)
    functions.get_waiter("function_updated_v2").wait(FunctionName=function)


def _version(smoke: Smoke, function: str) -> str:
    alias = smoke.client("lambda").get_alias(FunctionName=function, Name="live")
    return str(alias["FunctionVersion"])


def _move_alias(smoke: Smoke, function: str, version: str) -> None:
    smoke.client("lambda").update_alias(FunctionName=function, Name="live", FunctionVersion=version)


# -- running them -----------------------------------------------------------------------------

Check = Callable[[Smoke], None]

#: Against any stack, the local one too.
CHECKS: tuple[Check, ...] = (
    diff_is_empty,
    delete_body_and_statement,
    refusals_are_mapped,
    payload_limits,
    strange_records_are_put_aside,
    erasure_and_its_rights,
    # Last: it uses the window up.
    usage_plan_throttles,
)

#: What no local engine does: it drops the settings, tells nobody of an alarm, tries no batch again,
#: has no CodeDeploy and leaves no record of what TTL removes.
ON_AWS: tuple[Check, ...] = (
    settings_that_engines_drop,
    alarms_reach_their_topic,
    failed_batches_reach_the_bucket,
)
GRADUAL: tuple[Check, ...] = (failing_versions_are_taken_back,)
TTL: tuple[Check, ...] = (expired_links_are_erased,)


def run(smoke: Smoke, checks: Sequence[Check], say: Callable[[str], object]) -> list[str]:
    """Every check in order, whatever the others say; the names of those that failed."""
    failed = []
    for check in checks:
        try:
            check(smoke)
            said = "ok"
        except Exception as error:  # noqa: BLE001 (every check is tried)
            failed.append(check.__name__)
            said = f"FAILED: {type(error).__name__}: {error}"
        say(f"{check.__name__}: {said}\n")
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Deploy, check, destroy; the number of checks that failed, and one for what is left behind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--yes", action="store_true", help="really use the AWS account")
    parser.add_argument(
        "--gradual", action="store_true", help="also let CodeDeploy take a failing version back"
    )
    parser.add_argument(
        "--wait-ttl", type=float, default=0, metavar="HOURS", help="also wait for TTL (up to 48)"
    )
    given = parser.parse_args(arguments)
    if not given.yes:
        parser.error("this deploys to the AWS account of your credentials; say --yes")
    client, gradual = client_maker(), str(given.gradual).lower()
    try:
        outputs_of(f"Unlink-{STAGE}", client)
    except Refused:
        pass
    else:
        sys.stderr.write(f"Unlink-{STAGE} exists: an earlier run left it, or somebody uses it.\n")
        return 1

    def cdk(command: str, *options: str) -> int:
        settings = (f"-cstage={STAGE}", f"-cgradual={gradual}")
        return subprocess.run(
            [str(CDK), command, *settings, *options], cwd=ROOT, check=False
        ).returncode

    checks = (
        *CHECKS[:-1],
        *ON_AWS,
        *(GRADUAL if given.gradual else ()),
        *(TTL if given.wait_ttl else ()),
        CHECKS[-1],
    )
    failed = ["deploy"]
    smoke = None
    try:
        if cdk("deploy", "--require-approval=never") == 0:
            smoke = Smoke(stage=STAGE, client=client, cdk=cdk, ttl_hours=given.wait_ttl)
            failed = run(smoke, checks, sys.stdout.write)
    finally:
        if smoke is not None:
            smoke.clean()
        if cdk("destroy", "--force") != 0:
            failed.append("destroy")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
