"""When a request is retried, and after how long.

Only requests that are safe to repeat are retried: reads, updates, and requests with an
Idempotency-Key. A request that was refused by the rate limit was not executed, so it may always be
retried.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from unlink_client.calls import Call, Response
from unlink_client.errors import STILL_RUNNING

#: Statuses of a gateway or service that cannot respond now.
_UNAVAILABLE = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A pause before a request is repeated: ``seconds``, and why."""

    seconds: float
    reason: str
    rate_limited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often and how long a client retries.

    ``attempts`` is the maximum number of times that a request is sent while the service is
    unavailable. ``max_wait`` is the maximum time in seconds that one call waits in all, rate limits
    included. A call that would have to wait longer raises at once.
    """

    attempts: int = 5
    max_wait: float = 120.0
    first_pause: float = 0.5
    longest_pause: float = 10.0


class Attempts:
    """The attempts of one call."""

    def __init__(self, call: Call[Any], retries: Retries) -> None:
        self._call = call
        self._retries = retries
        self._failed = 0
        self._waited = 0.0

    def after_response(self, response: Response) -> Wait | None:
        """The pause before the next attempt; None if the response is the last one."""
        if response.status == 429:
            seconds, body = _retry_after(response) or 1, response.json()
            of_plan = isinstance(body, dict) and "limit" in body
            reason = "a limit of the plan is reached" if of_plan else "the rate limit is reached"
            return self._within_max_wait(Wait(seconds=seconds, reason=reason, rate_limited=True))
        if response.status in _UNAVAILABLE:
            return self._backoff(
                f"the service answered {response.status}", at_least=_retry_after(response) or 0
            )
        if response.status == 409 and self._first_is_running(response):
            return self._backoff("the first request with this key is still running", at_least=1)
        return None

    def after_failure(self, reason: str) -> Wait | None:
        """The pause after no response came; None if the call must not or need not be repeated."""
        return self._backoff(reason, at_least=0)

    def _first_is_running(self, response: Response) -> bool:
        # With a deletion's id the caller can read the deletion instead of waiting. For a restore it
        # names the deletion to restore, whose record is not the response.
        readable = "x-deletion-id" in response.headers and not self._call.path.endswith("/restore")
        if self._call.idempotency_key is None or readable:
            return False
        return STILL_RUNNING.encode() in response.body

    def _backoff(self, reason: str, *, at_least: float) -> Wait | None:
        self._failed += 1
        if not self._call.repeatable or self._failed >= self._retries.attempts:
            return None
        longest = min(
            self._retries.longest_pause, self._retries.first_pause * 2 ** (self._failed - 1)
        )
        # Jitter: clients that failed at the same time do not retry at the same time.
        pause = max(at_least, random.uniform(longest / 2, longest))  # noqa: S311
        return self._within_max_wait(Wait(seconds=pause, reason=reason))

    def _within_max_wait(self, wait: Wait) -> Wait | None:
        if self._waited + wait.seconds > self._retries.max_wait:
            return None
        self._waited += wait.seconds
        return wait


class Pauses:
    """The pauses between reads of unfinished work, for at most ``timeout`` seconds."""

    def __init__(self, timeout: float | None) -> None:
        self._ends = None if timeout is None else time.monotonic() + timeout
        self._seconds = 0.5

    def next(self, *, at_least: float = 0) -> float | None:
        """Seconds until the next read, the last one at the timeout; None after it."""
        seconds = max(self._seconds, at_least)
        self._seconds = min(5.0, self._seconds * 1.5)
        if self._ends is None:
            return seconds
        left = self._ends - time.monotonic()
        return min(seconds, left) if left > 0 else None


#: Called for every pause, so that a program can show why it waits.
OnWait = Callable[[Wait], None]


def _retry_after(response: Response) -> int | None:
    text = response.headers.get("retry-after", "")
    return int(text) if text.isascii() and text.isdecimal() else None
