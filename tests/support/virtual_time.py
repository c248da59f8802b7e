"""A clock that advances only by sleeps, so that a busy machine cannot fail a test."""

from __future__ import annotations

import threading
import time

import pytest


class VirtualClock:
    """Seconds that pass only by :meth:`pass_by` and ``time.sleep``, for all threads alike."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._lock = threading.Lock()
        self.passed = 0.0
        wall, steady = time.time(), time.monotonic()
        monkeypatch.setattr(time, "time", lambda: wall + self.passed)
        monkeypatch.setattr(time, "monotonic", lambda: steady + self.passed)
        monkeypatch.setattr(time, "sleep", self.pass_by)

    def pass_by(self, seconds: float) -> None:
        """Let so many seconds pass."""
        with self._lock:
            self.passed += seconds


@pytest.fixture
def virtual_clock(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    """The clock of this test."""
    return VirtualClock(monkeypatch)
