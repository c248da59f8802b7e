"""The processes of functions in the emulator: their pipes, their ends, and their calls."""

from __future__ import annotations

import base64
import io
import json
import os
import platform
import resource
import signal
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from local.emulator import Emulator

#: Calls DynamoDB at an address where nothing listens.
_CODE = """
import json, os, random, resource, sys, time
from botocore.exceptions import ClientError
from botocore.session import get_session

from functions.aws.session import botocore_was_imported, imported_by

def handler(event, context):
    for number in range(event.get("lines", 0)):
        print("line", number, "x" * event.get("width", 0))
    os.write(1, event.get("noise", "").encode())
    if "returned" in event:
        return event["returned"]
    if event.get("imports"):
        return botocore_was_imported
    if "allocate" in event:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(10):
            copies = [b"x" * event["allocate"] for _ in range(3)]
            del copies
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    if event.get("exit"):
        os._exit(1)
    if event.get("about"):
        names = ("PYTHONPATH", "EMULATOR_CALLS", "AWS_LAMBDA_FUNCTION_NAME", "OWN", "PWD")
        return {
            "process": os.getpid(),
            "parent": os.getppid(),
            "imported_by": imported_by,
            "arguments": sys.argv,
            "directory": os.getcwd(),
            "path": [os.path.realpath(each) for each in sys.path[:2]],
            "environment": {name: os.environ[name] for name in names if name in os.environ},
            "random": random.random(),
            "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:4],
        }
    time.sleep(event.get("sleep", 0))
    if "call" not in event:
        return {"process": os.getpid(), "text": event.get("text", "") * event.get("times", 0)}
    client = get_session().create_client("dynamodb", endpoint_url="http://127.0.0.1:1")
    operation, arguments = event["call"]
    try:
        return getattr(client, operation)(**arguments)
    except ClientError as error:
        return error.response
"""


_SESSION = """
import os, sys
imported_by = os.getpid()
botocore_was_imported = "botocore" in sys.modules
"""


_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="no process is forked")


class _Function:
    def __init__(self, emulator: Emulator) -> None:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("index.py", _CODE)
            file.writestr("functions/aws/session.py", _SESSION)
        self._client = emulator.client("lambda")
        self._client.create_function(
            FunctionName="works",
            Runtime="python3.13",
            Role="arn:aws:iam::000000000000:role/any",
            Handler="index.handler",
            Timeout=2,
            Environment={"Variables": {"OWN": "setting"}},
            Code={"ZipFile": archive.getvalue()},
        )

    def __call__(self, **event: Any) -> Any:
        return json.loads(self._invoke(event)["Payload"].read())

    def log_of(self, **event: Any) -> list[str]:
        """The lines that the function printed."""
        log = base64.b64decode(self._invoke(event)["LogResult"]).decode()
        return [line for line in log.splitlines() if line.startswith("line ")]

    def _invoke(self, event: Any) -> Any:
        return self._client.invoke(FunctionName="works", Payload=json.dumps(event), LogType="Tail")


@pytest.fixture(scope="module")
def function(emulator: Emulator) -> _Function:
    return _Function(emulator)


def test_a_call_of_dynamodb_needs_no_http(emulator: Emulator, function: _Function) -> None:
    dynamodb = emulator.client("dynamodb")
    dynamodb.create_table(
        TableName="things",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"id": {"S": "1"}, "text": {"S": "é" * 100_000}}
    written = function(call=["put_item", {"TableName": "things", "Item": item}])
    read = function(call=["get_item", {"TableName": "things", "Key": {"id": {"S": "1"}}}])
    assert written["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert read["Item"] == item
    assert dynamodb.get_item(TableName="things", Key={"id": {"S": "1"}})["Item"] == item


def test_an_error_of_dynamodb_is_the_same_over_both(
    emulator: Emulator, function: _Function
) -> None:
    request = {"TableName": "nothing", "Key": {"id": {"S": "1"}}}
    failed = function(call=["get_item", request])
    dynamodb = emulator.client("dynamodb")
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException) as over_http:
        dynamodb.get_item(**request)
    assert failed["Error"] == over_http.value.response["Error"]
    assert failed["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_botocore_is_imported_by_the_module_that_leaves_out_what_is_not_used(
    function: _Function,
) -> None:
    assert function(imports=True) is False


