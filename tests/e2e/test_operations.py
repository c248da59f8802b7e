"""The runbook's commands, taken out of docs/operations.md and run against the deployed stack.

All of them run in one shell, from top to bottom, with placeholders (WORKSPACE, DELETION, …) filled
in. Each block must print what `SAYS` expects. A new block without an expectation fails, and so does
a failing command that is not in `BEYOND_THE_EMULATOR`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from functions.repositories.open_index import OPEN_SHARDS
from local import stack as local_stack
from local.emulator import LOCAL_DIR, ROOT
from local.stack import LocalStack
from tests.support import aws_cli
from tests.support.http_client import Client
from tests.support.warm_command import warm_command

RUNBOOK = (ROOT / "docs/operations.md").read_text(encoding="utf-8")

#: Commands that the emulator refuses, with the reason. They are still run: the AWS CLI checks
#: operation and parameters against AWS's model first, which a test verifies.
BEYOND_THE_EMULATOR = {
    "sqs start-message-move-task": "MiniStack 1.5.33 knows no message move tasks",
    "sqs list-message-move-tasks": "MiniStack 1.5.33 knows no message move tasks",
    "deploy list-deployments": "MiniStack 1.5.33 has no CodeDeploy",
    "deploy stop-deployment": "MiniStack 1.5.33 has no CodeDeploy",
}

#: Run elsewhere in the suite, because other tests still need the stack.
ELSEWHERE = {"cdk destroy": "tests/e2e/test_lifecycle.py"}

#: Run first: the shell functions of the page, and commands that need an erasure without a receipt.
AT_ONCE = ("", "Late erasures")

#: Of these blocks tests/docs/test_operations.py runs every line.
OTHER_SECTIONS = ("On this machine",)

_BLOCK = re.compile(r"^(?P<indent> *)```sh\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^##+ (?P<title>.+)$", re.MULTILINE)
_INLINE = re.compile(r"`((?:aws|npx|make|python|\.venv)\b[^`]+)`")

#: What a query of the logs returns here: the emulator ignores filters and has only this field.
ANY_LINE = r"^Complete\n@timestamp=\d{{4}}-"

#: Heading -> what each of its blocks says, as a pattern. {names} are those of `Facts`.
SAYS: dict[str, tuple[str, ...]] = {
    "": (
        r"^$",
        r"\S+\t\S*MonitoringErasureLate\S*\tUnlink local: .*\. docs/operations\.md#late-erasures$",
    ),
    "Before the first deployment": (
        r"Environment aws://\d+/us-east-1 bootstrapped",
        r"^ops@example\.com\t\S+$",
        r"^$",
    ),
    "Deploy": (
        r"There were no differences[\s\S]*\(no changes\)",
        r"^$",
        r"",
        r'"1"[\s\S]*\n1\t20[\s\S]*"FunctionVersion": "1"',
    ),
    "Where to look": (
        ANY_LINE,
        r'"complete"[\s\S]*"deleted": \{{\s*"N": "1"',
    ),
    "Api errors": (ANY_LINE,),
    "Function errors": (ANY_LINE,),
    "Function exceptions": (ANY_LINE,),
    "Function throttles": (rf"^\d+\t\d+\n{ANY_LINE}",),
    "Floods": (ANY_LINE,),
    "Slow redirects": (ANY_LINE,),
    "Old messages": (rf"QueuesErase\S*\nATTRIBUTES\t\d+\t\d+\t\d+\n[\s\S]*{ANY_LINE}",),
    "Dead letters": (r"a message that failed", r""),
    "Table throttles": (r'"live"',),
    "Stream behind": (
        rf"^Enabled\t.*\tarn:aws:dynamodb:\S+\n{ANY_LINE}",
        r"^Enabl(ed|ing)$",
    ),
    "Stream gave up": (
        r"^{failure}\t1 records\t{cleanup}$",
        r"^{failure}\tdone$",
    ),
    "Open deletions": (
        r"^ENABLED\n[\s\S]*^{workspace}\t{open_deletion}\t\d+#{open_deletion}$",
        r'"MessageId"',
    ),
    "Late erasures": (r'^{workspace}\t{erasure}\t[\s\S]*"erasing"',),
    "Unsigned receipts": (rf"{ANY_LINE}[\s\S]*^Enabled\t",),
    "The cursor secret": (r'"AWSCURRENT"',),
    "Backup and recovery": (
        r'"TableName": "unlink-drill"',
        r"^$",
        r"^$",
        r"DELETING|ACTIVE",
    ),
    # The keys of the run are younger than an hour.
    "Taking a stage down": (r"^$", r"^\(none\)$"),
}


@dataclass(frozen=True)
class Block:
    heading: str
    number: int
    line: int
    script: str

    @property
    def name(self) -> str:
        return f"{self.heading or 'Operations'}-{self.number}".replace(" ", "-").lower()


def blocks() -> list[Block]:
    """Every shell block of the page, in order."""
    headings = [(each.start(), each["title"]) for each in _HEADING.finditer(RUNBOOK)]
    found: list[Block] = []
    for block in _BLOCK.finditer(RUNBOOK):
        heading = ([title for start, title in headings if start < block.start()] or [""])[-1]
        if heading in OTHER_SECTIONS:
            continue
        indent = block["indent"]
        script = "".join(
            line.removeprefix(indent) for line in block["text"].splitlines(keepends=True)
        )
        number = sum(each.heading == heading for each in found)
        line = RUNBOOK.count("\n", 0, block.start()) + 1
        found.append(Block(heading, number, line, script))
    return found


@dataclass(frozen=True)
class Facts:
    """What the placeholders of the page stand for in this run."""

    workspace: str
    request_id: str
    deletion: str
    erasure: str
    open_deletion: str
    failure: str
    cleanup: str
    link: dict[str, Any]

    def pattern(self, text: str) -> str:
        """`text` with the names in it filled in."""
        values = {name: re.escape(value) for name, value in vars(self).items() if name != "link"}
        return text.format(**values)

    def fill(self, block: Block) -> str:
        """A block with its placeholders filled in."""
        script = block.script
        for placeholder, value in (
            ('gatewayRequestId = "…"', f'gatewayRequestId = "{self.request_id}"'),
            ('requestId = "…"', f'requestId = "{self.request_id}"'),
            ('deletionId = "…"', f'deletionId = "{self.deletion}"'),
            ("STAGE=prod", "STAGE=local"),
            ("--function-version 41", "--function-version 1"),
            ("--deployment-id d-…", "--deployment-id d-EXAMPLE11"),
            ("WORKSPACE#LINK", f"{self.workspace}#{self.link['id']}"),
            ("WORKSPACE", self.workspace),
            ("DELETION", self.erasure if block.heading in AT_ONCE else self.deletion),
        ):
            script = script.replace(placeholder, value)
        assert "…" not in script, f"what stands for … in {script}?"
        return script


@dataclass(frozen=True)
class Ran:
    """The result of a block: output, errors, and (exit code, command) of each call."""

    output: str
    errors: str
    calls: list[tuple[int, str]]


#: Every `aws` and `cdk` call leaves a line in `calls`. Version 1 of the AWS CLI sends SQS to AWS,
#: regardless of AWS_ENDPOINT_URL, so the endpoint is given on the command line.
PREAMBLE = """
aws() {
  $AWS --endpoint-url "$AWS_ENDPOINT_URL" "$@"
  code=$?
  echo "$code $1 $2" >>calls
  return $code
}
npx() {
  operation=$2
  shift 2
  case $operation in
    bootstrap) set -- --qualifier=runbook --toolkit-stack-name=Runbook ;;
    destroy) set -- ;;
    *) set -- "$@" --fail ;;
  esac
  test $operation = deploy && set -- --require-approval=never
  test $operation = destroy || "$CDK" $operation --app="$ASSEMBLY" --no-notices "$@" 2>&1
  code=$?
  echo "$code cdk $operation" >>calls
  return $code
}
"""


@pytest.fixture(scope="module")
def facts(stack: LocalStack) -> Facts:
    """A deletion and the other data of an operator's work."""
    workspace = stack.new_workspace()
    admin = Client(stack.base_url, workspace.admin_key)
    made = admin.post("/api/links", {"originalUrl": "https://example.com/kept"})
    gone, erased = admin.create(), admin.create()
    assert Client(stack.base_url, "").get(f"/{gone['shortCode']}").status == 302
    deletion = admin.delete("/api/links", [gone["id"]]).headers["x-deletion-id"]
    erasure = admin.delete(f"/api/links/{erased['id']}").headers["x-deletion-id"]

    # A deletion whose worker has the lease for another hour.
    open_deletion = f"{deletion[:-12]}ffffffffffff"
    stack.client("dynamodb").put_item(
        TableName=stack.outputs["DeletionsTableName"],
        Item={
            "pk": {"S": workspace.workspace_id},
            "sk": {"S": open_deletion},
            "openPk": {"S": f"OPEN#{OPEN_SHARDS - 1}"},
            "openSk": {"S": f"{int(time.time()) + 3600}#{open_deletion}"},
        },
    )
    alarms = stack.client("cloudwatch")
    [late] = [
        alarm["AlarmName"]
        for page in alarms.get_paginator("describe_alarms").paginate()
        for alarm in page["MetricAlarms"]
        if "MonitoringErasureLate" in alarm["AlarmName"]
    ]
    alarms.set_alarm_state(AlarmName=late, StateValue="ALARM", StateReason="a test")
    stack.client("sns").subscribe(
        TopicArn=stack.outputs["AlarmTopicArn"], Protocol="email", Endpoint="ops@example.com"
    )
    sqs = stack.client("sqs")
    [dead_letters] = [url for url in sqs.list_queues()["QueueUrls"] if "EraseDeadLetters" in url]
    sqs.send_message(QueueUrl=dead_letters, MessageBody="a message that failed")
    failure, cleanup = _give_up(stack, workspace.workspace_id, gone["id"], deletion)
    return Facts(
        workspace=workspace.workspace_id,
        request_id=made.headers["x-request-id"],
        deletion=deletion,
        erasure=erasure,
        open_deletion=open_deletion,
        failure=failure,
        cleanup=cleanup,
        link=made.json,
    )


