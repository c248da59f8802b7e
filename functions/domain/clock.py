"""Time: what the API writes, and how much of it an invocation has left."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def iso(seconds: float) -> str:
    """``2026-01-31T12:00:00.000Z``: fixed width, so that text order is time order."""
    return iso_moment(datetime.fromtimestamp(seconds, UTC))


def iso_moment(moment: datetime) -> str:
    """:func:`iso` of a moment in UTC, from the year 1000 on."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def now_iso() -> str:
    """The present moment as :func:`iso` writes it."""
    return iso(time.time())


class Deadline:
    """A point in time after which no work is begun and no call is tried again.

    Taken from the Lambda context with a margin for the answer, so that an invocation ends by
    its own will and hands over what is left, instead of being killed at its timeout.
    """

    __slots__ = ("_at", "_within")

    def __init__(self, seconds: float, *, within: Deadline | None = None) -> None:
        """In ``seconds``, or when ``within`` comes, whichever is first."""
        self._at = time.monotonic() + seconds
        self._within = within

    def remaining(self) -> float:
        """Seconds left; negative once it has passed."""
        own = self._at - time.monotonic()
        return own if self._within is None else min(own, self._within.remaining())

    def expire(self) -> None:
        """Let it come now."""
        self._at = time.monotonic()

    @property
    def passed(self) -> bool:
        """True when no work may be begun."""
        return self.remaining() <= 0
