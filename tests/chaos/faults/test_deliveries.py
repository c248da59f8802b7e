"""The faults of function processes, queues and streams, as a small function sees them."""

from __future__ import annotations

import io
import json
import time
import urllib.error
import urllib.request
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.emulator import ACCOUNT, REGION, Emulator
from local.gateway_proxy import Bridge
from local.upstream import Upstream
from tests.chaos.faults import Faults
from tests.chaos.faults.conftest import Start
from tests.chaos.faults.in_emulator.decisions import Decisions

pytestmark = pytest.mark.exhaustive

_SECONDS = 30

#: Writes what it gets to a file, takes its time, and puts an item if it has a table.
_CODE = """
import json, os, time, urllib.request
def handler(event, context):
    with open(os.environ["RECORD"], "a") as file:
        file.write(json.dumps(event) + "\\n")
    time.sleep(float(os.environ["WAIT"]))
    if os.environ["TABLE"]:
        item = {"pk": {"S": context.aws_request_id}}
        request = urllib.request.Request(
            os.environ["AWS_ENDPOINT_URL"],
            json.dumps({"TableName": os.environ["TABLE"], "Item": item}).encode(),
            {
                "X-Amz-Target": "DynamoDB_20120810.PutItem",
                "X-Amz-Security-Token": os.environ["AWS_SESSION_TOKEN"],
                "Authorization": "AWS4-HMAC-SHA256 Credential=%s/20260101/%s/dynamodb/aws4_request"
                % (os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_REGION"]),
            },
        )
        urllib.request.urlopen(request).read()
    print(context.function_name, "has ended")
    return "done"
"""


class Function:
    """A deployed function and what it got so far."""

    def __init__(self, emulator: Emulator, record: Path, wait: float, table: str) -> None:
        self.name = f"small-{uuid.uuid4().hex[:8]}"
        self._emulator = emulator
        self._record = record
        self._record.touch()
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("index.py", _CODE)
        emulator.client("lambda").create_function(
            FunctionName=self.name,
            Runtime="python3.13",
            Role=f"arn:aws:iam::{ACCOUNT}:role/any",
            Handler="index.handler",
            Timeout=20,
            Code={"ZipFile": archive.getvalue()},
            Environment={"Variables": {"RECORD": str(record), "WAIT": str(wait), "TABLE": table}},
        )

    def invoke(self) -> str | None:
        """Its error, or None."""
        response = self._emulator.client("lambda").invoke(FunctionName=self.name)
        payload = json.loads(response["Payload"].read())
        return str(payload["errorMessage"]) if "FunctionError" in response else None

    def reads(self, source_arn: str, batch: int = 10) -> None:
        """Give it what comes to a queue or a stream."""
        stream = {} if ":sqs:" in source_arn else {"StartingPosition": "TRIM_HORIZON"}
        self._emulator.client("lambda").create_event_source_mapping(
            EventSourceArn=source_arn, FunctionName=self.name, BatchSize=batch, **stream
        )

    def remove(self) -> None:
        """Delete it and end its processes: no kill of a later test may choose one."""
        functions = self._emulator.client("lambda")
        for source in functions.list_event_source_mappings(FunctionName=self.name)[
            "EventSourceMappings"
        ]:
            functions.delete_event_source_mapping(UUID=source["UUID"])
        functions.delete_function(FunctionName=self.name)

    def batches(self) -> list[list[Any]]:
        """The batches of records that it got, in order."""
        lines = self._record.read_text().splitlines()
        return [json.loads(line)["Records"] for line in lines]

    def bodies(self) -> list[str]:
        """The bodies of the messages that it got, in order."""
        return [record["body"] for batch in self.batches() for record in batch]

    def ends(self) -> int:
        """How many of its invocations by events the emulator has seen end without a kill."""
        return self._emulator.log_path.read_text().count(f"{self.name} has ended")

    def starts(self) -> int:
        """How many processes of it have been started."""
        return self._emulator.log_path.read_text().count(f"worker spawned for {self.name} ")


MakeFunction = Callable[..., Function]


