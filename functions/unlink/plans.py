"""The plan table: what a workspace may do. ``plans.json`` is its one source.

The stack's usage plans read the same file, so that the gateway's shield and the exact limiter
cannot drift apart.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

#: The most ids that one request may carry under any plan.
MAX_IDS = 10_000

SCOPES = ("linksRead", "linksWrite", "linksErase", "linksRestore", "analyticsRead", "admin")


@dataclass(frozen=True)
class Plan:
    """``requests_per_minute`` per key or session user; ``max_ids`` per bulk request."""

    name: str
    requests_per_minute: int
    max_ids: int


@cache
def plans() -> dict[str, Plan]:
    """Every plan by name."""
    table = json.loads((Path(__file__).parent / "plans.json").read_text())
    return {
        name: Plan(
            name=name,
            requests_per_minute=limits["requestsPerMinute"],
            max_ids=min(limits["maxIds"], MAX_IDS),
        )
        for name, limits in table.items()
    }
