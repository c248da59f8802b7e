"""Months of a demo: links with clicks over time, and deletions of each kind.

The API creates the links and the deletions. It cannot create a past, so the times of links and
their clicks by day are written to the tables in the form that the functions write.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.aws.codec import primary_key, to_item
from functions.domain.clock import iso
from local.demo_data import Workspace, post

LINKS = 240
MONTHS = 9
#: Links that have clicks by day, and for how many days.
POPULAR = 36
DAYS = 90

#: Requests of one BatchWriteItem call (API limit).
BATCH = 25

_CAMPAIGNS = (
    ("Winter sale", "winter-sale", "shop"),
    ("Ramadan offers", "عروض رمضان", "shop"),
    ("Product tour", "product-tour", "onboarding"),
    ("Podcast", "podcast", "media"),
    ("Conference booth", "conference", "events"),
    ("Spring newsletter", "newsletter", "email"),
    ("Poster campaign", "posters", "print"),
    ("Partner programme", "partners", "sales"),
)
_THINGS = ("shoes", "coffee", "books", "bikes", "plants", "tea", "lamps", "maps", "الكتب", "القهوة")
_COUNTRIES = ("EG", "SA", "DE", "GB", "US", "AE", "FR", "unknown")
_REFERRERS = ("direct", "www.google.com", "www.instagram.com", "t.co", "news.example")
_DEVICES = ("mobile", "desktop", "tablet")
_PLATFORMS = ("iOS", "Android", "Windows", "macOS", "Linux")


def history_links() -> list[dict[str, Any]]:
    """The bodies of POST /api/links, oldest first."""
    links = []
    for number in range(LINKS):
        name, tag, channel = _CAMPAIGNS[number * len(_CAMPAIGNS) // LINKS]
        thing = _THINGS[number % len(_THINGS)]
        links.append(
            {
                "originalUrl": f"https://example.com/{channel}/{number}",
                "title": f"{name}: {thing} {number % 30 + 1}",
                "tags": [tag, channel],
                "isActive": number % 17 != 0,
                "externalId": f"crm-{number:04}",
            }
        )
    return links


def seed_history(
    base_url: str, workspace: Workspace, dynamodb: Any, tables: dict[str, str]
) -> None:
    """Write the demo's history in a workspace; `tables` are the names by `links` and `clicks`."""
    links = post(base_url, workspace.api_key, "/api/links", history_links())
    source = random.Random(7)
    now = datetime.now(UTC)
    days = {
        link["id"]: list(_days(source, now)) if number >= LINKS - POPULAR else []
        for number, link in enumerate(links)
    }
    items = [
        {"pk": link_id, "sk": f"DAY#{day['date']}"}
        | {name: value for name, value in day.items() if name != "date"}
        for link_id, counted in days.items()
        for day in counted
    ]

    def backdate(number: int) -> None:
        age = timedelta(days=MONTHS * 30 * (LINKS - number) / LINKS)
        link_id = links[number]["id"]
        update = _backdated(workspace.workspace_id, link_id, now - age, days[link_id])
        dynamodb.update_item(TableName=tables["links"], **update)

    def put(start: int) -> None:
        requests = [
            {"PutRequest": {"Item": to_item(each)}} for each in items[start : start + BATCH]
        ]
        dynamodb.batch_write_item(RequestItems={tables["clicks"]: requests})

    with ThreadPoolExecutor(max_workers=4) as pool:
        # Lists, so that an error of a thread is raised here.
        list(pool.map(backdate, range(len(links))))
        list(pool.map(put, range(0, len(items), BATCH)))
    _delete_some(base_url, workspace, [link["id"] for link in links])


def _days(source: random.Random, now: datetime) -> Iterator[dict[str, Any]]:
    """Counted days as `functions/repositories/rollups.py` writes them, with their `date`."""
    size = source.choice((3, 6, 14, 40))
    # Not today: the functions count that day themselves.
    for ago in range(1, DAYS + 1):
        date = now - timedelta(days=ago)
        weekend = 0.5 if date.weekday() in (4, 5) else 1.0
        clicks = int(source.expovariate(1 / size) * weekend)
        if clicks == 0:
            continue
        day: dict[str, Any] = {"date": date.date().isoformat(), "clicks": clicks, "installs": 0}
        day["visitors"] = max(1, clicks * 4 // 5)
        for dimension, values in (
            ("country", _COUNTRIES),
            ("referrer", _REFERRERS),
            ("device", _DEVICES),
            ("platform", _PLATFORMS),
        ):
            weights = [1 / (place + 1) for place in range(len(values))]
            for value in source.choices(values, weights, k=clicks):
                name = f"{dimension}:{value}"
                day[name] = day.get(name, 0) + 1
        yield day


def _backdated(
    workspace_id: str, link_id: str, created: datetime, days: list[dict[str, Any]]
) -> dict[str, Any]:
    """An UpdateItem with the times and counts of a link."""
    created_at = iso(created.timestamp())
    values: dict[str, Any] = {
        ":created": created_at,
        ":sort": f"{created_at}#{link_id}",
        ":clicks": sum(day["clicks"] for day in days),
    }
    update = "SET createdAt=:created, updatedAt=:created, liveSk=:sort, clickCount=:clicks"
    if days:
        update += ", lastClickAt=:last"
        values[":last"] = f"{max(day['date'] for day in days)}T00:00:00.000Z"
    return {
        "Key": primary_key(f"{workspace_id}#{link_id}", "LINK"),
        "UpdateExpression": update,
        "ConditionExpression": "attribute_exists(pk)",
        "ExpressionAttributeValues": to_item(values),
    }


def _delete_some(base_url: str, workspace: Workspace, ids: list[str]) -> None:
    """One deletion of each kind: to the trash, restored in part, by filter, and permanent."""

    def delete(**body: Any) -> dict[str, Any]:
        deletion: dict[str, Any] = post(base_url, workspace.admin_key, "/api/deletions", body)
        return deletion

    delete(ids=ids[:14], reason="The winter sale is over")
    part = delete(ids=ids[40:52], reason="Wrong destination")
    post(
        base_url,
        workspace.admin_key,
        f"/api/deletions/{part['id']}/restore",
        {"ids": ids[40:45], "reason": "These five were right"},
    )
    delete(filter={"tag": "posters", "maxClicks": 0, "isActive": False}, reason="Never printed")
    delete(ids=ids[20:26], mode="erase", reason="Erasure request 2026-114")