def _give_up(
    stack: LocalStack, workspace_id: str, link_id: str, deletion_id: str
) -> tuple[str, str]:
    """Put into the failures bucket what Lambda does when a batch of a stream failed every time.

    The shape is that of the Lambda Developer Guide, "Retaining discarded batches". Returns the
    object's key and the function.
    """
    function = stack.client("lambda").get_function(
        FunctionName=stack.outputs["LinkStreamFunctionName"], Qualifier="live"
    )["Configuration"]["FunctionArn"]
    keys = {"pk": {"S": f"{workspace_id}#{link_id}"}, "sk": {"S": "LINK"}}
    record = {
        "eventName": "MODIFY",
        "dynamodb": {
            "SequenceNumber": "1",
            "Keys": keys,
            "OldImage": {**keys, "livePk": {"S": f"{workspace_id}#0"}},
            "NewImage": {**keys, "deletionId": {"S": deletion_id}},
        },
    }
    key = "aws/lambda/runbook/2026/01/31/failure"
    stack.client("s3").put_object(
        Bucket=stack.outputs["FailuresBucketName"],
        Key=key,
        Body=json.dumps(
            {
                "requestContext": {
                    "functionArn": function,
                    "condition": "RetryAttemptsExhausted",
                    "approximateInvokeCount": 11,
                },
                "payload": json.dumps({"Records": [record]}),
            }
        ).encode(),
    )
    return key, function


