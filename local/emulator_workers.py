"""Patches of how MiniStack runs functions: their processes, the pipes to them, the threads."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import fcntl
import io
import json
import os
import select
import sys
import tempfile
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pybase64
from ministack.core import lambda_runtime
from ministack.services import apigateway_v1

_PIPE_BYTES = 1 << 20
_SOON_MILLISECONDS = 50
_MANY_THREADS = 10_000


def patch() -> None:
    """Patch MiniStack's modules."""
    _extend_program()
    _decode_base64_quickly()
    _exchange_messages_in_one_thread()
    _unpack_code_once()
    _reuse_threads()


def _extend_program() -> None:
    """Put `local/worker_calls.py` into the program of Python functions."""
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    start = "    _ms_install_invoke_depth()\n    try:"
    result = '_real_stdout.write(json.dumps({"status": "ok", "result": result}) + "\\n")'
    prepare = "    import_botocore()\n    send_calls_over_a_socket()\n"
    for old, new in (
        (start, f"{prepare}{start}"),
        (result, "write_result(_real_stdout, result)"),
    ):
        if script.count(old) != 1:
            sys.exit("The program of Python functions is another.")
        script = script.replace(old, new)
    added = (Path(__file__).parent / "worker_calls.py").read_text("utf-8")
    lambda_runtime._PYTHON_WORKER_SCRIPT = f"{added}\n{script}"


def _decode_base64_quickly() -> None:
    """Decode the bodies of responses with SIMD instructions; Python takes 1.4 ms for 300 kB."""
    quick = SimpleNamespace(**vars(pybase64))
    quick.b64decode = partial(pybase64.b64decode, validate=True)
    apigateway_v1.base64 = quick


def _exchange_messages_in_one_thread() -> None:
    """Send an event, and read the log and the result, in the thread of the invocation.

    MiniStack starts a second thread for that, has a third for the log, and after the result waits
    for more log lines: for 5 ms after each one, and for 50 ms when there is none. The process
    writes its lines before its result, so they are all in the pipe when the result has come.
    """
    lambda_runtime.Worker._read_stderr = lambda _: None
    lambda_runtime.Worker.invoke = _invoke


def _invoke(
    worker: Any,
    event: Any,
    request_id: str,
    *,
    trace_id: str | None = None,
    depth: Any = None,
    durable: Any = None,
    invoked_function_arn: str | None = None,
) -> dict[str, Any]:
    """What MiniStack's `Worker.invoke` returns."""
    with worker._lock:
        cold = worker._proc is None or worker._proc.poll() is not None
        if cold:
            worker._spawn()
            worker._cold = False
            _enlarge_pipes(worker._proc)
        timeout = worker.config.get("Timeout", 30)
        arn = worker.config.get("FunctionArn", "")
        context = {
            "request_id": request_id,
            "invoked_function_arn": arn if invoked_function_arn is None else invoked_function_arn,
            "timeout_ms": int(float(timeout) * 1000),
            "trace_id": trace_id,
            "depth": depth,
            "durable": durable or {},
        }
        message = json.dumps({"event": event, "ctx": context}).encode() + b"\n"
        log = bytearray()
        try:
            response = _exchange(worker._proc, message, time.monotonic() + timeout, log)
        except TimeoutError:
            response = {"status": "error", "error": f"Task timed out after {timeout}.00 seconds"}
        except OSError as error:
            response = {"status": "error", "error": str(error)}
        _read_what_is_there(worker._proc.stderr.fileno(), log)
        if response["status"] == "error":
            process, worker._proc = worker._proc, None
            lambda_runtime._signal(process)
            lambda_runtime._collect(process, time.monotonic() + lambda_runtime._REAP_GRACE)
        text = log.decode(errors="replace").rstrip("\n")
        return {**response, "cold_start": cold, "log": text}


