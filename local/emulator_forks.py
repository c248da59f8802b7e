"""Starts the processes of Python functions as forks of a process that has imported libraries.

botocore takes two thirds of the CPU of a start, and pydantic as much as all the rest at the first
request with a body. `local/worker_template.py` is the process that is forked, one for each unpacked
archive. A fork gets its environment, directory and pipes first, and then imports the handler as a
new process does.

Linux only: elsewhere a process cannot adopt its grandchildren.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime

_PROGRAM = Path(__file__).with_name("worker_template.py")
#: Of prctl(2): an orphan among this process's descendants becomes its child.
_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.002


def patch() -> None:
    """Let MiniStack start its Python processes by `_Templates.start`."""
    if sys.platform != "linux" or ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        return
    known = SimpleNamespace(**vars(subprocess))
    known.Popen = _Templates().start
    lambda_runtime.subprocess = known


class Process:
    """A fork, with what MiniStack uses of `subprocess.Popen`."""

    def __init__(self, pid: int, stdin: int, stdout: int, stderr: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin = os.fdopen(stdin, "w", buffering=1, encoding="utf-8")
        self.stdout = os.fdopen(stdout, encoding="utf-8")
        self.stderr = os.fdopen(stderr, encoding="utf-8")
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while the process runs."""
        with self._lock:
            if self.returncode is None:
                ended, status = os.waitpid(self.pid, os.WNOHANG)
                if ended:
                    self.returncode = os.waitstatus_to_exitcode(status)
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; raises `subprocess.TimeoutExpired` after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            time.sleep(_POLL_SECONDS)
        return code

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class _Templates:
    """The processes that are forked, by the directory of their code."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: dict[str, socket.socket] = {}

    def start(self, arguments: list[str], **options: Any) -> Any:
        """A process with these arguments and options of `subprocess.Popen`."""
        if arguments[0] == sys.executable and "pass_fds" not in options:
            with contextlib.suppress(OSError):
                return self._fork(arguments[1], options["cwd"], options["env"])
        return subprocess.Popen(arguments, **options)

    def _fork(self, program: str, directory: str, environment: dict[str, str]) -> Process:
        """Raises `OSError` if there is no template."""
        pipes = [os.pipe() for _ in range(3)]
        (input_end, stdin), (stdout, output_end), (stderr, error_end) = pipes
        request = {"program": program, "directory": directory, "environment": environment}
        try:
            with self._lock:
                template = self._template(os.path.realpath(directory))
                message = json.dumps(request).encode()
                socket.send_fds(template, [message], [input_end, output_end, error_end])
                received = template.recv(32)
                if not received:
                    raise ConnectionResetError
        except BaseException:
            for descriptor in (stdin, stdout, stderr):
                os.close(descriptor)
            raise
        finally:
            for descriptor in (input_end, output_end, error_end):
                os.close(descriptor)
        return Process(int(received), stdin, stdout, stderr)

    def _template(self, code: str) -> socket.socket:
        if code not in self._sockets:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                subprocess.Popen(
                    # -P: it finds nothing of this directory.
                    [sys.executable, "-P", str(_PROGRAM), str(theirs.fileno()), code],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
            self._sockets[code] = ours
        return self._sockets[code]
