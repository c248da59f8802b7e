"""The processes of functions: which one makes a call, and how it is killed."""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
import time
from typing import Any

from ministack.core import lambda_runtime

from .decisions import Decisions

TOKEN = b"worker-"


class Workers:
    """Names each process by its session token, which its SDK sends with every call."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        self._numbers = itertools.count()
        self._by_token: dict[str, Any] = {}
        self._starting: set[Any] = set()
        spawning = threading.local()
        credentials, spawn = lambda_runtime.execution_credentials, lambda_runtime.Worker._spawn

        def with_token(config: Any) -> dict[str, str]:
            known: dict[str, str] = credentials(config)
            token = getattr(spawning, "token", None)
            return known if token is None else known | {"AWS_SESSION_TOKEN": token}

        def spawn_with_token(worker: Any) -> None:
            token = f"{TOKEN.decode()}{next(self._numbers)}"
            spawning.token = token
            self._starting.add(worker)
            try:
                spawn(worker)
                self._by_token[token] = worker._proc
            finally:
                self._starting.discard(worker)
                spawning.token = None

        lambda_runtime.execution_credentials = with_token
        lambda_runtime.Worker._spawn = spawn_with_token

    def kill(self, token: str) -> bool:
        """Kill the process with this token; False when it has ended already."""
        return _kill(self._by_token.pop(token, None))

    def kill_at_random(self) -> None:
        """Kill processes for ever, at the rate of `kills_per_second`, in a thread of its own."""
        while True:
            rate = self._decisions.rates.kills_per_second
            if not self._decisions.active or rate <= 0:
                time.sleep(0.05)
                continue
            dice = self._decisions.dice("kill")
            time.sleep(dice.expovariate(rate))
            while not self._kill_one(dice) and self._decisions.active:
                time.sleep(0.02)

    def _kill_one(self, dice: random.Random) -> bool:
        with lambda_runtime._lock:
            known = [
                worker
                for key in sorted(lambda_runtime._workers)
                for worker in lambda_runtime._workers[key]
            ]
            # One that starts is left alone: MiniStack then ends all processes of the function.
            ready = [
                worker
                for worker in known
                if worker._proc is not None and worker not in self._starting
            ]
        busy = [worker for worker in ready if worker.in_use]
        some = ready if dice.random() < 0.2 else busy
        if not some:
            return False
        process = dice.choice(some)._proc
        with self._decisions.lock:
            killed = self._decisions.active and _kill(process)
        if killed:
            self._decisions.count("kills")
        return killed


def _kill(process: Any) -> bool:
    """SIGKILL, and whether it was that which ended the process."""
    if process is None or process.poll() is not None:
        return False
    os.kill(process.pid, signal.SIGKILL)
    return bool(process.wait() == -signal.SIGKILL)
