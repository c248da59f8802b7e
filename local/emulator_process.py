"""The program of the emulator's process: MiniStack 1.5.33 on another HTTP server.

`local/emulator.py` starts this file with the interpreter of `.local/ministack-venv`. MiniStack
itself uses Hypercorn, whose HTTP parser is written in Python: it takes 0.5 ms of CPU a request,
uvicorn with httptools 0.2 ms. The emulator is one process, so this also limits its throughput.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import resource
import shutil
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from ministack import app as application
from ministack.core import responses, router
from ministack.services import cognito, dynamodb, sqs

from local import (
    emulator_calls,
    emulator_dynamodb,
    emulator_encoding,
    emulator_forks,
    emulator_invocations,
    emulator_workers,
)

_CALLS = "calls.sock"
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

    await emulator_calls.directly(scope, receive, send_checked)


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


def know_services_by_name() -> None:
    """Recognize the service that a signature is for by its name alone, when that is enough.

    For one that MiniStack does not have, such as CodeDeploy, it reads the models of all services of
    AWS first: eight seconds for which every other request waits.
    """
    is_name = router._is_aws_service_name

    def is_name_or_in_a_model(name: str) -> bool:
        # Imported with the first response of some services.
        from botocore.session import Session

        return name in Session().get_available_services() or is_name(name)

    router._is_aws_service_name = is_name_or_in_a_model


def extended(application: Any) -> Any:
    """The application as served: wrapped by the package in EMULATOR_EXTENSION, if set."""
    if "EMULATOR_EXTENSION" not in os.environ:
        return application
    package = Path(os.environ.pop("EMULATOR_EXTENSION"))
    sys.path.insert(0, str(package.parent))
    return importlib.import_module(package.name).extend(application)


async def with_socket_for_calls(serve: Callable[..., Awaitable[None]], sockets: Any = None) -> None:
    """Serve, and also what functions send over a Unix socket."""
    path = Path.cwd() / _CALLS
    os.environ["EMULATOR_CALLS"] = str(path)
    loop = asyncio.get_running_loop()
    async with await loop.create_unix_server(emulator_calls.Calls, path):
        await serve(sockets)


def main() -> None:
    """Serve until SIGTERM."""
    # It is for this process: the functions' workers must not find the sources.
    del os.environ["PYTHONPATH"]
    emulator_dynamodb.check_version()
    threading.Thread(target=follow_parent, daemon=True).start()
    # The other patches of DynamoDB build on these.
    emulator_encoding.patch(dynamodb, responses)
    emulator_dynamodb.patch(dynamodb)
    emulator_workers.patch()
    emulator_forks.patch()
    emulator_invocations.patch()
    revoke_tokens()
    keep_messages_sent_meanwhile()
    know_services_by_name()
    # A burst of connections needs more file descriptors than the usual soft limit of 1,024.
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    # An extension sees the calls of functions as HTTP requests.
    over_http = "EMULATOR_EXTENSION" in os.environ
    config = uvicorn.Config(
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
    server = uvicorn.Server(config)
    if not over_http:
        server.serve = partial(with_socket_for_calls, server.serve)
    server.run()


if __name__ == "__main__":
    main()
