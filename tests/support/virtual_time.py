"""Clocks that a test puts forward, so that it need not wait and a busy machine cannot fail it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

#: The moment at which `mid_minute` stands, and the end of that minute.
MID_MINUTE, MINUTE_END = 1_900_000_033.5, 1_900_000_080


class VirtualClock:
    """Seconds that pass only by :meth:`pass_by` and ``time.sleep``, for all threads alike."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, wall: float | None = None) -> None:
        """A clock that stands at ``wall``, by default now."""
        self._lock = threading.Lock()
        self.passed = 0.0
        wall, steady = wall or time.time(), time.monotonic()
        monkeypatch.setattr(time, "time", lambda: wall + self.passed)
        monkeypatch.setattr(time, "monotonic", lambda: steady + self.passed)
        monkeypatch.setattr(time, "sleep", self.pass_by)

    def pass_by(self, seconds: float) -> None:
        """Let so many seconds pass."""
        with self._lock:
            self.passed += seconds


class RunningClock:
    """The real clock, put forward by :meth:`pass_by`. Deadlines and sleeps take their real time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        monkeypatch.setattr(time, "time", lambda real=time.time: real() + self.ahead)

    def pass_by(self, seconds: float) -> None:
        """Let so many seconds pass at once."""
        self.ahead += seconds

    @contextmanager
    def later(self, seconds: float) -> Iterator[None]:
        """Run the block so many seconds later, and continue at the present."""
        self.pass_by(seconds)
        yield
        self.pass_by(-seconds)


@pytest.fixture
def virtual_clock(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    """A clock that stands still."""
    return VirtualClock(monkeypatch)


@pytest.fixture
def mid_minute(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    """A clock that stands in the middle of a minute, for tests that count in its rate window."""
    return VirtualClock(monkeypatch, MID_MINUTE)


@pytest.fixture
def running_clock(monkeypatch: pytest.MonkeyPatch) -> RunningClock:
    """A clock that runs on from now."""
    return RunningClock(monkeypatch)
