"""Listing links."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from math import isqrt

from functions.aws.dynamodb import READ_BATCH
from functions.domain.clock import current_deadline, now_iso
from functions.domain.ids import SHARDS
from functions.domain.link import Link
from functions.domain.link_filter import EVERY_LINK, LinkFilter
from functions.repositories.links import LinksTable
from functions.services.link_lookup import find_by_external_id
from functions.services.read_budget import ReadBudget, may_read

#: Links that one filtered page may read before it ends short, and seconds kept for the response.
READ_BUDGET = 1_000
PAGE_MARGIN = 5.0

#: Bytes of links in one page: a Lambda response may have 6 MB (quota "invocation payload").
PAGE_BYTES = 5_000_000


def list_links(
    *,
    workspace_id: str,
    limit: int,
    after: str | None,
    links: LinksTable,
    link_filter: LinkFilter = EVERY_LINK,
    size_of: Callable[[Link], int] | None = None,
    budget: ReadBudget | None = None,
) -> tuple[list[Link], str | None]:
    """A page of live links, newest first, and the position to continue from (None at the end).

    Keys come from the index of live links, so the cost depends on the page and not on the number of
    deleted links. Each link is then read strongly, and one deleted in the meantime is skipped. A
    page ends early, with a position: after comparing :data:`READ_BUDGET` links with the filter,
    near the deadline, when ``budget`` (used for filters only) is used up, or before ``size_of``
    (bytes of a link in the response) exceeds :data:`PAGE_BYTES`. Raises ``LimitReached`` if
    ``budget`` is used up at the start.
    """
    now = now_iso()
    if link_filter.external_id is not None:
        link = find_by_external_id(link_filter.external_id, workspace_id=workspace_id, links=links)
        return [link] if link is not None and link_filter.matches(link, now=now) else [], None
    keys = links.live_index.ids(
        workspace_id,
        after=_earlier(after, link_filter.created_before),
        since=link_filter.created_after,
        page=_keys_a_shard(limit if link_filter.empty else READ_BATCH),
    )
    page: list[Link] = []
    room = PAGE_BYTES
    last, tried = after, 0
    while len(page) < limit:
        # Without a filter only the missing links are read. With a filter more must be compared: 100
        # first, then as many as so far, so that a page uses its budget at most five times.
        wanted = (
            limit - len(page)
            if link_filter.empty
            else min(tried or READ_BATCH, READ_BUDGET - tried)
        )
        chunk = list(islice(keys, wanted))
        if not chunk:
            return page, None
        if budget and not link_filter.empty and not may_read(budget, len(chunk), tried):
            return page, last
        found = links.get_many(workspace_id, [link_id for _, link_id in chunk])
        for position, link_id in chunk:
            link = found.get(link_id)
            if link is not None and link.is_live and link_filter.matches(link, now=now):
                if len(page) == limit:
                    return page, last
                room -= size_of(link) if size_of else 0
                if room < 0 and page:
                    return page, last
                page.append(link)
            last = position
        tried += len(chunk)
        if tried >= READ_BUDGET or current_deadline().remaining() < PAGE_MARGIN:
            break
    return page, last if next(keys, None) else None


def _earlier(first: str | None, second: str | None) -> str | None:
    given = [position for position in (first, second) if position is not None]
    return min(given, default=None)


def _keys_a_shard(keys: int) -> int:
    """How many keys to read from each of the eight shards to get this number together.

    An eighth of them plus four standard deviations, so that a second page is rare.
    """
    share = keys // SHARDS
    return min(keys, share + 2 * isqrt(4 * share) + 1) or 1
