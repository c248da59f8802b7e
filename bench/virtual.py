"""Virtual time: real code whose calls take a simulated duration, without waiting.

The clock replaces ``time.time``, ``time.monotonic`` and ``time.sleep``, and the threads of
``in_parallel`` by threads that run one at a time: the one whose call ends next. So a run is
the same each time, and its seconds are exact, independent of other load.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest import mock

from functions.aws import parallel

#: When virtual time begins, in Unix seconds (2026-02-01T12:00:00Z).
START = 1_769_947_200.0


class VirtualClock:
    """The time, and the executor of ``in_parallel`` that goes by it."""

    def __init__(self) -> None:
        self.now = START
        #: Until when the one processor is taken.
        self._busy_until = START
        self._task = threading.local()

    def time(self) -> float:
        """Seconds, for ``time.time`` and ``time.monotonic``."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let this thread wait; other threads continue."""
        self._sleep_until(self.now + max(0.0, seconds))

    def compute(self, seconds: float) -> None:
        """Use the CPU for this long, after the threads that use it already."""
        self._busy_until = max(self._busy_until, self.now) + seconds
        self._sleep_until(self._busy_until)

    def map(self, work: Callable[[Any], Any], parts: Iterable[Any]) -> Iterator[Any]:
        """Like ``Executor.map``, but complete when it returns."""
        each = list(parts)
        with ThreadPoolExecutor(len(each)) as threads:
            turns = _Turns(self)
            tasks = [_Task(turns, number) for number in range(len(each))]
            results = [
                threads.submit(task.run, work, part, self._task)
                for task, part in zip(tasks, each, strict=True)
            ]
            turns.take(tasks)
        return iter([each.result() for each in results])

    def _sleep_until(self, moment: float) -> None:
        task = getattr(self._task, "task", None)
        if task is None:
            self.now = max(self.now, moment)
        else:
            task.pause(moment)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let all code in this process use this clock."""
        with (
            mock.patch.object(time, "time", self.time),
            mock.patch.object(time, "monotonic", self.time),
            mock.patch.object(time, "sleep", self.sleep),
            mock.patch.object(parallel, "_workers", return_value=self),
        ):
            yield


class _Turns:
    """The turns of the threads of a ``map``: one runs, until it waits or ends."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._waiting: list[tuple[float, int, _Task]] = []
        self._ended = _taken()

    def take(self, tasks: list[_Task]) -> None:
        """Let the tasks run until the last one has ended."""
        self._waiting += [(self._clock.now, task.number, task) for task in tasks]
        self.next()
        self._ended.acquire()

    def wait(self, task: _Task, until: float) -> None:
        """Called by the running task, which then waits for its turn."""
        heapq.heappush(self._waiting, (until, task.number, task))
        self.next()

    def next(self) -> None:
        """Let the task run whose wait ends next; called by the one that runs."""
        if self._waiting:
            moment, _, task = heapq.heappop(self._waiting)
            self._clock.now = max(self._clock.now, moment)
            task.go.release()
        else:
            self._ended.release()


class _Task:
    """One thread of a ``map``."""

    def __init__(self, turns: _Turns, number: int) -> None:
        self._turns = turns
        self.number = number
        self.go = _taken()

    def pause(self, until: float) -> None:
        """Called by the task: wait until that moment."""
        self._turns.wait(self, until)
        self.go.acquire()

    def run(self, work: Callable[[Any], Any], part: Any, current: threading.local) -> Any:
        self.go.acquire()
        current.task = self
        try:
            return work(part)
        finally:
            current.task = None
            self._turns.next()


def _taken() -> threading.Lock:
    """A lock as a semaphore, which takes ten times as long. Threads take turns, so it is enough."""
    lock = threading.Lock()
    lock.acquire()
    return lock
