"""Patches of how MiniStack runs functions: their processes, the pipes to them, the threads."""

from __future__ import annotations

import asyncio
import contextlib
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
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pybase64
from ministack.core import lambda_runtime
from ministack.services import apigateway_v1, lambda_svc

from local import emulator_encoding, emulator_invocations

_PIPE_BYTES = 1 << 20
_SMALLEST_PIPE_BYTES = 1 << 16
_SOON_MILLISECONDS = 50
_GATHER_SECONDS = 0.05


def patch() -> None:
    """Patch MiniStack's modules."""
    _extend_program()
    _decode_base64_quickly()
    _exchange_messages_in_one_thread()
    _unpack_code_once()
    _gather_records()


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
            emulator_invocations.without_blocking(worker._spawn)
            worker._cold = False
            _enlarge_pipes(worker._proc)
        process = worker._proc
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
        message = emulator_encoding.encode({"event": event, "ctx": context}) + b"\n"
        log = bytearray()
        response = None
        try:
            if emulator_invocations.in_event_loop():
                exchange = _exchange_in_event_loop(process, message, timeout, log)
                response = emulator_invocations.wait(exchange)
            else:
                response = _exchange(process, message, timeout, log)
        except TimeoutError:
            response = {"status": "error", "error": f"Task timed out after {timeout}.00 seconds"}
        except OSError as error:
            response = {"status": "error", "error": str(error)}
        finally:
            # Without a response, this invocation was cancelled.
            if response is None or response["status"] == "error":
                worker._proc = None
                lambda_runtime._signal(process)
        _read_what_is_there(process.stderr.fileno(), log)
        if response["status"] == "error":
            end = time.monotonic() + lambda_runtime._REAP_GRACE
            emulator_invocations.without_blocking(lambda_runtime._collect, process, end)
        text = log.decode(errors="replace").rstrip("\n")
        return {**response, "cold_start": cold, "log": text}


def _exchange(process: Any, message: bytes, seconds: float, log: bytearray) -> dict[str, Any]:
    """The process's response to `message`; what it logs until then is added to `log`.

    Raises `TimeoutError` after that many seconds.
    """
    deadline = time.monotonic() + seconds
    output, errors = process.stdout.fileno(), process.stderr.fileno()
    _write(process, message)
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


async def _exchange_in_event_loop(
    process: Any, message: bytes, seconds: float, log: bytearray
) -> dict[str, Any]:
    """As `_exchange`, without a thread."""
    loop = asyncio.get_running_loop()
    response: asyncio.Future[dict[str, Any]] = loop.create_future()
    output, errors = process.stdout.fileno(), process.stderr.fileno()
    responses = _Responses()

    def read_output() -> None:
        piece = os.read(output, _PIPE_BYTES)
        if found := responses.add(piece):
            response.set_result(found)
        elif not piece:
            response.set_exception(ConnectionError("Worker process died"))
        if response.done():
            loop.remove_reader(output)

    def read_errors() -> None:
        piece = os.read(errors, _PIPE_BYTES)
        log.extend(piece)
        if not piece:
            loop.remove_reader(errors)

    loop.add_reader(output, read_output)
    soon = loop.call_later(_SOON_MILLISECONDS / 1000, loop.add_reader, errors, read_errors)
    try:
        async with asyncio.timeout(seconds):
            # The pipe to a process that waits is empty.
            if len(message) <= _SMALLEST_PIPE_BYTES:
                _write(process, message)
            else:
                await asyncio.to_thread(_write, process, message)
            return await response
    finally:
        soon.cancel()
        loop.remove_reader(output)
        loop.remove_reader(errors)


def _write(process: Any, message: bytes) -> None:
    rest = memoryview(message)
    while rest:
        rest = rest[os.write(process.stdin.fileno(), rest) :]


class _Responses:
    """Finds a function's response in what its process writes; libraries may write there too."""

    def __init__(self) -> None:
        self._received = bytearray()
        #: Where the next line or the body begins. Nothing is removed, which would copy the rest.
        self._position = 0
        self._found: dict[str, Any] | None = None

    def add(self, piece: bytes) -> dict[str, Any] | None:
        """The response, once it is complete."""
        self._received += piece
        while self._found is None:
            end = self._received.find(b"\n", self._position)
            if end < 0:
                return None
            line = self._received[self._position : end]
            self._position = end + 1
            with contextlib.suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict) and message.get("status") in {"ok", "error"}:
                    self._found = message
        size = self._found.get("body_bytes")
        if size is not None:
            end = self._position + size
            if len(self._received) < end:
                return None
            body = memoryview(self._received)[self._position : end]
            self._found["result"]["body"] = str(body, "utf-8")
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


def _gather_records() -> None:
    """Let the poller of queues and streams rest for a moment when a record wakes it.

    MiniStack looks through all queues and streams, twice, for each record that is written: a fifth
    of its time for a redirect, whose click is a record. Lambda itself polls a stream four times a
    second (Developer Guide, "Using AWS Lambda with Amazon DynamoDB").
    """

    class Gathering:
        set = lambda_svc.esm_wake.set
        clear = lambda_svc.esm_wake.clear

        @staticmethod
        def wait(timeout: float) -> bool:
            woken: bool = lambda_svc.esm_wake.wait(timeout)
            if woken:
                time.sleep(_GATHER_SECONDS)
            return woken

    lambda_svc._esm_wake = Gathering


def _unpack_code_once() -> None:
    """Let all workers of an archive share one unpacked copy, which no function writes to.

    MiniStack writes and unpacks a copy for each worker, within the process that serves: seconds for
    which every other request waits. Here it writes a key in place of the archive.
    """
    archives: dict[bytes, bytes] = {}
    unpacked: dict[bytes, str] = {}
    files: dict[tuple[str, int, int], str] = {}
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
                        _extract(archive, directory, files)
                    unpacked[self._key] = directory
            Path(path).rmdir()
            Path(path).symlink_to(unpacked[self._key], target_is_directory=True)

    lambda_runtime.Worker.__init__ = create_with_key
    lambda_runtime.zipfile = SimpleNamespace(
        ZipFile=SharedArchive,
        BadZipFile=zipfile.BadZipFile,
        LargeZipFile=zipfile.LargeZipFile,
    )


def _extract(
    archive: zipfile.ZipFile, directory: str, files: dict[tuple[str, int, int], str]
) -> None:
    """Unpack an archive, and link files that an earlier one had too.

    Of a changed copy of the functions' archive, 2,000 files are the same. `files` has the path of
    each unpacked file by its name, checksum and size.
    """
    parents: set[str] = set()
    # Of entries with the same name, the last one counts.
    for entry in {each.filename: each for each in archive.infolist()}.values():
        key = (entry.filename, entry.CRC, entry.file_size)
        if key in files and not entry.is_dir():
            # For each file, `pathlib` takes as long as the calls of the file system.
            link = f"{directory}/{entry.filename}"
            parent, _, _ = link.rpartition("/")
            if parent not in parents:
                Path(parent).mkdir(parents=True, exist_ok=True)
                parents.add(parent)
            os.link(files[key], link)
        else:
            files[key] = archive.extract(entry, directory)
