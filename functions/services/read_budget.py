"""Limits the reads of filters: they are strong reads on the table that redirects need too."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from functions.domain.clock import current_deadline, use_deadline
from functions.domain.errors import LimitReached

if TYPE_CHECKING:
    from functions.domain.plans import Plan
    from functions.repositories.access import AccessTable

#: The charge for reading the first index keys, in links: 3,200 keys are 60 read units.
OPENING_READS = 100


class ReadBudget(Protocol):
    """A limit that is checked before each read of links."""

    def open(self) -> None:
        """Called before the index is read; raises ``LimitReached`` if nothing is left."""

    def take(self, links: int) -> bool:
        """Whether this number of links may be read now; False ends the resolution unfinished.

        Raises ``LimitReached`` when the workspace has to wait for the next minute.
        """


def may_read(budget: ReadBudget, links: int, tried: int) -> bool:
    """Whether a page that has compared ``tried`` may read more; otherwise it ends short.

    Raises ``LimitReached`` if there is nothing left at its start.
    """
    try:
        return budget.take(links)
    except LimitReached:
        if not tried:
            raise
        return False


class RequestBudget:
    """The budget of one request: the plan's limit per request, and the workspace's minute
    window.
    """

    def __init__(self, workspace_id: str, plan: Plan, *, access: AccessTable) -> None:
        self._workspace_id = workspace_id
        self._plan = plan
        self._access = access
        self._deadline = current_deadline()
        self._left = plan.filter_reads_per_request

    def open(self) -> None:
        self._charge(OPENING_READS)

    def take(self, links: int) -> bool:
        if links > self._left:
            return False
        self._charge(links)
        self._left -= links
        return True

    def _charge(self, links: int) -> None:
        limit = self._plan.filter_reads_per_minute
        with use_deadline(self._deadline):
            wait = self._access.charge_reads(self._workspace_id, links, limit=limit)
        if wait is not None:
            raise LimitReached(
                f"Filters may read {limit:,} links a minute in one workspace under the "
                f"{self._plan.name} plan. Try again in {wait} seconds.",
                limit=limit,
                retry_after=wait,
            )


class LeasedBudget:
    """The budget of a worker: before each read it renews the worker's lease if needed.

    ``renew`` raises if another worker has the lease.
    """

    def __init__(self, renew: Callable[[], None], budget: ReadBudget) -> None:
        self._renew = renew
        self._budget = budget

    def open(self) -> None:
        self._budget.open()

    def take(self, links: int) -> bool:
        self._renew()
        return self._budget.take(links)


class PacedBudget:
    """The budget of a resolution in the background: pauses keep it at the plan's rate.

    The worker may not write rate windows, and there are few per workspace (``openFilters``).
    """

    def __init__(self, per_minute: int) -> None:
        self._per_second = per_minute / 60
        self._started = time.monotonic()
        self._taken = 0

    def open(self) -> None:
        """Nothing to claim: the slot was claimed when the deletion was accepted."""

    def take(self, links: int) -> bool:
        # Wait for the time of the previous reads; the first read starts at once.
        pause = self._started + self._taken / self._per_second - time.monotonic()
        if pause > current_deadline().remaining():
            return False
        if pause > 0:
            time.sleep(pause)
        self._taken += links
        return True
