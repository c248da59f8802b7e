"""The half of the emulator's patches that works within the process of a function.

The emulator's program for Python functions begins with the text of this file, so it imports nothing
of this project.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import socket
import struct
import threading
from typing import Any

#: The longest that a client of the functions has.
_READ_SECONDS = 3
_LENGTH_BYTES = 4


class _Connection:
    """Used by one thread; sends messages of a length and that many bytes, and receives such."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        # The kernel's timeout: for its own, Python asks twice a call whether the socket is ready.
        seconds = struct.pack("ll", _READ_SECONDS, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)
        self._socket.connect(os.environ["EMULATOR_CALLS"])

    def exchange(self, message: bytes) -> bytes:
        self._socket.sendall(len(message).to_bytes(_LENGTH_BYTES, "big") + message)
        received = self._socket.recv(65536)
        while len(received) < _LENGTH_BYTES or len(received) < _LENGTH_BYTES + int.from_bytes(
            received[:_LENGTH_BYTES], "big"
        ):
            more = self._socket.recv(1 << 20)
            if not more:
                raise ConnectionResetError
            received += more
        return received[_LENGTH_BYTES:]

    def close(self) -> None:
        self._socket.close()


class _Body:
    """As botocore reads it from a connection."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> list[bytes]:
        return [self._content]


def import_botocore() -> None:
    """Import botocore as the functions do: without what none of them uses.

    MiniStack's program and this one need it before the function, and would import all of it.
    """
    with contextlib.suppress(ImportError):
        importlib.import_module("functions.aws.session")


def write_result(output: Any, result: Any) -> None:
    """Write what a function returned: a line of JSON, and the body of an HTTP response after it.

    A document of 300 kB takes longer as a string in JSON than all the rest of its request.
    `local/emulator_workers.py` reads it.
    """
    body = None
    if isinstance(result, dict) and isinstance(result.get("body"), str):
        body = result["body"].encode()
        result = {**result, "body": None}
    size = None if body is None else len(body)
    line = json.dumps({"status": "ok", "result": result, "body_bytes": size}) + "\n"
    rest = [memoryview(part) for part in (line.encode(), body) if part]
    while rest:
        written = os.writev(output.fileno(), rest)
        while rest and written >= len(rest[0]):
            written -= len(rest.pop(0))
        if rest:
            rest[0] = rest[0][written:]


def send_calls_over_a_socket() -> None:
    """Send calls of DynamoDB to the emulator over a Unix socket, in place of HTTP.

    For all clients that this process makes from now on. botocore builds and signs each request and
    parses each response. Its HTTP client takes two fifths of the CPU time of a redirect's function,
    and HTTP at the other end, `local/emulator_calls.py`, as much as DynamoDB there.
    """
    if "EMULATOR_CALLS" not in os.environ:
        return
    try:
        from botocore.awsrequest import AWSResponse
        from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
        from botocore.handlers import BUILTIN_HANDLERS
    except ImportError:
        return
    mine = threading.local()

    def send(request: Any, **_: Any) -> Any:
        target = request.headers["X-Amz-Target"]
        head = target if isinstance(target, bytes) else target.encode()
        try:
            if not hasattr(mine, "connection"):
                mine.connection = _Connection()
            answer = mine.connection.exchange(head + b"\n" + request.body)
        except OSError as error:
            # A response that still comes would be taken for that of the next call.
            if hasattr(mine, "connection"):
                mine.connection.close()
                del mine.connection
            late = isinstance(error, BlockingIOError)
            failure = ReadTimeoutError if late else ConnectionClosedError
            raise failure(endpoint_url=request.url, error=error) from error
        described, _, content = answer.partition(b"\n")
        status, headers = json.loads(described)
        return AWSResponse(request.url, status, headers, _Body(content))

    BUILTIN_HANDLERS.append(("before-send.dynamodb", send))