@_LINUX
def test_a_forked_process_is_as_a_new_one(emulator: Emulator, function: _Function) -> None:
    first = function(about=True)
    function(exit=True)
    second = function(about=True)

    for about in (first, second):
        assert about["parent"] == emulator.process_id
        [program] = about["arguments"]
        assert about["path"] == [about["directory"], str(Path(program).parent)]
        assert about["environment"] == {
            "EMULATOR_CALLS": about["environment"]["EMULATOR_CALLS"],
            "AWS_LAMBDA_FUNCTION_NAME": "works",
            "OWN": "setting",
        }
    assert first["imported_by"] == second["imported_by"]
    assert len({first["imported_by"], first["process"], second["process"]}) == 3
    assert first["random"] != second["random"]
    # Input, output, errors, and the directory that is being listed.
    assert second["descriptors"] == [0, 1, 2, 3]


@_LINUX
def test_a_killed_process_is_replaced_and_leaves_no_zombie(function: _Function) -> None:
    first = function()["process"]
    os.kill(first, signal.SIGKILL)

    # An invocation may begin before the process has ended.
    assert first not in {function().get("process"), function()["process"]}
    assert not Path(f"/proc/{first}").exists()


def test_a_large_response_and_a_large_log_arrive_whole(function: _Function) -> None:
    assert function(text='"é\n', times=500_000)["text"] == '"é\n' * 500_000
    # More than a pipe holds.
    lines = function.log_of(lines=3_000, width=1_000)
    assert lines[-1] == f"line 2999 {'x' * 1_000}"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="its setting")
def test_a_process_keeps_the_memory_of_large_responses(function: _Function) -> None:
    size = 1_000_000
    function(allocate=size)

    page_faults = function(allocate=size)

    pages_of_one = size // resource.getpagesize()
    assert page_faults < pages_of_one


@pytest.mark.parametrize(
    "returned",
    [
        {"statusCode": 200, "body": '{"a":\n"é"}\n', "headers": {"A": "b"}},
        {"statusCode": 204, "body": ""},
        {"statusCode": 200, "body": "x" * 2_000_000},
        {"body": None},
        {"body": {"not": "text"}},
        ["a list"],
        None,
    ],
    ids=["text", "empty", "large", "null", "object", "list", "nothing"],
)
def test_what_a_function_returns_arrives_unchanged(function: _Function, returned: Any) -> None:
    assert function(returned=returned) == returned


def test_what_a_library_prints_to_the_pipe_of_results_is_no_result(function: _Function) -> None:
    for noise in ("a line\n", '{"status": "unknown"}\n', "{\n[]\n\n"):
        assert function(noise=noise, text="result", times=1)["text"] == "result"


def test_a_process_that_ends_within_an_invocation_is_replaced(function: _Function) -> None:
    first = function()["process"]
    assert function(exit=True)["errorMessage"] == "Worker process died"
    assert function.log_of(exit=True, lines=2)[-1:] == ["line 1 "]
    assert function()["process"] != first


def test_a_function_ends_at_its_timeout(function: _Function) -> None:
    first = function()["process"]
    failed = function(sleep=60)
    assert failed == {
        "errorMessage": "Task timed out after 2.00 seconds",
        "errorType": "Sandbox.Timedout",
    }
    assert function()["process"] != first


#: Says what its other module says, and which files they are.
_READS = """
import os, other

def handler(event, context):
    files = [os.stat(name).st_ino for name in ("index.py", "other.py", "package/data.txt")]
    return {"says": other.SAYS, "data": open("package/data.txt").read(), "files": files}
"""


def test_changed_code_has_the_files_that_did_not_change(emulator: Emulator) -> None:
    functions = emulator.client("lambda")

    def archive(says: str) -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as file:
            file.writestr("index.py", _READS)
            file.writestr("other.py", "SAYS = 'nothing'")
            file.writestr("package/data.txt", "data")
        with zipfile.ZipFile(packed, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("other.py", f"SAYS = '{says}'")
        return packed.getvalue()

    def invoke() -> Any:
        return json.loads(functions.invoke(FunctionName="changes")["Payload"].read())

    functions.create_function(
        FunctionName="changes",
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="index.handler",
        Code={"ZipFile": archive("one")},
    )
    before = invoke()
    functions.update_function_code(FunctionName="changes", ZipFile=archive("two"))
    after = invoke()

    assert (before["says"], after["says"]) == ("one", "two")
    assert (before["data"], after["data"]) == ("data", "data")
    same = [one == two for one, two in zip(before["files"], after["files"], strict=True)]
    assert same == [True, False, True]
