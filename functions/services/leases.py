"""How long a worker may hold a record."""

from __future__ import annotations

from functions.domain.clock import current_deadline

#: Maximum lease in seconds: after a kill, no worker may take over before it expires.
LEASE_SECONDS = 60.0

#: Seconds by which a lease exceeds its worker's deadline, so that it covers the last write.
LEASE_MARGIN = 5.0


def lease_seconds() -> float:
    """The lease that a worker with this deadline needs until it renews it."""
    return min(LEASE_SECONDS, max(0.0, current_deadline().remaining()) + LEASE_MARGIN)
