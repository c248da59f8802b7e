"""Counting clicks: from the stream of the ``clicks`` table to the days and the link's counter.

The stream delivers every click at least once, after failures again and in other batches, and
from the failures bucket much later. Nothing is remembered of batches or positions: a click that
was counted says so itself, written in the transaction that counted it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from aws_lambda_powertools import Logger

from functions.unlink.clock import Deadline
from functions.unlink.errors import UnlinkError
from functions.unlink.procedures.records import understand
from functions.unlink.stores.client import in_parallel
from functions.unlink.stores.failures import FailuresBucket
from functions.unlink.stores.items import from_item, runs
from functions.unlink.stores.rollups import (
    CLICKS_A_TRANSACTION,
    MOST_VALUES,
    OTHER,
    RollupsTable,
    visitor_of,
)

#: What is counted by value, and where a click has it. What it does not have is ``unknown``.
DIMENSIONS = {
    "country": "countryCode",
    "region": "region",
    "city": "city",
    "timezone": "timezone",
    "device": "deviceType",
    "platform": "platform",
}
UNKNOWN = "unknown"

#: The referrer of a visit that has none.
DIRECT = "direct"

log = Logger()


def tally(
    records: Sequence[dict[str, Any]],
    *,
    rollups: RollupsTable,
    failures: FailuresBucket | None,
    deadline: Deadline,
) -> list[str]:
    """Count a batch of stream records; the sequence numbers of those to be tried again."""
    clicks, failed = understand(records, _click, failures=failures, deadline=deadline)
    links: dict[tuple[str, str], dict[str, dict[str, dict[str, Any]]]] = {}
    numbers: dict[str, str] = {}
    for number, click in clicks:
        days = links.setdefault((click["workspaceId"], click["linkId"]), {})
        # By its key: a batch may hold a click twice.
        days.setdefault(click["clickedAt"][:10], {})[click["sk"]] = click
        numbers.setdefault(click["sk"], number)

    def count_link(link: tuple[str, str]) -> list[str]:
        """One link's clicks one transaction after the other: they would only collide."""
        groups = [
            (date, group)
            for date, clicks in links[link].items()
            for group in runs(list(clicks.values()), CLICKS_A_TRANSACTION)
        ]
        for position, (date, clicks) in enumerate(groups):
            try:
                _count(*link, date, clicks, rollups=rollups, deadline=deadline)
            except UnlinkError:
                log.exception("clicks were not counted", extra={"linkId": link[1]})
                return [numbers[click["sk"]] for _, rest in groups[position:] for click in rest]
        return []

    if links:
        for numbers_left in in_parallel(count_link, list(links)):
            failed.update(numbers_left)
    # In the stream's order; what has no number at all stands for the whole batch.
    return sorted(failed, key=lambda number: int(number) if number.isdigit() else 0)


def _click(record: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The sequence number and the click of a record."""
    click = from_item(record["dynamodb"]["NewImage"])
    for name in ("workspaceId", "linkId", "pk", "sk"):
        if not click[name]:
            raise ValueError(f"a click without {name}")
    datetime.fromisoformat(click["clickedAt"])
    return record["dynamodb"]["SequenceNumber"], click


def _count(
    workspace_id: str,
    link_id: str,
    date: str,
    clicks: Sequence[dict[str, Any]],
    *,
    rollups: RollupsTable,
    deadline: Deadline,
) -> None:
    """Count up to 40 clicks of a link and day that are not counted yet."""
    left = {click["sk"]: click for click in clicks if not click.get("isBot")}
    visitors = {sk: visitor_of(click) for sk, click in left.items()}
    while left:
        known = rollups.before(
            workspace_id, link_id, date, set(visitors.values()), deadline=deadline
        )
        refused = None
        while known.link is not None and left:
            new_visitors = sorted({visitors[sk] for sk in left} - known.visitors)
            last = max(click["clickedAt"] for click in left.values())
            refused = rollups.count_clicks(
                workspace_id,
                link_id,
                date,
                clicks=list(left.values()),
                counters=_counters(left.values(), known.day) | _some(visitors=len(new_visitors)),
                new_visitors=new_visitors,
                last_click_at=last if last > known.link.get("lastClickAt", "") else None,
                deadline=deadline,
            )
            if refused is None or refused.link_gone:
                return
            for sk in refused.clicks:
                del left[sk]
            known.visitors |= refused.visitors
            if not refused.clicks and not refused.visitors:
                # A later click was counted meanwhile: look again.
                break
        if known.link is None:
            return


def _counters(clicks: Any, day: Mapping[str, Any]) -> dict[str, int]:
    """How much each counter of the day advances for these clicks."""
    counters: Counter[str] = Counter()
    for click in clicks:
        counters["clicks"] += 1
        for dimension, attribute in DIMENSIONS.items():
            counters[f"{dimension}:{click.get(attribute) or UNKNOWN}"] += 1
        counters[f"referrer:{_referrer(click.get('referrer'))}"] += 1
    return _bounded(counters, day)


def _bounded(counters: Mapping[str, int], day: Mapping[str, Any]) -> dict[str, int]:
    """The same, but with no more than :data:`MOST_VALUES` values of a dimension on the day.

    Whoever invents referrers must not make the day's item, which every count rewrites, grow.
    """
    present = Counter(name.partition(":")[0] for name in day if ":" in name)
    bounded: Counter[str] = Counter()
    for name, value in counters.items():
        dimension, colon, _ = name.partition(":")
        if colon and name not in day:
            if present[dimension] >= MOST_VALUES:
                bounded[f"{dimension}:{OTHER}"] += value
                continue
            present[dimension] += 1
        bounded[name] += value
    return dict(bounded)


def _referrer(address: str | None) -> str:
    """The site that a visit came from: its host."""
    if not address:
        return DIRECT
    try:
        return (urlsplit(address).hostname or UNKNOWN)[:100]
    except ValueError:
        return UNKNOWN


def _some(**counters: int) -> dict[str, int]:
    return {name: value for name, value in counters.items() if value}
