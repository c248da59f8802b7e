"""Counts clicks from the stream of the ``clicks`` table into days and the link's counter.

The stream delivers every click at least once, after failures again and in other batches, and from
the failures bucket much later. No batch or position is stored: a day lists the clicks that it
counted, in the write that counts them (:mod:`functions.repositories.rollups`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from functions.aws.calls import backoff
from functions.aws.codec import from_item
from functions.aws.parallel import in_parallel
from functions.domain.errors import Unavailable, UnlinkError
from functions.domain.frequent_values import DayChange, count_values
from functions.domain.link import Link
from functions.powertools import Logger
from functions.repositories.failed_records import FailuresBucket
from functions.repositories.rollups import (
    CLICKS_A_WRITE,
    FIRST_VISITS,
    LISTED_CLICKS,
    MARK,
    MAX_OPERATORS,
    MAX_VALUES,
    Counted,
    RollupsTable,
    mark_of,
    visit_name,
)
from functions.repositories.visitors import visitor_of
from functions.services.stream_records import parse_records

#: The counted dimensions and the click's attribute of each. A missing value is ``unknown``.
DIMENSIONS = {
    "country": "countryCode",
    "region": "region",
    "city": "city",
    "timezone": "timezone",
    "device": "deviceType",
    "platform": "platform",
}
UNKNOWN = "unknown"

#: The referrer value of a visit without a referrer.
DIRECT = "direct"

log = Logger()


def tally(
    records: Sequence[dict[str, Any]],
    *,
    rollups: RollupsTable,
    failures: FailuresBucket | None,
    visitor_secret: bytes,
) -> list[str]:
    """Count a batch of stream records; returns the sequence numbers of the records to retry.

    ``visitor_secret`` is the key of the visitor hashes.
    """
    # Removals (by TTL or erasure) and updates are not clicks. The event filter excludes them
    # already.
    inserted = [record for record in records if record.get("eventName", "INSERT") == "INSERT"]
    clicks, failed = parse_records(inserted, _click, failures=failures)
    links: dict[tuple[str, str], list[tuple[str, dict[str, Any]]]] = {}
    for number, click in clicks:
        if not click.get("isBot"):
            links.setdefault((click["workspaceId"], click["linkId"]), []).append((number, click))

    def count_link(link: tuple[str, str]) -> list[str]:
        """One link's clicks one write after the other: they would only collide."""
        numbered = links[link]
        try:
            _LinkCount(*link, rollups, visitor_secret).count([click for _, click in numbered])
        except UnlinkError:
            log.exception("clicks were not counted", extra={"linkId": link[1]})
            # Also those of days that are counted: the link's counter may not include them yet.
            return [number for number, _ in numbered]
        return []

    for numbers_left in in_parallel(count_link, list(links)):
        failed.update(numbers_left)
    # In stream order; a record without a number fails the whole batch.
    return sorted(failed, key=lambda number: int(number) if number.isdigit() else 0)


