"""How long a worker may hold a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.domain.clock import (
    current_deadline,
)

if TYPE_CHECKING:
    pass


#: Longest lease in seconds: after a kill, nobody may take over before it has lapsed.
LEASE_SECONDS = 60.0


#: A lease outlives its worker's deadline by this much, so that the last write is still its own.
LEASE_MARGIN = 5.0


def lease_seconds() -> float:
    """How long a worker with this deadline needs its lease, before it renews it."""
    return min(LEASE_SECONDS, max(0.0, current_deadline().remaining()) + LEASE_MARGIN)
