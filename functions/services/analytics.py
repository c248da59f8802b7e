"""The counts of a link, from one item per day: the cost does not depend on the clicks."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING

from functions.domain.frequent_values import OTHER, rest_of
from functions.repositories.rollups import RollupsTable

if TYPE_CHECKING:
    from functions.schemas.analytics_responses import Analytics

#: What clicks are counted by.
DIMENSIONS = ("country", "region", "city", "timezone", "device", "platform", "referrer")


def analytics(link_id: str, *, days: int, today: date, rollups: RollupsTable) -> Analytics:
    """The counts of the last ``days`` UTC days, including today.

    ``uniqueClicks`` is the sum of the days' visitors: a visitor on two days counts twice.
    """
    first = today - timedelta(days=days - 1)
    counted = rollups.days(link_id, first.isoformat(), today.isoformat())
    by_date = {day["sk"].removeprefix("DAY#"): day for day in counted}
    totals: Counter[str] = Counter()
    for day in counted:
        for name, value in day.items():
            if name not in ("pk", "sk"):
                totals[name] += value
        for dimension in DIMENSIONS:
            if rest := rest_of(day, dimension):
                totals[f"{dimension}:{OTHER}"] += rest
    dates = [(first + timedelta(days=offset)).isoformat() for offset in range(days)]
    clicks = {dimension: _ranked(totals, dimension) for dimension in DIMENSIONS}
    return {
        "linkId": link_id,
        "days": days,
        "totalClicks": totals["clicks"],
        "uniqueClicks": totals["visitors"],
        "totalInstalls": totals["installs"],
        "clicksByDate": [
            {"date": day, "clicks": by_date.get(day, {}).get("clicks", 0)} for day in dates
        ],
        "clicksByCountry": [{"country": value, "clicks": n} for value, n in clicks["country"]],
        "clicksByRegion": [{"region": value, "clicks": n} for value, n in clicks["region"]],
        "clicksByCity": [{"city": value, "clicks": n} for value, n in clicks["city"]],
        "clicksByTimezone": [{"timezone": value, "clicks": n} for value, n in clicks["timezone"]],
        "clicksByDevice": [{"device": value, "clicks": n} for value, n in clicks["device"]],
        "clicksByPlatform": [{"platform": value, "clicks": n} for value, n in clicks["platform"]],
        "clicksByReferrer": [{"referrer": value, "clicks": n} for value, n in clicks["referrer"]],
        "installsByPlatform": [
            {"platform": value, "installs": n} for value, n in _ranked(totals, "install")
        ],
    }


def _ranked(totals: Counter[str], dimension: str) -> list[tuple[str, int]]:
    """``(value, count)`` of a dimension, largest first, equal counts by name."""
    prefix = f"{dimension}:"
    found = [
        (name.removeprefix(prefix), n) for name, n in totals.items() if name.startswith(prefix)
    ]
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))
