"""The cost of a page of 50 links among 10,000 live ones, without and with 10,000 deleted ones."""

from __future__ import annotations

import time
from typing import Any

from bench.emulator import Reads, tables
from functions.aws.client import client
from functions.domain.ids import new_time_ordered_id
from functions.domain.link_filter import LinkFilter
from functions.repositories.links import LinksTable
from functions.schemas.links import NewLink
from functions.services.create_links import create_links
from functions.services.list_links import list_links

COUNT = 10_000
LIMIT = 50
WORKSPACE = "ws-bench"


def main() -> None:
    with tables():
        _measure()


def _measure() -> None:
    dynamodb = client("dynamodb")
    links = LinksTable(dynamodb, "links")
    _create(links, "kept")
    reads = Reads(dynamodb)
    rows: list[tuple[str, Any]] = [("10,000 live", _page(links, reads))]
    deleted = _create(links, "gone")
    links.batches.mark_deleted(
        WORKSPACE,
        deleted,
        deletion_id=new_time_ordered_id(),
        deleted_at="2026-02-01T12:00:00.000Z",
        ttl=None,
    )
    rows.append(("10,000 live, 10,000 deleted", _page(links, reads)))
    rows.append(("the same, filter that all match", _page(links, reads, LinkFilter(tag="kept"))))
    rows.append(("the same, filter that none match", _page(links, reads, LinkFilter(tag="none"))))
    print("| | links | calls | read units | CPU, ms |")
    print("|---|---|---|---|---|")
    for name, (found, calls, units, spent) in rows:
        print(f"| {name} | {found} | {calls} | {units:g} | {spent * 1000:.0f} |")


def _create(links: LinksTable, tag: str) -> list[str]:
    made = []
    for _ in range(COUNT // 1_000):
        new = [NewLink(originalUrl="https://example.com/page", tags=[tag], title="A link")] * 1_000
        made += create_links(
            new,
            workspace_id=WORKSPACE,
            user_id="bench",
            links=links,
        )
    return [link.id for link in made]


def _page(
    links: LinksTable, reads: Reads, only: LinkFilter | None = None
) -> tuple[int, str, float, float]:
    reads.clear()
    began = time.process_time()
    page, _ = list_links(
        workspace_id=WORKSPACE,
        limit=LIMIT,
        after=None,
        links=links,
        only=only or LinkFilter(),
    )
    spent = time.process_time() - began
    calls = ", ".join(f"{count} {name}" for name, count in sorted(reads.calls.items()))
    return len(page), calls, reads.units, spent


if __name__ == "__main__":
    main()
