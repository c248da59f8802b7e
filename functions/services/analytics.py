"""What was counted of a link, for any number of clicks at the price of its days."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

from functions.domain.clock import Deadline
from functions.domain.frequent_values import OTHER, rest_of
from functions.repositories.rollups import RollupsTable

#: The lists of an answer: its name, the dimension that is counted, the name of a value.
LISTS = (
    ("clicksByCountry", "country", "country"),
    ("clicksByRegion", "region", "region"),
    ("clicksByCity", "city", "city"),
    ("clicksByTimezone", "timezone", "timezone"),
    ("clicksByDevice", "device", "device"),
    ("clicksByPlatform", "platform", "platform"),
    ("clicksByReferrer", "referrer", "referrer"),
)


def analytics(
    link_id: str, *, days: int, today: date, rollups: RollupsTable, deadline: Deadline
) -> dict[str, Any]:
    """The last ``days`` days of UTC up to today, every list with the most clicks first.

    ``uniqueClicks`` is the sum of the days' visitors: who comes on two days counts twice.
    """
    first = today - timedelta(days=days - 1)
    counted = rollups.days(link_id, first.isoformat(), today.isoformat(), deadline=deadline)
    by_date = {day["sk"].removeprefix("DAY#"): day for day in counted}
    totals: Counter[str] = Counter()
    for day in counted:
        for name, value in day.items():
            if name not in ("pk", "sk"):
                totals[name] += int(value)
        for _, dimension, _ in LISTS:
            if rest := rest_of(day, dimension):
                totals[f"{dimension}:{OTHER}"] += rest
    dates = [(first + timedelta(days=offset)).isoformat() for offset in range(days)]
    answer: dict[str, Any] = {
        "linkId": link_id,
        "days": days,
        "totalClicks": totals["clicks"],
        "uniqueClicks": totals["visitors"],
        "totalInstalls": totals["installs"],
        "clicksByDate": [
            {"date": day, "clicks": int(by_date.get(day, {}).get("clicks", 0))} for day in dates
        ],
    }
    for name, dimension, member in LISTS:
        answer[name] = [
            {member: value, "clicks": clicks} for value, clicks in _ranked(totals, dimension)
        ]
    answer["installsByPlatform"] = [
        {"platform": value, "installs": installs} for value, installs in _ranked(totals, "install")
    ]
    return answer


def _ranked(totals: Counter[str], dimension: str) -> list[tuple[str, int]]:
    """``(value, count)`` of a dimension, the largest first, equals by name."""
    prefix = f"{dimension}:"
    found = [
        (name.removeprefix(prefix), n) for name, n in totals.items() if name.startswith(prefix)
    ]
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))
