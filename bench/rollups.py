"""How many clicks per second one click stream reader counts, and its cost per click.

The wall time includes an emulator in Python that shares the processor; the processor time is the
tally's own, so its inverse is what one vCPU could count if DynamoDB answered at once.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Any

from bench.emulator import NOON, a_click, new_links, tables
from functions.aws.client import client
from functions.aws.codec import to_item
from functions.aws.parallel import in_parallel
from functions.repositories.clicks import ClicksTable
from functions.repositories.rollups import RollupsTable
from functions.services.click_aggregation import tally

CLICKS = 2_000
BATCH = 1_000


def main() -> None:
    with tables():
        print("| clicks on | clicks/s of wall time | clicks/s of CPU | updates a click |")
        print("|---|---|---|---|")
        for links, visitors in ((1, 500), (50, 500), (500, 500)):
            _measure(links, visitors)


def _measure(link_count: int, visitors: int) -> None:
    dynamodb = client("dynamodb")
    links = new_links(link_count)
    chance = random.Random(link_count)
    table = ClicksTable(dynamodb, "clicks")
    clicks = [_click(chance.choice(links).id, n, chance.randrange(visitors)) for n in range(CLICKS)]
    in_parallel(table.put, clicks)
    records = [
        {"dynamodb": {"SequenceNumber": str(n), "NewImage": table.key(click) | to_item(click)}}
        for n, click in enumerate(clicks)
    ]
    calls: Counter[str] = Counter()
    dynamodb.meta.events.register(
        "after-call.dynamodb", lambda model, **_: calls.update([model.name])
    )
    rollups = RollupsTable(dynamodb, clicks="clicks", links="links")
    wall, spent = time.perf_counter(), time.process_time()
    for start in range(0, CLICKS, BATCH):
        failed = tally(
            records[start : start + BATCH],
            rollups=rollups,
            failures=None,
            visitor_secret=b"bench",
        )
        assert not failed
    wall, spent = time.perf_counter() - wall, time.process_time() - spent
    days = [day for link in links for day in rollups.days(link.id, "2026-01-01", "2026-12-31")]
    assert sum(int(day["clicks"]) for day in days) == CLICKS
    name = "one link" if link_count == 1 else f"{link_count} links"
    print(
        f"| {name} | {CLICKS / wall:,.0f} | {CLICKS / spent:,.0f} |"
        f" {calls['UpdateItem'] / CLICKS:.3f} |"
    )


def _click(link_id: str, number: int, visitor: int) -> dict[str, Any]:
    return a_click(
        link_id,
        NOON + number / 1000,
        ipAddress=f"10.0.{visitor // 250}.{visitor % 250}",
        countryCode=("EG", "SA", "DE")[visitor % 3],
    )