@pytest.fixture(scope="module")
def session(
    stack: LocalStack, facts: Facts, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Ran]:
    """The result of every block by its name, from one shell."""
    directory = tmp_path_factory.mktemp("runbook")
    (directory / ".venv").symlink_to(Path(sys.executable).parent.parent)
    # Between reading a link in the restored table and putting it back, it is lost.
    losing = (
        '$AWS --endpoint-url "$AWS_ENDPOINT_URL" dynamodb delete-item'
        f" --table-name {stack.outputs['LinksTableName']}"
        f' --key \'{{"pk":{{"S":"{facts.workspace}#{facts.link["id"]}"}},"sk":{{"S":"LINK"}}}}\''
    )
    lines = [PREAMBLE]
    for block in sorted(blocks(), key=lambda each: each.heading not in AT_ONCE):
        if block.name == "backup-and-recovery-2":
            lines.append(losing)
        lines += [": >calls", "{", facts.fill(block)]
        lines += [f"}} >{block.name}.out 2>{block.name}.err", f"mv calls {block.name}.calls"]
    script = directory / "session.sh"
    script.write_text("\n".join(lines), encoding="utf-8")
    environment = {
        **local_stack._cdk_environment(stack.emulator),
        "PYTHONPATH": str(ROOT),
        "HOME": str(directory),
    }
    with warm_command(aws_cli.__name__, directory, environment) as aws:
        subprocess.run(
            ["sh", str(script)],
            cwd=directory,
            env={
                **environment,
                "AWS": " ".join(aws),
                "CDK": str(local_stack.CDK),
                "ASSEMBLY": str(LOCAL_DIR / "cdk" / "e2e"),
            },
            check=False,
            timeout=900,
        )
    return {block.name: _ran(directory, block.name) for block in blocks()}


