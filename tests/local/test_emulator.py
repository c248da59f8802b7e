"""The emulator as a child process: reachable, isolated, and ended afterwards."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.emulator import (
    EMULATOR_PYTHON,
    HOST,
    ROOT,
    Emulator,
    EmulatorError,
    free_port,
    without_aws,
)


def _listens(port: int, host: str = HOST) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def test_an_emulator_answers_until_it_is_stopped() -> None:
    with Emulator(log_name="test-life") as emulator:
        dynamodb = emulator.client("dynamodb")
        assert dynamodb.list_tables()["TableNames"] == []
        assert _listens(emulator.port)
    assert not _listens(emulator.port)
    emulator.stop()


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs Linux's /proc")
def test_a_service_that_the_emulator_does_not_have_is_refused_without_reading_all_models() -> None:
    def bytes_read() -> int:
        return int(Path(f"/proc/{emulator.process_id}/io").read_text().split()[1])

    with Emulator(log_name="test-services") as emulator:
        before = bytes_read()
        with pytest.raises(ClientError, match="calling the ListDeployments operation"):
            emulator.client("codedeploy").list_deployments()
        # The models of all services have 12 MB.
        assert bytes_read() - before < 4_000_000


def test_the_hosts_aws_settings_do_not_reach_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "123456789012")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://192.0.2.1")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("MINISTACK_HOST", "elsewhere")
    with Emulator(log_name="test-environment") as emulator:
        identity = emulator.client("sts").get_caller_identity()
        assert identity["Account"] == "000000000000"
        environment = Path(f"/proc/{emulator.process_id}/environ")
        if environment.exists():  # Linux
            names = [line.split(b"=")[0] for line in environment.read_bytes().split(b"\0")]
            assert b"AWS_ACCESS_KEY_ID" not in names
            assert b"MINISTACK_HOST" not in names


def test_an_emulator_ends_with_its_parent_process() -> None:
    port = free_port()
    program = (
        "import os, signal\n"
        "from local.emulator import Emulator\n"
        f"Emulator(port={port}, log_name='test-orphan')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, timeout=60)
    assert done.returncode == -9
    deadline = time.monotonic() + 60
    while _listens(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _listens(port)


def test_a_taken_port_is_an_error_with_the_log_in_it() -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        with pytest.raises(EmulatorError, match="already in use"):
            Emulator(port=other.getsockname()[1], log_name="test-taken")


#: A function that returns its identity and environment, after a given number of log lines.
_CODE = """
import os
def handler(event, context):
    for number in range(event["lines"]):
        print("line", number)
    if event.get("fail"):
        raise ValueError("as asked")
    return {"process": os.getpid(), "directory": os.path.realpath(os.getcwd())}
"""


Invoke = Callable[..., tuple[dict[str, Any], list[str]]]


@pytest.fixture(scope="module")
def invoke(emulator: Emulator) -> Invoke:
    """Deploy `_CODE`; the result invokes it and returns its response and its log lines."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", _CODE)
    functions = emulator.client("lambda")
    functions.create_function(
        FunctionName="talks",
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="index.handler",
        Code={"ZipFile": archive.getvalue()},
    )

    def call(**event: Any) -> tuple[dict[str, Any], list[str]]:
        response = functions.invoke(FunctionName="talks", Payload=json.dumps(event), LogType="Tail")
        log = base64.b64decode(response.get("LogResult", "")).decode()
        lines = [line for line in log.splitlines() if line.startswith("line ")]
        assert "end of logs" not in log
        return json.loads(response["Payload"].read()), lines

    return call


def test_each_invocation_gets_its_own_log_lines_and_all_of_them(invoke: Invoke) -> None:
    for lines in (0, 3, 0, 1, 40):
        _, logged = invoke(lines=lines)
        assert logged == [f"line {number}" for number in range(lines)]
    failed, logged = invoke(lines=2, fail=True)
    assert failed["errorMessage"] == "as asked"
    assert logged == ["line 0", "line 1"]


def test_the_workers_of_a_function_share_its_unpacked_code(invoke: Invoke) -> None:
    first, _ = invoke(lines=0)
    invoke(lines=0, fail=True)  # ends the worker, so that the next one is new
    second, _ = invoke(lines=0)
    assert second["process"] != first["process"]
    assert second["directory"] == first["directory"]


def test_an_environment_without_aws_reads_no_profile() -> None:
    kept = without_aws({"AWS_PROFILE": "work", "AWS_REGION": "x", "PATH": "/bin"})
    assert kept == {
        "PATH": "/bin",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


#: Sends a message while the poller, here this program, holds the queues.
_SEND_WHILE_POLLING = """
import sys, threading
sys.path.insert(0, "local")
import emulator_process
from ministack.services import sqs
emulator_process.keep_messages_sent_meanwhile()
sqs._act_create_queue({"QueueName": "queue"}, "")
url = sqs._queue_url("queue")
queue = sqs._get_q(url)
send = threading.Thread(target=sqs._HANDLERS["SendMessage"], args=({"MessageBody": "x"}, url))
with sqs._queues_lock:
    kept = list(queue["messages"])
    send.start()
    send.join(0.2)
    queue["messages"] = kept
send.join()
print(len(queue["messages"]))
"""


def test_a_message_that_is_sent_while_the_poller_works_is_kept() -> None:
    done = subprocess.run(
        [EMULATOR_PYTHON, "-c", _SEND_WHILE_POLLING],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "1"
