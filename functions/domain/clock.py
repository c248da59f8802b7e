"""Timestamps, and the deadline of an invocation."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import lru_cache, wraps
from typing import Any


def iso(seconds: float) -> str:
    """``2026-01-31T12:00:00.000Z``: fixed width, so that text order is time order."""
    # To the nearest microsecond, as `datetime` does: 0.123 is a little less than 123 milliseconds.
    second, microseconds = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{_to_the_second(second)}.{microseconds // 1000:03d}Z"


@lru_cache(16)
def _to_the_second(second: int) -> str:
    """Cached, because a redirect writes the time twice."""
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"


def iso_moment(moment: datetime) -> str:
    """:func:`iso` of a moment in UTC, from the year 1000 on."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def now_iso() -> str:
    """The current time in the format of :func:`iso`."""
    return iso(time.time())


def later_than(moment: str) -> str:
    """The current time, or a millisecond after ``moment`` if this clock is not past it.

    Both are in the format of :func:`iso`.
    """
    now = now_iso()
    if now > moment:
        return now
    return iso_moment(datetime.fromisoformat(moment) + timedelta(milliseconds=1))


class Deadline:
    """A point in time after which no work is started and no call is retried.

    ``expire`` moves it to now. Times are monotonic seconds.
    """

    __slots__ = ("_at", "_outer")

    def __init__(self, seconds: float, *, outer: Deadline | None = None) -> None:
        """In ``seconds``, or when ``outer`` passes, whichever comes first."""
        self._at = time.monotonic() + seconds
        self._outer = outer

    def remaining(self) -> float:
        """Seconds left; negative once it has passed."""
        own = self._at - time.monotonic()
        return own if self._outer is None else min(own, self._outer.remaining())

    def expire(self) -> None:
        """Make it pass now."""
        self._at = time.monotonic()

    @property
    def passed(self) -> bool:
        """True when no work may be started."""
        return self.remaining() <= 0


#: Seconds that a device's clock may be ahead.
CLOCK_SKEW = 300

#: Seconds for callers that set no deadline: commands of operators, scripts, tests.
DEFAULT_SECONDS = 30.0

_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def current_deadline() -> Deadline:
    """The deadline of the running work; a fresh one of 30 seconds where none was set."""
    return _deadline.get() or Deadline(DEFAULT_SECONDS)


class DeadlineScope:
    """What :func:`use_deadline` returns. A generator would take twice as long for each redirect."""

    def __init__(self, given: Deadline) -> None:
        self._given = given

    def __enter__(self) -> Deadline:
        self._token = _deadline.set(self._given)
        return self._given

    def __exit__(self, *_: object) -> None:
        _deadline.reset(self._token)


def use_deadline(given: Deadline) -> DeadlineScope:
    """Run the block under this very deadline."""
    return DeadlineScope(given)


def deadline(seconds: float) -> DeadlineScope:
    """Run the block under a deadline that is never later than the one around it."""
    return DeadlineScope(Deadline(seconds, outer=_deadline.get()))


def shutdown_deadline(seconds: float) -> DeadlineScope:
    """Run the block with exactly ``seconds``, even if the deadline around it has passed.

    For the last writes of an invocation: they use the time that it kept in reserve.
    """
    return DeadlineScope(Deadline(seconds))


def deadline_of(context: Any, reserved_seconds: float) -> Deadline:
    """The time that an invocation has left by its Lambda context, minus the reserved seconds.

    So an invocation ends and requeues the rest before its timeout kills it.
    """
    return Deadline(context.get_remaining_time_in_millis() / 1000 - reserved_seconds)


_Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def invocation_deadline(reserved_seconds: float) -> Callable[[_Handler], _Handler]:
    """Decorate a Lambda handler: it runs under :func:`deadline_of` its context."""

    def decorate(handler: _Handler) -> _Handler:
        @wraps(handler)
        def bounded(event: dict[str, Any], context: Any) -> dict[str, Any]:
            with use_deadline(deadline_of(context, reserved_seconds)):
                return handler(event, context)

        return bounded

    return decorate