def _click(record: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The sequence number and the click of a record."""
    click = from_item(record["dynamodb"]["NewImage"])
    for name in ("workspaceId", "linkId", "pk", "sk"):
        if not click[name]:
            raise ValueError(f"a click without {name}")
    datetime.fromisoformat(click["clickedAt"])
    return record["dynamodb"]["SequenceNumber"], click


class _LinkGoneError(Exception):
    """The link is erased: what was written for it is removed, and its clicks are not counted."""


@dataclass(slots=True)
class _LinkCount:
    """One link's clicks of a batch."""

    workspace_id: str
    link_id: str
    rollups: RollupsTable
    visitor_secret: bytes
    #: The keys of what this run writes in `clicks`.
    written: list[dict[str, Any]] = field(default_factory=list)

    def count(self, clicks: Sequence[dict[str, Any]]) -> None:
        """Count those that are not counted yet. Raises an ``UnlinkError``; may be repeated."""
        days: dict[str, dict[str, dict[str, Any]]] = {}
        for click in clicks:
            # By key, because a batch may contain a click twice.
            days.setdefault(click["clickedAt"][:10], {})[click["sk"]] = click
        link: Link | None = None
        totals: dict[str, tuple[int, int]] = {}
        try:
            for date, of_day in days.items():
                link, totals[date] = self._count_day(date, list(of_day.values()))
            if link is not None and not self.rollups.totals.advance(
                self.workspace_id,
                link,
                totals,
                last_click_at=max(click["clickedAt"] for click in clicks),
            ):
                raise _LinkGoneError
        except _LinkGoneError:
            # A key twice in one batch is refused.
            keys = {(key["pk"]["S"], key["sk"]["S"]): key for key in self.written}
            self.rollups.remove(list(keys.values()))

    def _count_day(
        self, date: str, clicks: Sequence[dict[str, Any]]
    ) -> tuple[Link, tuple[int, int]]:
        """Count one day's clicks; the link, the day's clicks, and how many of them are new."""
        clicks = sorted(clicks, key=lambda click: click["sk"])
        visitors = {
            mark_of(click): visitor_of(click, secret=self.visitor_secret) for click in clicks
        }
        counted_now = attempt = 0
        while True:
            found = self.rollups.before(
                self.workspace_id,
                self.link_id,
                date,
                since=clicks[0]["clickedAt"],
                visitors=set(visitors.values()),
                consistent=attempt > 0,
            )
            if found.link is None:
                raise _LinkGoneError
            left = [click for click in clicks if mark_of(click) not in found.marks]
            unchanged = True
            while left and unchanged:
                group, change = _group(left, found.day)
                unchanged = self._count_group(date, found, group, change, visitors)
                if unchanged:
                    counted_now += len(group)
                    left = left[len(group) :]
            if not left:
                return found.link, (found.clicks, counted_now)
            attempt += 1
            # The first refusals are usual: a stale read, or visitors that need items of their own.
            if attempt > 2 and not backoff(attempt):
                raise Unavailable

    def _count_group(
        self,
        date: str,
        found: Counted,
        group: Sequence[dict[str, Any]],
        change: DayChange,
        visitors: Mapping[str, str],
    ) -> bool:
        """Count clicks of a day in one write; False when the day must be read again."""
        # The first click of a visitor counts the visitor.
        claims: dict[str, dict[str, Any]] = {}
        for click in group:
            claims.setdefault(visitors[mark_of(click)], click)
        for visit in found.first_visits:
            claims.pop(visitor_of(visit, secret=self.visitor_secret), None)
        known = len(found.day.get("firstVisits", ()))
        first_visits: list[str] = []
        claimed = claims if found.many_visitors else ()
        self.written += self.rollups.keys_of(self.link_id, date, found, claimed)
        if found.many_visitors:
            new = self._claim(date, found, claims, {mark_of(click) for click in group})
        elif known + len(claims) > FIRST_VISITS:
            self.rollups.expect_many_visitors(self.link_id, date)
            return False
        else:
            first_visits = [visit_name(click) for click in claims.values()]
            new = len(first_visits)
        if new:
            change.add["visitors"] = new
        listed = str(found.day.get("counted", ""))
        marks = "".join(mark_of(click) for click in group)
        until = group[-1]["clickedAt"]
        if len(listed) + len(marks) > LISTED_CLICKS * MARK:
            if listed:
                self.rollups.move_marks(self.link_id, date, found)
        else:
            marks = listed + marks
            until = max(until, found.day.get("countedUntil", ""))
        if not self.rollups.count_clicks(
            self.link_id,
            date,
            found,
            change=change,
            listed=marks,
            until=until,
            first_visits=first_visits,
        ):
            return False
        if first_visits:
            found.first_visits += claims.values()
        return True

    def _claim(
        self, date: str, found: Counted, claims: Mapping[str, dict[str, Any]], marks: set[str]
    ) -> int:
        """Claim visitors that no click has claimed; how many are claimed by the clicks ``marks``.

        A claim of these may be left from a run that failed before it counted them.
        """
        by = {visitor: found.visitors[visitor] for visitor in claims if visitor in found.visitors}
        open_claims = {
            visitor: mark_of(click) for visitor, click in claims.items() if visitor not in by
        }
        if open_claims:
            self._spread(found)
            by |= self.rollups.visitors.claim(self.link_id, date, open_claims)
            found.visitors |= by
        return sum(mark in marks for mark in by.values())

    def _spread(self, found: Counted) -> None:
        """Let the link use its shards, before the first visitor is written to one of them."""
        if found.link is not None and found.link.one_partition:
            if not self.rollups.totals.spread(self.workspace_id, self.link_id):
                raise _LinkGoneError
            found.link = found.link._replace(one_partition=False)


def _group(
    left: Sequence[dict[str, Any]], day: Mapping[str, Any]
) -> tuple[Sequence[dict[str, Any]], DayChange]:
    """The clicks that one write counts, and how the day changes."""
    group = left[:CLICKS_A_WRITE]
    change = _change(group, day)
    while change.operators > MAX_OPERATORS:
        # Many new values on a full day: count fewer clicks at a time.
        group = group[: len(group) // 2]
        change = _change(group, day)
    return group, change


def _change(clicks: Sequence[dict[str, Any]], day: Mapping[str, Any]) -> DayChange:
    """The change of the day for these clicks."""
    counted: dict[str, Counter[str]] = {name: Counter() for name in (*DIMENSIONS, "referrer")}
    for click in clicks:
        for dimension, attribute in DIMENSIONS.items():
            counted[dimension][click.get(attribute) or UNKNOWN] += 1
        counted["referrer"][_referrer(click.get("referrer"))] += 1
    change = count_values(day, counted, maximum=MAX_VALUES)
    change.add["clicks"] = len(clicks)
    return change


def _referrer(address: str | None) -> str:
    """The site that a visit came from: its host."""
    if not address:
        return DIRECT
    try:
        return (urlsplit(address).hostname or UNKNOWN)[:100]
    except ValueError:
        return UNKNOWN
