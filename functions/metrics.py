"""What the functions count. ``metrics.json`` is the one list of names, alarms read it too.

Counting is a dictionary addition from any thread; the entry point writes what came together with
:func:`flush`, as one line in CloudWatch's embedded metric format, and nothing when there was
nothing. So a function that counts nothing never imports the writer.

Names: ``LinksSoftDeleted``, ``LinksErased``, ``LinksRestored`` (links), ``HandOvers`` (deletions
that outlasted their worker's deadline), ``ThrottledStatements`` (calls and batch statements that
were sent again because of load), ``ErasureLag`` (seconds from an erasure's request to its
receipt), and from each look of the schedule ``LapsedDeletions`` (open, and their worker gone),
``OldestLapsedDeletion`` and ``OldestErasure`` (without a receipt; seconds, 0 when there is none).
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any

from functions.config import optional_setting

_counts: Counter[str] = Counter()
_measured: dict[str, list[float]] = {}
_capacity = {"readUnits": 0.0, "writeUnits": 0.0}
_lock = threading.Lock()


def count(name: str, amount: int = 1) -> None:
    """Add to a count of this invocation."""
    if amount:
        with _lock:
            _counts[name] += amount


def measure(name: str, value: float) -> None:
    """Note one value: a distribution, of which CloudWatch knows percentiles."""
    with _lock:
        _measured.setdefault(name, []).append(value)


def consumed(*, reads: float = 0, writes: float = 0) -> None:
    """Add capacity units that DynamoDB reported."""
    with _lock:
        _capacity["readUnits"] += reads
        _capacity["writeUnits"] += writes


def take_consumed() -> dict[str, float]:
    """The capacity units since the last look, for the request's log line; {} when unknown."""
    with _lock:
        taken = {name: round(units, 1) for name, units in _capacity.items() if units}
        _capacity.update(readUnits=0.0, writeUnits=0.0)
    return taken


Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def reporting(handler: Handler) -> Handler:
    """The handler of a background function, with what it counted written at its end."""

    @wraps(handler)
    def reported(event: dict[str, Any], context: Any) -> dict[str, Any]:
        try:
            return handler(event, context)
        finally:
            flush()

    return reported


def flush() -> None:
    """Write what was counted since the last time; call it at the end of each invocation."""
    with _lock:
        counts, measured = dict(_counts), dict(_measured)
        _counts.clear()
        _measured.clear()
    if not counts and not measured:
        return
    # Only where there is something to write: its import would slow every cold start.
    from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
        AmazonCloudWatchEMFProvider,
    )

    known = definitions()
    writer = AmazonCloudWatchEMFProvider(namespace=known["namespace"], service=known["service"])
    writer.add_dimension(name="stage", value=optional_setting("STAGE", "none"))
    for name, amount in counts.items():
        writer.add_metric(name=name, unit=known["metrics"][name], value=amount)
    for name, values in measured.items():
        for value in values:
            writer.add_metric(name=name, unit=known["metrics"][name], value=value)
    writer.flush_metrics()


@cache
def definitions() -> dict[str, Any]:
    """``{"namespace", "service", "metrics": {name: unit}}``."""
    found: dict[str, Any] = json.loads((Path(__file__).parent / "metrics.json").read_text())
    return found
