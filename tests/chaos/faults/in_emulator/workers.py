"""The processes of functions: which one makes a call, and how it is killed."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from typing import Any

from ministack.core import lambda_runtime

from .decisions import Decisions

TOKEN = b"worker-"
#: A kill comes within this many times the length of the function's last invocation: some come
#: when it has ended already.
_LONGEST = 1.25
_FIRST_LENGTH = 0.1


class Workers:
    """Names each process by its session token, which its SDK sends with every call."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        self._numbers = itertools.count()
        self._by_token: dict[str, Any] = {}
        self._spawning = threading.local()
        #: Seconds from the start of a worker's next process to its end.
        self._waiting: dict[Any, float] = {}
        #: By function, the seconds of its last invocation.
        self._lengths: dict[str, float] = {}
        self._credentials = lambda_runtime.execution_credentials
        self._spawn = lambda_runtime.Worker._spawn
        self._invoke = lambda_runtime.Worker.invoke
        lambda_runtime.execution_credentials = self.credentials

        # Functions, because a bound method would not get the worker.
        def spawn(worker: Any) -> None:
            self.spawn(worker)

        def invoke(worker: Any, *more: Any, **named: Any) -> Any:
            return self.invoke(worker, *more, **named)

        lambda_runtime.Worker._spawn, lambda_runtime.Worker.invoke = spawn, invoke

    def credentials(self, config: Any) -> dict[str, str]:
        """What a process is started with."""
        known: dict[str, str] = self._credentials(config)
        token = getattr(self._spawning, "token", None)
        return known if token is None else known | {"AWS_SESSION_TOKEN": token}

    def spawn(self, worker: Any) -> None:
        """Start a process. A kill waits until it is ready.

        MiniStack would end all processes of the function, as Lambda never does.
        """
        token = f"{TOKEN.decode()}{next(self._numbers)}"
        self._spawning.token = token
        try:
            self._spawn(worker)
        finally:
            self._spawning.token = None
        self._by_token[token] = worker._proc
        if worker in self._waiting:
            self._kill_later(worker._proc, self._waiting.pop(worker))

    def invoke(self, worker: Any, *more: Any, **named: Any) -> Any:
        """Run an invocation, which may be killed."""
        handler, name = str(worker.config["Handler"]), str(worker.config["FunctionName"])
        fault, dice = self._decisions.draw(
            f"invocation of {handler}", kill=self._decisions.rates.kill
        )
        if fault:
            seconds = dice.uniform(0, _LONGEST) * self._lengths.get(name, _FIRST_LENGTH)
            if worker._proc is not None and worker._proc.poll() is None:
                self._kill_later(worker._proc, seconds)
            else:
                self._waiting[worker] = seconds
        began = time.monotonic()
        result = self._invoke(worker, *more, **named)
        if not result.get("cold_start") and result.get("status") == "ok":
            self._lengths[name] = time.monotonic() - began
        return result

    def kill(self, token: str) -> None:
        """Kill the process with this token, unless it has ended already."""
        self._kill(self._by_token.pop(token, None))

    def _kill_later(self, process: Any, seconds: float) -> None:
        timer = threading.Timer(seconds, self._kill, [process])
        timer.daemon = True
        timer.start()

    def _kill(self, process: Any) -> None:
        """SIGKILL, counted if it ended the process."""
        with self._decisions.lock:
            if not self._decisions.active or process is None or process.poll() is not None:
                return
            os.kill(process.pid, signal.SIGKILL)
            # Within the lock: two kills of one process would both count.
            if process.wait() == -signal.SIGKILL:
                self._decisions.count("kills")
