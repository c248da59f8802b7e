"""The program of the emulator's process: MiniStack 1.5.33 on another HTTP server.

`local/emulator.py` starts this file with the interpreter of `.local/ministack-venv`. MiniStack
itself uses Hypercorn, whose HTTP parser is written in Python: it takes 0.5 ms of CPU a request,
uvicorn with httptools 0.2 ms. The emulator is one process, so this also limits its throughput.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import queue
import resource
import shutil
import signal
import sys
import tempfile
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from ministack import app as application
from ministack.app import app
from ministack.core import lambda_runtime, responses, router
from ministack.services import cognito, dynamodb, sqs

from local import emulator_dynamodb

_END_OF_LOGS = "-- end of logs --"
_DYNAMODB_TARGET = "DynamoDB_20120810."
_LOG_SECONDS = 0.25
_KEEP_ALIVE_SECONDS = 75
_SHUTDOWN_SECONDS = 2


def follow_parent() -> None:
    """End with the process that started this one, even when it was killed.

    The pipe on standard input then reads as closed: remove the working directory and end the
    process group, which has the workers of the functions in it.
    """
    while os.read(0, 4096):
        pass
    shutil.rmtree(Path.cwd(), ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def end_logs_with_a_mark() -> None:
    """Let a function's process say where the log lines of an invocation end.

    MiniStack waits for more lines for 5 ms after each one, and for 50 ms when there is none. The
    process writes its lines before its result, so a special last line on the same pipe means that
    all have arrived.
    """
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    result = '_real_stdout.write(json.dumps({"status": "ok", "result": result}) + "\\n")'
    error = '_real_stdout.write(json.dumps({"status": "error", "error": str(e), "trace"'
    for write in (result, error):
        if script.count(write) != 1:
            sys.exit("The function's process writes its result in another way.")
        script = script.replace(
            write, f"print({_END_OF_LOGS!r}, file=sys.stderr)\n            {write}"
        )
    lambda_runtime._PYTHON_WORKER_SCRIPT = script

    def drain(worker: Any) -> str:
        lines = []
        with contextlib.suppress(queue.Empty):
            while (line := worker._stderr_queue.get(timeout=_LOG_SECONDS)) != _END_OF_LOGS:
                lines.append(line)
        return "\n".join(lines)

    lambda_runtime.Worker._drain_stderr_bounded = drain


def unpack_code_once() -> None:
    """Let all workers of an archive share one unpacked copy, which no function writes to.

    MiniStack unpacks a copy for each worker, within the process that serves: seconds for which
    every other request waits.
    """
    unpacked: dict[str, str] = {}
    lock = threading.Lock()

    class SharedArchive(zipfile.ZipFile):
        def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
            name = str(self.filename)
            with Path(name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            with lock:
                if digest not in unpacked:
                    directory = tempfile.mkdtemp(prefix="code-")
                    super().extractall(directory, members, pwd)
                    unpacked[digest] = directory
            Path(path).rmdir()
            Path(path).symlink_to(unpacked[digest], target_is_directory=True)

    lambda_runtime.zipfile = SimpleNamespace(
        ZipFile=SharedArchive,
        BadZipFile=zipfile.BadZipFile,
        LargeZipFile=zipfile.LargeZipFile,
    )


async def without_forbidden_bodies(scope: Any, receive: Any, send: Any) -> None:
    """MiniStack as an ASGI application, without a body on responses that cannot have one.

    Its mock integrations answer 204 with one, which would begin the connection's next response (RFC
    9110 section 15.3.5). Hypercorn leaves such a body out, uvicorn sends it.
    """
    empty = False

    async def send_checked(message: Any) -> None:
        nonlocal empty
        if message["type"] == "http.response.start":
            empty = message["status"] in {204, 304}
            if empty:
                kept = [each for each in message["headers"] if each[0].lower() != b"content-length"]
                message = {**message, "headers": kept}
        elif empty and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    await dynamodb_directly(scope, receive, send_checked)


async def dynamodb_directly(scope: Any, receive: Any, send: Any) -> None:
    """MiniStack as an ASGI application that passes calls of DynamoDB directly to its DynamoDB.

    MiniStack compares each request with the paths and hosts of all its services first: half of
    the time of a `GetItem`.
    """
    headers = {name.decode(): value.decode("latin-1") for name, value in scope.get("headers", ())}
    if not headers.get("x-amz-target", "").startswith(_DYNAMODB_TARGET):
        await app(scope, receive, send)
        return
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    responses.set_request_account_id(router.extract_access_key_id(headers, {}))
    responses.set_request_region(router.extract_region(headers, {}))
    status, answered, content = await dynamodb.handle_request("POST", "/", headers, body, {})
    answered |= {
        "Content-Type": "application/x-amz-json-1.0",
        "Content-Length": str(len(content)),
        "x-amzn-requestid": responses.new_uuid(),
    }
    lines = [(name.lower().encode(), value.encode()) for name, value in answered.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": content})


def revoke_tokens() -> None:
    """Answer ``POST /oauth2/revoke``, which MiniStack does not have (RFC 7009).

    Cognito does (Developer Guide, "Revoking tokens"); here it is the ``RevokeToken`` action.
    """
    handle = application._handle_cognito_body_request

    async def with_revoke(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        if method == "POST" and path == "/oauth2/revoke":
            token = parse_qs(body.decode()).get("token", [""])[0]
            cognito._revoke_token({"Token": token})
            return 200, {}, b""
        return await handle(method, path, headers, body, query)

    application._handle_cognito_body_request = with_revoke


def keep_messages_sent_meanwhile() -> None:
    """Let SendMessage wait for the poller that delivers to functions.

    The poller replaces a queue's list of messages by a filtered copy, in another thread and under
    a lock that SendMessage does not take: a message sent in between is lost.
    """
    send = sqs._act_send_message

    def send_alone(data: Any, url: str) -> Any:
        with sqs._queues_lock:
            return send(data, url)

    sqs._act_send_message = sqs._HANDLERS["SendMessage"] = send_alone


def extended(application: Any) -> Any:
    """The application as served: wrapped by the package in EMULATOR_EXTENSION, if set."""
    if "EMULATOR_EXTENSION" not in os.environ:
        return application
    package = Path(os.environ.pop("EMULATOR_EXTENSION"))
    sys.path.insert(0, str(package.parent))
    return importlib.import_module(package.name).extend(application)


def main() -> None:
    """Serve until SIGTERM."""
    # It is for this process: the functions' workers must not find the sources.
    del os.environ["PYTHONPATH"]
    emulator_dynamodb.check_version()
    threading.Thread(target=follow_parent, daemon=True).start()
    emulator_dynamodb.patch(dynamodb)
    end_logs_with_a_mark()
    unpack_code_once()
    revoke_tokens()
    keep_messages_sent_meanwhile()
    # A burst of connections needs more file descriptors than the usual soft limit of 1,024.
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    uvicorn.run(
        extended(without_forbidden_bodies),
        host=os.environ["BIND_HOST"],
        port=int(os.environ["GATEWAY_PORT"]),
        loop="auto",
        http="httptools",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )


if __name__ == "__main__":
    main()