@pytest.fixture
def function(faulty_emulator: Emulator, tmp_path: Path) -> Iterator[MakeFunction]:
    """Deploys a function for one test: its invocations take `wait` seconds and write to `table`."""
    made: list[Function] = []

    def make(wait: float = 0.0, table: str = "") -> Function:
        made.append(Function(faulty_emulator, tmp_path / "record", wait, table))
        return made[-1]

    yield make
    for each in made:
        each.remove()


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def _queue_arn(queue_url: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue_url.rsplit('/', 1)[-1]}"


def _send(emulator: Emulator, queue_url: str, count: int) -> list[str]:
    bodies = [f"{number:02}" for number in range(count)]
    for body in bodies:
        emulator.client("sqs").send_message(QueueUrl=queue_url, MessageBody=body)
    return bodies


def test_a_function_is_killed_before_or_after_a_call(
    start: Start, faulty_emulator: Emulator, function: MakeFunction, table: str
) -> None:
    small = function(table=table)
    faults = start(kill_at_call=1)
    calls = 5
    errors = [small.invoke() for _ in range(calls)]
    assert errors == ["Worker process died"] * calls
    applied = faulty_emulator.client("dynamodb").scan(TableName=table)["Count"]
    assert 0 < applied < calls
    assert faults.counts == {"kills": calls}
    faults.pause()
    assert small.invoke() is None


def test_a_share_of_the_invocations_is_killed_and_their_processes_replaced(
    start: Start, function: MakeFunction
) -> None:
    small = function(wait=0.8)
    assert small.invoke() is None
    expected = Decisions(seed=1)
    expected.start()
    drawn = [expected.draw("invocation of index.handler", kill=0.4)[0] for _ in range(12)]
    faults = start(seed=1, kill=0.4)
    results = [small.invoke() for _ in drawn]
    faults.pause()
    kills = faults.counts["kills"]
    quiet = [small.invoke() for _ in range(5)]
    died = [error for error in results if error is not None]
    # One that is due just after an invocation may meet the next one, which has its own.
    assert 1 <= len(died) <= kills <= drawn.count("kill") < len(drawn)
    assert quiet == [None] * 5
    assert faults.counts == {"kills": kills}
    assert small.starts() == 1 + kills


def test_an_event_whose_function_is_killed_is_redelivered(
    start: Start, faulty_emulator: Emulator, function: MakeFunction
) -> None:
    small = function(wait=1)
    faults = start(kill=1)
    faulty_emulator.client("lambda").invoke(
        FunctionName=small.name, InvocationType="Event", Payload=b'{"Records": []}'
    )
    _pause_after_a_kill(faults)
    # Of a function that is removed earlier, MiniStack repeats the event during a later test.
    _until(lambda: small.ends() == 1)
    assert small.starts() == 1 + faults.counts["kills"]
    assert len(small.batches()) > 0


def test_the_api_answers_502_when_its_function_is_killed(
    start: Start, faulty_emulator: Emulator, function: MakeFunction, table: str
) -> None:
    small = function(table=table)
    bridge = Bridge()
    bridge.start(_api(faulty_emulator, small))
    try:
        with urllib.request.urlopen(bridge.url) as response:
            assert response.status == 200
        faults = start(kill_at_call=1)
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(bridge.url)
        assert error.value.code == 502
        assert json.loads(error.value.read()) == {"message": "Bad Gateway"}
        assert faults.counts == {"kills": 1}
    finally:
        bridge.stop()


def _api(emulator: Emulator, function: Function) -> Upstream:
    """A REST API whose root is the function."""
    gateway = emulator.client("apigateway")
    api_id = gateway.create_rest_api(name=function.name)["id"]
    (root,) = gateway.get_resources(restApiId=api_id)["items"]
    target = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function.name}"
    method = {"restApiId": api_id, "resourceId": root["id"], "httpMethod": "GET"}
    gateway.put_method(**method, authorizationType="NONE")
    gateway.put_integration(
        **method,
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{target}/invocations",
    )
    gateway.create_deployment(restApiId=api_id, stageName="small")
    return Upstream(port=emulator.port, api_id=api_id, stage="small")