def _exchange(process: Any, message: bytes, deadline: float, log: bytearray) -> dict[str, Any]:
    """The process's response to `message`; what it logs until then is added to `log`.

    Raises `TimeoutError` at `deadline`.
    """
    output, errors = process.stdout.fileno(), process.stderr.fileno()
    rest = memoryview(message)
    while rest:
        rest = rest[os.write(process.stdin.fileno(), rest) :]
    responses = _Responses()
    # Most processes answer soon. Until then, log lines wait in their pipe.
    pipes = select.poll()
    pipes.register(output, select.POLLIN)
    ready = pipes.poll(_SOON_MILLISECONDS)
    pipes.register(errors, select.POLLIN)
    while True:
        for descriptor, _ in ready:
            piece = os.read(descriptor, _PIPE_BYTES)
            if descriptor == errors:
                log += piece
                if not piece:
                    pipes.unregister(errors)
            elif not piece:
                raise ConnectionError("Worker process died")
            elif response := responses.add(piece):
                return response
        ready = pipes.poll(max(0.0, deadline - time.monotonic()) * 1000)
        if not ready:
            raise TimeoutError


class _Responses:
    """Finds a function's response in what its process writes; libraries may write there too."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._found: dict[str, Any] | None = None

    def add(self, piece: bytes) -> dict[str, Any] | None:
        """The response, once it is complete."""
        self._received += piece
        while self._found is None:
            line, end, rest = self._received.partition(b"\n")
            if not end:
                return None
            self._received = rest
            with contextlib.suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict) and message.get("status") in {"ok", "error"}:
                    self._found = message
        size = self._found.get("body_bytes")
        if size is not None:
            if len(self._received) < size:
                return None
            self._found["result"]["body"] = self._received[:size].decode()
        return self._found


def _read_what_is_there(descriptor: int, log: bytearray) -> None:
    """Add what is in a pipe to `log`, without waiting for more."""
    pipe = select.poll()
    pipe.register(descriptor, select.POLLIN)
    while pipe.poll(0) and (piece := os.read(descriptor, _PIPE_BYTES)):
        log += piece


def _enlarge_pipes(process: Any) -> None:
    """A large response then passes in one piece, and log lines between invocations fit."""
    for pipe in (process.stdout, process.stderr):
        # Linux has it; a user may own a limited number of large pipes.
        with contextlib.suppress(AttributeError, OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _reuse_threads() -> None:
    """Run the invocations of API Gateway in threads that are kept.

    MiniStack starts one for each. An invocation never waits for a thread here either: a new one is
    started when none is idle.
    """
    threads = ThreadPoolExecutor(_MANY_THREADS, thread_name_prefix="invocation")

    async def run(function: Any, *arguments: Any, thread_name: str = "") -> Any:
        del thread_name
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(threads, context.run, function, *arguments)

    apigateway_v1.run_reentrant = run


def _unpack_code_once() -> None:
    """Let all workers of an archive share one unpacked copy, which no function writes to.

    MiniStack writes and unpacks a copy for each worker, within the process that serves: seconds for
    which every other request waits. Here it writes a key in place of the archive.
    """
    archives: dict[bytes, bytes] = {}
    unpacked: dict[bytes, str] = {}
    lock = threading.Lock()
    create_worker = lambda_runtime.Worker.__init__

    def create_with_key(worker: Any, name: str, config: Any, archive: bytes) -> None:
        key = str(id(archive)).encode()
        # Kept, so that no other archive gets this key.
        archives[key] = archive
        create_worker(worker, name, config, key)

    class SharedArchive(contextlib.AbstractContextManager["SharedArchive"]):
        def __init__(self, path: str) -> None:
            # Of a layer, this is the archive itself.
            self._key = Path(path).read_bytes()

        def __exit__(self, *_: object) -> None:
            pass

        def extractall(self, path: str) -> None:
            with lock:
                if self._key not in unpacked:
                    directory = tempfile.mkdtemp(prefix="code-")
                    with zipfile.ZipFile(io.BytesIO(archives.get(self._key, self._key))) as archive:
                        archive.extractall(directory)
                    unpacked[self._key] = directory
            Path(path).rmdir()
            Path(path).symlink_to(unpacked[self._key], target_is_directory=True)

    lambda_runtime.Worker.__init__ = create_with_key
    lambda_runtime.zipfile = SimpleNamespace(
        ZipFile=SharedArchive,
        BadZipFile=zipfile.BadZipFile,
        LargeZipFile=zipfile.LargeZipFile,
    )
