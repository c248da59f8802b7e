"""The cost of a page of 50 links among 10,000 live ones, without and with 10,000 deleted ones."""

from __future__ import annotations

import time
from typing import Any

from bench.emulator import WORKSPACE, Reads, new_links, tables
from functions.aws.client import client
from functions.domain.ids import new_time_ordered_id
from functions.domain.link_filter import LinkFilter
from functions.repositories.links import LinksTable
from functions.services.list_links import list_links

COUNT = 10_000
LIMIT = 50


def main() -> None:
    with tables():
        _measure()


def _measure() -> None:
    dynamodb = client("dynamodb")
    links = LinksTable(dynamodb, "links")
    _create("kept")
    reads = Reads(dynamodb)
    rows: list[tuple[str, Any]] = [("10,000 live", _page(links, reads))]
    deleted = _create("gone")
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


def _create(tag: str) -> list[str]:
    requests = range(COUNT // 1_000)
    return [link.id for _ in requests for link in new_links(1_000, tags=[tag], title="A link")]


def _page(
    links: LinksTable, reads: Reads, link_filter: LinkFilter | None = None
) -> tuple[int, str, float, float]:
    reads.clear()
    began = time.process_time()
    page, _ = list_links(
        workspace_id=WORKSPACE,
        limit=LIMIT,
        after=None,
        links=links,
        link_filter=link_filter or LinkFilter(),
    )
    spent = time.process_time() - began
    calls = ", ".join(f"{count} {name}" for name, count in sorted(reads.calls.items()))
    return len(page), calls, reads.units, spent
