"""The metrics of the functions.

``metrics.json`` is the only list of names; the alarms read it too. Counting adds to a dictionary,
from any thread. The entry point writes the sums with :func:`flush` as one line in CloudWatch's
embedded metric format, or nothing if there are none. So a function without metrics never imports
the writer.

- ``LinksSoftDeleted``, ``LinksErased``, ``LinksRestored``: links.
- ``Requeues``: deletions that did not finish before their worker's deadline.
- ``ThrottledStatements``: calls and batch statements that were retried because of load.
- ``ErasureLag``: seconds from an erasure's request to its receipt.
- ``DeletionsWithoutWorker``: open deletions with an expired lease, from each run of the schedule.
- ``OldestDeletionWithoutWorker``, ``OldestErasure`` (without a receipt): age in seconds, 0 if there
  is none, from each run of the schedule.
- ``OldestUnsignedReceipt``: seconds since its erasure completed, 0 if all are signed, from each run
  of the signer.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from functools import cache, wraps
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
    """Record one value of a distribution, for percentiles in CloudWatch."""
    with _lock:
        _measured.setdefault(name, []).append(value)


def consumed(*, reads: float = 0, writes: float = 0) -> None:
    """Add capacity units that DynamoDB reported."""
    with _lock:
        _capacity["readUnits"] += reads
        _capacity["writeUnits"] += writes


def take_consumed() -> dict[str, float]:
    """The capacity units since the last call, for the request's log line; {} if unknown."""
    with _lock:
        taken = {name: round(units, 1) for name, units in _capacity.items() if units}
        _capacity.update(readUnits=0.0, writeUnits=0.0)
    return taken


Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def reporting(handler: Handler) -> Handler:
    """Decorate the handler of a background function so that its metrics are written at its end."""

    @wraps(handler)
    def reported(event: dict[str, Any], context: Any) -> dict[str, Any]:
        try:
            return handler(event, context)
        finally:
            flush()

    return reported


def flush() -> None:
    """Write the metrics counted since the last call; call it at the end of each invocation."""
    with _lock:
        counts, measured = dict(_counts), dict(_measured)
        _counts.clear()
        _measured.clear()
    if not counts and not measured:
        return
    # Imported only if there is something to write, because it slows cold starts.
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
    # Imported here, because a start that writes no metrics does without it.
    from pathlib import Path

    found: dict[str, Any] = json.loads((Path(__file__).parent / "metrics.json").read_text())
    return found
