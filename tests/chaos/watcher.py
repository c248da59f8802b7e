"""Visits links after the response to their delete, during the whole run: none may redirect."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from random import Random

from tests.chaos.client import Client

#: Codes that are visited: in turn the newest, which is most likely to be stale, and any of them.
WATCHED = 60
#: Seconds between two visits during the load, and once nothing is deleted any more.
PAUSE = 0.1
LATER_PAUSE = 0.2


class Watcher(threading.Thread):
    """One visitor. The checker decides which of its visits were stale."""

    def __init__(self, client: Client, seed: str) -> None:
        super().__init__(name="watcher", daemon=True)
        self._client = client
        self._chance = Random(seed)
        self._codes: deque[str] = deque(maxlen=WATCHED)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._pause = PAUSE
        self._visits = 0

    def watch(self, codes: Iterable[str]) -> None:
        """Codes of links whose delete has been answered."""
        with self._lock:
            self._codes.extend(list(codes)[:5])

    def forget(self, codes: Iterable[str]) -> None:
        """Codes of links that may come back."""
        gone = set(codes)
        with self._lock:
            kept = [each for each in self._codes if each not in gone]
            self._codes = deque(kept, maxlen=WATCHED)

    def run(self) -> None:
        """Visit until :meth:`end`."""
        while not self._ended.wait(self._pause):
            with self._lock:
                if not self._codes:
                    continue
                newest = self._visits % 2 == 0
                code = self._codes[-1] if newest else self._chance.choice(self._codes)
            self._visits += 1
            self._client.send("redirect", f"watch-{self._visits}", "GET", f"/{code}", code=code)

    def slow_down(self) -> None:
        """Visit more rarely: the load has ended, and only background work goes on."""
        self._pause = LATER_PAUSE

    def end(self) -> None:
        """Stop visiting."""
        self._ended.set()
        self.join()
        self._client.close()
