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
            tasks = [_Task(threads, work, part, self._task) for part in each]
            waiting = [(self.now, number) for number in range(len(tasks))]
            while waiting:
                wake, number = heapq.heappop(waiting)
                self.now = max(self.now, wake)
                if (until := tasks[number].run()) is not None:
                    heapq.heappush(waiting, (until, number))
        return iter([task.done.result() for task in tasks])

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


class _Task:
    """One thread of a ``map``; it runs only while the clock waits for it."""

    def __init__(
        self,
        threads: ThreadPoolExecutor,
        work: Callable[[Any], Any],
        part: Any,
        current: threading.local,
    ) -> None:
        self._until: float | None = None
        # A task and the clock take turns, so plain locks serve as semaphores, which take ten times
        # as long.
        self._go, self._back = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._back.acquire()
        self.done = threads.submit(self._work, work, part, current)

    def run(self) -> float | None:
        """Run until the task waits or ends; returns the time that it waits for, None at its end."""
        self._until = None
        self._go.release()
        self._back.acquire()
        return self._until

    def pause(self, until: float) -> None:
        """Called by the task: wait until that moment."""
        self._until = until
        self._back.release()
        self._go.acquire()

    def _work(self, work: Callable[[Any], Any], part: Any, current: threading.local) -> Any:
        self._go.acquire()
        current.task = self
        try:
            return work(part)
        finally:
            current.task = None
            self._back.release()