def test_the_messages_of_a_killed_function_are_redelivered(
    start: Start, faulty_emulator: Emulator, function: MakeFunction, queue_url: str
) -> None:
    faulty_emulator.client("sqs").set_queue_attributes(
        QueueUrl=queue_url, Attributes={"VisibilityTimeout": "3"}
    )
    small = function(wait=1)
    small.reads(_queue_arn(queue_url))
    faults = start(kill=1)
    sent = _send(faulty_emulator, queue_url, 1)
    _pause_after_a_kill(faults)
    _until(lambda: _is_empty(faulty_emulator, queue_url))
    assert small.bodies()[-1:] == sent
    assert small.starts() == 1 + faults.counts["kills"]


def _is_empty(emulator: Emulator, queue_url: str) -> bool:
    attributes = emulator.client("sqs").get_queue_attributes(
        QueueUrl=queue_url, AttributeNames=["All"]
    )["Attributes"]
    return {value for name, value in attributes.items() if "NumberOfMessages" in name} == {"0"}


def test_the_stream_batch_of_a_killed_function_is_redelivered(
    start: Start, faulty_emulator: Emulator, function: MakeFunction, table: str
) -> None:
    small = function(wait=1)
    dynamodb = faulty_emulator.client("dynamodb")
    small.reads(dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"])
    faults = start(kill=1)
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "a"}})
    _pause_after_a_kill(faults)
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "b"}})
    _until(lambda: any(_keys(batch)[-1:] == ["b"] for batch in small.batches()))
    assert "a" in [key for batch in small.batches() for key in _keys(batch)]
    assert small.starts() == 1 + faults.counts["kills"]


def _pause_after_a_kill(faults: Faults) -> None:
    _until(lambda: faults.counts["kills"] > 0)
    faults.pause()


def _keys(batch: list[Any]) -> list[str]:
    return [str(record["dynamodb"]["Keys"]["pk"]["S"]) for record in batch]


def test_a_stream_repeats_batches_and_loses_none(
    start: Start, faulty_emulator: Emulator, function: MakeFunction, table: str
) -> None:
    small = function()
    dynamodb = faulty_emulator.client("dynamodb")
    faults = start(repeat=0.5)
    small.reads(dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"], batch=1)
    keys = [f"{number:02}" for number in range(20)]
    for key in keys:
        dynamodb.put_item(TableName=table, Item={"pk": {"S": key}})
    _until(lambda: _keys(small.batches()[-1] if small.batches() else []) == keys[-1:])
    _until(lambda: len(small.batches()) == len(keys) + faults.counts["stream repeats"])
    got = [_keys(batch)[0] for batch in small.batches()]
    assert list(dict.fromkeys(got)) == keys
    assert got == sorted(got)
    assert 0 < faults.counts["stream repeats"] < len(keys)
    assert set(Counter(got).values()) == {1, 2}


@pytest.mark.parametrize(
    ("fault", "counter"), [("duplicate", "duplicates"), ("redeliver", "redeliveries")]
)
def test_a_queue_delivers_messages_again(
    start: Start,
    faulty_emulator: Emulator,
    function: MakeFunction,
    queue_url: str,
    fault: str,
    counter: str,
) -> None:
    """While another delivery of them is processed, and after it."""
    small = function()
    faults = start(**{fault: 0.3}, again_seconds=0.5)
    small.reads(_queue_arn(queue_url))
    sent = _send(faulty_emulator, queue_url, 20)
    _until(lambda: _is_empty(faulty_emulator, queue_url))
    again = faults.counts[counter]
    assert again > 0
    assert faults.counts == {counter: again}
    assert len(small.bodies()) == len(sent) + again
    assert set(small.bodies()) == set(sent)


def test_a_queue_changes_the_order_and_loses_nothing(
    start: Start, faulty_emulator: Emulator, function: MakeFunction, queue_url: str
) -> None:
    small = function()
    sent = _send(faulty_emulator, queue_url, 20)
    faults = start(reorder=1)
    small.reads(_queue_arn(queue_url), batch=5)
    _until(lambda: _is_empty(faulty_emulator, queue_url))
    assert sorted(small.bodies()) == sent
    assert small.bodies() != sent
    assert faults.counts["reorders"] > 0
