"""Invocations by a REST API of the emulator, which run in its event loop."""

from __future__ import annotations

import http.client
import io
import json
import subprocess
import zipfile
from functools import partial
from typing import Any

import pytest

from local.emulator import EMULATOR_PYTHON, HOST, ROOT, Emulator
from tests.support.interleaving import at_once

#: Answers with its process and its event's body, after it has done what the body asks for.
_CODE = """
import json, os, sys, time
from pathlib import Path

def handler(event, context):
    asked = json.loads(event["body"])
    if "meet" in asked:
        # Returns once as many invocations as asked for are here.
        place = Path(asked["meet"])
        (place / str(os.getpid())).touch()
        while len(list(place.iterdir())) < asked["others"]:
            time.sleep(0.01)
    print("x" * asked.get("log", 0), file=sys.stderr)
    time.sleep(asked.get("sleep", 0))
    if asked.get("exit"):
        os._exit(1)
    answer = {"process": os.getpid(), "size": len(event["body"]), "function": context.function_name}
    return {"statusCode": 200, "body": json.dumps(answer)}
"""


class _Api:
    """A deployed REST API whose requests all invoke one function."""

    def __init__(self, emulator: Emulator) -> None:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("index.py", _CODE)
        function = emulator.client("lambda").create_function(
            FunctionName="answers",
            Runtime="python3.13",
            Role="arn:aws:iam::000000000000:role/any",
            Handler="index.handler",
            Timeout=3,
            Code={"ZipFile": archive.getvalue()},
        )
        gateway = emulator.client("apigateway")
        api = gateway.create_rest_api(name="api")["id"]
        [root] = gateway.get_resources(restApiId=api)["items"]
        method = {"restApiId": api, "resourceId": root["id"], "httpMethod": "POST"}
        gateway.put_method(**method, authorizationType="NONE")
        gateway.put_integration(
            **method,
            type="AWS_PROXY",
            integrationHttpMethod="POST",
            uri="arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
            f"{function['FunctionArn']}/invocations",
        )
        gateway.create_deployment(restApiId=api, stageName="local")
        self._port = emulator.port
        self._headers = {"Host": f"{api}.execute-api.localhost:{emulator.port}"}

    def __call__(self, **asked: Any) -> tuple[int, Any]:
        """The status and the JSON of the response."""
        connection = http.client.HTTPConnection(HOST, self._port, timeout=60)
        connection.request("POST", "/local/", json.dumps(asked), self._headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


@pytest.fixture(scope="module")
def api(emulator: Emulator) -> _Api:
    return _Api(emulator)


def test_invocations_at_the_same_time_each_have_a_process(api: _Api, tmp_path: Any) -> None:
    # None returns before all have begun: one that blocked the event loop would time out.
    answers = at_once([partial(api, meet=str(tmp_path), others=4)] * 4)
    assert [status for status, _ in answers] == [200] * 4
    assert len({answer["process"] for _, answer in answers}) == 4
    assert {answer["function"] for _, answer in answers} == {"answers"}


def test_the_process_of_an_invocation_is_used_again(api: _Api) -> None:
    _, first = api()
    _, second = api()
    assert second["process"] == first["process"]


def test_an_event_and_a_log_that_are_larger_than_their_pipes_pass(api: _Api) -> None:
    status, answer = api(text="x" * 1_500_000, log=1_500_000)
    assert status == 200
    assert answer["size"] > 1_500_000


def test_a_process_that_ends_or_is_late_fails_its_request_and_is_replaced(api: _Api) -> None:
    _, before = api()
    status, failed = api(exit=True)
    assert (status, json.loads(failed["message"])["errorMessage"]) == (502, "Worker process died")
    _, between = api()
    status, failed = api(sleep=30)
    assert (status, json.loads(failed["message"])["errorMessage"]) == (
        502,
        "Task timed out after 3.00 seconds",
    )
    status, after = api()
    assert status == 200
    assert len({before["process"], between["process"], after["process"]}) == 3


#: Cancels an invocation that waits for its process, and invokes the function again.
_CANCEL = """
import asyncio, subprocess, sys, threading
from types import SimpleNamespace
from local import emulator_invocations, emulator_workers

def spawn():
    worker._proc = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    worker.spawned += 1

worker = SimpleNamespace(_proc=None, _lock=threading.Lock(), config={"Timeout": 9}, _spawn=spawn)
worker.spawned = 0

async def main():
    global program
    program = "import time; time.sleep(60)"
    run = emulator_invocations._run(emulator_workers._invoke, worker, 1, "")
    invocation = asyncio.create_task(run)
    while worker._proc is None:
        await asyncio.sleep(0.01)
    process = worker._proc
    await asyncio.sleep(0.1)
    invocation.cancel()
    [cancelled] = await asyncio.gather(invocation, return_exceptions=True)
    assert isinstance(cancelled, asyncio.CancelledError), cancelled
    assert worker._proc is None
    assert process.wait(5) == -15
    program = 'print(\\'{"status": "ok", "result": 7}\\')'
    answer = await emulator_invocations._run(emulator_workers._invoke, worker, 1, "")
    assert (answer["result"], worker.spawned) == (7, 2), answer

asyncio.run(main())
"""


def test_the_process_of_a_cancelled_invocation_gets_no_other() -> None:
    # Its response would be taken for that of the next one.
    done = subprocess.run(
        [EMULATOR_PYTHON, "-c", _CANCEL], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


#: Wakes the poller, and prints for how long it rests, then lets it wait in vain.
_WAKE = """
from local import emulator_workers
from ministack.services import lambda_svc
rests = []
emulator_workers.time.sleep = rests.append
emulator_workers._gather_records()
lambda_svc.esm_wake.set()
print(lambda_svc._esm_wake.wait(60), rests)
lambda_svc._esm_wake.clear()
print(lambda_svc._esm_wake.wait(0), rests)
"""


def test_the_poller_gathers_records_for_a_moment_when_one_wakes_it() -> None:
    done = subprocess.run(
        [EMULATOR_PYTHON, "-c", _WAKE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["True [0.05]", "False [0.05]"]
