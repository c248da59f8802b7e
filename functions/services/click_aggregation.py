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

from functions.aws.client import in_parallel
from functions.aws.codec import from_item, runs
from functions.domain.errors import UnlinkError
from functions.domain.frequent_values import DayChange, count_values
from functions.repositories.failed_records import FailuresBucket
from functions.repositories.rollups import (
    CLICKS_A_TRANSACTION,
    MOST_OPERATORS,
    MOST_VALUES,
    RollupsTable,
    visitor_of,
)
from functions.services.stream_records import parse_records

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
    visitor_secret: bytes,
) -> list[str]:
    """Count a batch of stream records; the sequence numbers of those to be tried again.

    ``visitor_secret`` is the key of the visitors' hashes.
    """
    # A removal (by TTL, by an erasure) and an update are no clicks, should one ever arrive.
    inserted = [record for record in records if record.get("eventName", "INSERT") == "INSERT"]
    clicks, failed = parse_records(inserted, _click, failures=failures)
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
                _count(
                    *link,
                    date,
                    clicks,
                    rollups=rollups,
                    visitor_secret=visitor_secret,
                )
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
    visitor_secret: bytes,
) -> None:
    """Count up to 40 clicks of a link and day that are not counted yet."""
    left = {click["sk"]: click for click in clicks if not click.get("isBot")}
    visitors = {sk: visitor_of(click, secret=visitor_secret) for sk, click in left.items()}
    while left:
        known = rollups.before(workspace_id, link_id, date, set(visitors.values()))
        refused = None
        while known.link is not None and left:
            group = list(left)
            change = _change(left, group, known.day)
            while change.operators > MOST_OPERATORS:
                # Many new values for a full day: fewer clicks at a time.
                group = group[: len(group) // 2]
                change = _change(left, group, known.day)
            new_visitors = sorted({visitors[sk] for sk in group} - known.visitors)
            if new_visitors:
                change.add["visitors"] = len(new_visitors)
            last = max(left[sk]["clickedAt"] for sk in group)
            refused = rollups.count_clicks(
                workspace_id,
                link_id,
                date,
                clicks=[left[sk] for sk in group],
                change=change,
                new_visitors=new_visitors,
                last_click_at=last if last > known.link.get("lastClickAt", "") else None,
            )
            if refused is None:
                for sk in group:
                    del left[sk]
                # For the rest, the day is another one now.
                break
            if refused.link_gone:
                return
            for sk in refused.clicks:
                del left[sk]
            known.visitors |= refused.visitors
            if not refused.clicks and not refused.visitors:
                # A later click was counted meanwhile, or a floor raised: look again.
                break
        if known.link is None:
            return


def _change(
    clicks: Mapping[str, dict[str, Any]], group: Sequence[str], day: Mapping[str, Any]
) -> DayChange:
    """How the day changes for these clicks."""
    counted: dict[str, Counter[str]] = {name: Counter() for name in (*DIMENSIONS, "referrer")}
    for sk in group:
        click = clicks[sk]
        for dimension, attribute in DIMENSIONS.items():
            counted[dimension][click.get(attribute) or UNKNOWN] += 1
        counted["referrer"][_referrer(click.get("referrer"))] += 1
    change = count_values(day, counted, maximum=MOST_VALUES)
    change.add["clicks"] = len(group)
    return change


def _referrer(address: str | None) -> str:
    """The site that a visit came from: its host."""
    if not address:
        return DIRECT
    try:
        return (urlsplit(address).hostname or UNKNOWN)[:100]
    except ValueError:
        return UNKNOWN
