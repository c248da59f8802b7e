"""A function under Lambda's own runtime client, against a small runtime API on loopback.

The protocol is the Lambda Developer Guide's "Using the Lambda runtime API": the client asks for the
next invocation, runs the handler, and posts the response, an error, or a failed start. Like Lambda,
the API here refuses a response over 6 MB.
"""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

#: Bytes of a response that Lambda takes (Lambda quotas, "Invocation payload").
RESPONSE_LIMIT = 6 * 1024 * 1024 + 100

#: The packages that the client needs in addition to the archive.
_CLIENT = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")


@dataclass
class Outcome:
    """The result of an invocation: ``kind`` is ``response``, ``error`` or ``init/error``."""

    kind: str
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class _Api(ThreadingHTTPServer):
    """Returns invocations and stores the responses."""

    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A process that is ended resets its connection."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.invocations: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        self.outcomes: queue.Queue[Outcome] = queue.Queue()
        self.waiting = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Api

    def do_GET(self) -> None:
        self.server.waiting.set()
        headers, body = self.server.invocations.get()
        self._send(200, body, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = "init/error" if self.path.endswith("init/error") else self.path.rpartition("/")[2]
        if len(body) > RESPONSE_LIMIT:
            self.server.outcomes.put(Outcome("too large", body))
            self._send(413, b'{"errorType":"RequestEntityTooLarge"}', {})
            return
        self.server.outcomes.put(Outcome(kind, body))
        self._send(202, b'{"status":"OK"}', {})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | dict(headers)).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Without the server's own lines."""


class Runtime:
    """A running function: invoke it, and read what it wrote."""

    def __init__(self, api: _Api, process: subprocess.Popen[str], output: Path) -> None:
        self._api = api
        self._process = process
        self._output = output

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Until the handler is imported and asks for work."""
        until = time.monotonic() + seconds
        while not self._api.waiting.wait(0.05):
            assert self._process.poll() is None, self._output.read_text()
            assert time.monotonic() < until, self._output.read_text()

    def invoke(self, event: Any, *, seconds: float = 29.0) -> Outcome:
        """What a function does that has so many seconds."""
        headers = {
            "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:1:function:f",
        }
        self._api.invocations.put((headers, json.dumps(event).encode()))
        return self._api.outcomes.get(timeout=60)

    def lines(self) -> list[dict[str, Any]]:
        """The JSON log lines so far."""
        written = self._output.read_text().splitlines()
        return [json.loads(line) for line in written if line.startswith("{")]


@contextmanager
def running(
    archive: Path, handler: str, directory: Path, environment: Mapping[str, str]
) -> Iterator[Runtime]:
    """The handler of an unpacked archive in a process that sees nothing else but the client."""
    client = directory / "client"
    client.mkdir(exist_ok=True)
    for name in _CLIENT:
        found = importlib.util.find_spec(name)
        assert found is not None
        assert found.origin is not None
        source = Path(found.origin)
        source = source.parent if source.name == "__init__.py" else source
        if not (client / source.name).exists():
            (client / source.name).symlink_to(source)
    api = _Api()
    threading.Thread(target=api.serve_forever, daemon=True).start()
    output = directory / f"{handler}.log"
    with output.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-S", "-B", "-m", "awslambdaric", handler],
            cwd=archive,
            stdout=written,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{archive}:{client}",
                "LAMBDA_TASK_ROOT": str(archive),
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_address[1]}",
                "AWS_LAMBDA_FUNCTION_NAME": "function",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
                "AWS_LAMBDA_FUNCTION_VERSION": "1",
                "AWS_LAMBDA_LOG_FORMAT": "JSON",
                "AWS_LAMBDA_LOG_LEVEL": "INFO",
                "AWS_REGION": "us-east-1",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "POWERTOOLS_LOG_LEVEL": "INFO",
                "PYDANTIC_DISABLE_PLUGINS": "__all__",
                **environment,
            },
        )
    try:
        yield Runtime(api, process, output)
    finally:
        process.kill()
        process.wait()
        # A handler that still waits for work holds its thread; the process is gone.
        api.invocations.put(({}, b""))
        api.shutdown()
        api.server_close()
