"""The plans and their limits, from ``plans.json``.

The stack's usage plans read the same file, so that the gateway's limits and the exact limiter
cannot differ.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from functions.domain.camel_case import camel_case

#: The most ids that one request may carry under any plan.
MAX_IDS = 10_000

#: Characters of the reason of a delete or restore.
MAX_REASON = 500

Scope = Literal[
    "linksRead",
    "linksWrite",
    "linksErase",
    "linksRestore",
    "linksUndo",
    "analyticsRead",
    "admin",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)


@dataclass(frozen=True)
class Plan:
    """``requests_per_minute`` per key or session user; ``max_ids`` per bulk request.

    For a workspace: ``links_per_workspace`` that are live; links that its filters may read, in one
    request and in a minute (``filter_reads_…``); and ``open_filters``, deletions by filter that
    wait in the background for their links; and ``open_exports``, exports of links that are not
    finished. ``links_per_create`` is for one request. Values that are not given are those of the
    free plan.
    """

    name: str
    requests_per_minute: int
    max_ids: int
    links_per_workspace: int = 5_000
    links_per_create: int = 100
    filter_reads_per_request: int = 5_000
    filter_reads_per_minute: int = 15_000
    open_filters: int = 1
    open_exports: int = 2


_LIMITS = [field.name for field in fields(Plan) if field.name != "name"]


@cache
def plans() -> dict[str, Plan]:
    """Every plan by name."""
    table = json.loads((Path(__file__).parent / "plans.json").read_text())
    return {
        name: Plan(name, **{field: limits[camel_case(field)] for field in _LIMITS})
        for name, limits in table.items()
    }