def _ran(directory: Path, name: str) -> Ran:
    def read(suffix: str) -> str:
        return (directory / f"{name}.{suffix}").read_text(encoding="utf-8")

    calls = [line.split(" ", 1) for line in read("calls").splitlines()]
    return Ran(read("out"), read("err"), [(int(code), command) for code, command in calls])


@pytest.mark.at_last
@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.name)
def test_each_runbook_command_prints_the_expected_output(
    session: dict[str, Ran], facts: Facts, block: Block
) -> None:
    ran = session[block.name]

    for code, command in ran.calls:
        if command in BEYOND_THE_EMULATOR:
            # Refused by the emulator: the command line and its parameters were in order.
            operation = command.partition(" ")[2].title().replace("-", "")
            assert f"when calling the {operation} operation" in ran.errors, command
            assert code != 0, f"the emulator can do this now: {command}"
        else:
            assert code == 0, f"{command}\n{ran.errors}"
    says = SAYS[block.heading][block.number]
    assert re.search(facts.pattern(says), ran.output, re.MULTILINE), ran.output + ran.errors


def test_every_command_of_the_runbook_is_in_a_block_that_is_run() -> None:
    commands = [each[1] for each in _INLINE.finditer(RUNBOOK)]
    assert [each for each in commands if each.startswith(("aws ", "npx ", ".venv"))] == []
    found = [(block.heading, block.number) for block in blocks()]
    expected = [(heading, number) for heading in SAYS for number in range(len(SAYS[heading]))]
    assert sorted(found) == sorted(expected)


def test_the_runbook_reads_every_shard_of_unfinished_deletions() -> None:
    assert f"for shard in {' '.join(map(str, range(OPEN_SHARDS)))}; do" in RUNBOOK


def test_every_skipped_command_is_in_the_runbook() -> None:
    scripts = "".join(block.script for block in blocks())
    for command in BEYOND_THE_EMULATOR:
        assert f"aws {command}" in scripts
    for command, test in ELSEWHERE.items():
        assert f"npx {command}" in scripts
        assert command.split()[1] in (ROOT / test).read_text(encoding="utf-8")


@pytest.mark.at_last
def test_the_fixes_of_the_runbook_work(
    stack: LocalStack, facts: Facts, session: dict[str, Ran]
) -> None:
    dynamodb = stack.client("dynamodb")
    key = {"pk": {"S": f"{facts.workspace}#{facts.link['id']}"}, "sk": {"S": "LINK"}}
    restored = dynamodb.get_item(TableName=stack.outputs["LinksTableName"], Key=key)["Item"]
    assert restored["originalUrl"] == {"S": "https://example.com/kept"}
    failures = stack.client("s3").list_objects_v2(Bucket=stack.outputs["FailuresBucketName"])
    assert failures["KeyCount"] == 0
    assert session


#: What Lambda and API Gateway write, and no local emulator (Lambda Developer Guide, "Using the JSON
#: log format"; `infra/api.py` for the access log), and what failures leave.
WRITTEN_ELSEWHERE = {
    *("type", "record.status", "record.metrics.durationMs", "record.metrics.initDurationMs"),
    *("record.metrics.maxMemoryUsedMB", "record.metrics.memorySizeMB"),
    *("errorType", "errorMessage", "resource", "cause", "exception", "@timestamp", "@log"),
}

_NO_FIELD = re.compile(r"\"[^\"]*\"|\bas \w+|\b\w+\(|\*|\b\d+\b")
_WORD = re.compile(r"@?[A-Za-z][\w.]*")
_KEYWORDS = {"filter", "fields", "sort", "limit", "stats", "desc", "and", "or", "in", "by"}


@pytest.mark.at_last
def test_log_queries_name_fields_that_are_written(stack: LocalStack) -> None:
    written = set(WRITTEN_ELSEWHERE)
    logs = stack.client("logs")
    for group in logs.describe_log_groups()["logGroups"]:
        for event in logs.filter_log_events(logGroupName=group["logGroupName"])["events"]:
            if event["message"].startswith("{"):
                written |= set(json.loads(event["message"]))

    queries = re.findall(r"ask '([^']+)'", RUNBOOK)

    assert len(queries) >= 10
    for query in queries:
        computed = set(re.findall(r"\bas (\w+)", query))
        named = set(_WORD.findall(_NO_FIELD.sub(" ", query))) - _KEYWORDS - computed
        assert named <= written, query
