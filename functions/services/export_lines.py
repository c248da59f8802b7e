"""Reads the lines of an export in order, from any place on: each link, then its clicks.

For each link a line ``{"type":"link",…}``, then a line ``{"type":"click",…}`` for each click up to
a moment. Links are read 100 a call and the first pages of all their partitions in parallel. A
link's partitions are read even if its ``clickCount`` is 0: clicks are counted later than they are
recorded, and clicks of bots are never counted (docs/decisions/080-exports-that-always-complete.md).
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from functions.aws.dynamodb import READ_BATCH
from functions.aws.parallel import in_parallel
from functions.domain.clock import Deadline, use_deadline
from functions.domain.errors import Unavailable
from functions.domain.link import Link
from functions.repositories.clicks import ClicksTable, partitions_of
from functions.repositories.exports import ExportsBucket
from functions.repositories.links import LinksTable
from functions.schemas.link_views import link_view
from functions.services.export_position import Place

#: Links per window: the initial and the maximum number. It is reduced while reads are throttled, so
#: that a window always ends.
FIRST_WINDOW, LARGEST_WINDOW = 10, READ_BATCH

#: Clicks in the first page of a partition. A window then holds at most 90,000 clicks (about 50 MB).
FIRST_PAGE = 100

#: Maximum seconds of one reading step. The position is saved between two steps, so a step must be
#: much shorter than a lease.
STEP_SECONDS = 15.0

#: Seconds of a window after which the next one is smaller.
SLOW_SECONDS = 5.0

#: The members of a click's line, null if unknown.
CLICK_FIELDS = (
    "id",
    "linkId",
    "clickedAt",
    "ipAddress",
    "userAgent",
    "deviceType",
    "platform",
    "countryCode",
    "region",
    "city",
    "timezone",
    "referrer",
    "utmSource",
    "utmMedium",
    "utmCampaign",
    "utmTerm",
    "utmContent",
    "isBot",
)


@dataclass(frozen=True, slots=True)
class ExportStores:
    """The repositories of an export."""

    links: LinksTable
    clicks: ClicksTable
    bucket: ExportsBucket


class Lines(NamedTuple):
    """Some lines (perhaps none), their number, and the place after them."""

    text: bytes
    number: int
    place: Place


class Page(NamedTuple):
    """Lines of one partition; ``after`` is the start of its next page, None after the last."""

    text: bytes
    number: int
    after: str | None


@dataclass(frozen=True, slots=True)
class LineReader:
    """Reads the lines of an export. The links and their order must be the same each time."""

    link_ids: Sequence[str]
    workspace_id: str
    until: str
    base_url: str
    stores: ExportStores
    deadline: Deadline

    def read(self, start: Place) -> Iterator[Lines]:
        """The lines from a place on; missing links are skipped.

        Yields at least every few :data:`STEP_SECONDS`, perhaps without lines, so that the caller
        can renew its lease. Raises ``Unavailable`` if not even one link can be read in time.
        """
        place, size = start, FIRST_WINDOW
        while place.link < len(self.link_ids):
            began = time.monotonic()
            window = self.link_ids[place.link : place.link + size]
            try:
                with use_deadline(Deadline(STEP_SECONDS, outer=self.deadline)):
                    links, pages = self._read_window(window, place)
            except Unavailable:
                if size == 1 or self.deadline.passed:
                    raise
                size = max(1, size // 4)
                yield Lines(b"", 0, place)
                continue
            quick = time.monotonic() - began < SLOW_SECONDS
            size = min(LARGEST_WINDOW, 2 * size) if quick else max(1, size // 2)
            for link_id in window:
                yield from self._lines_of_link(links.get(link_id), place, pages)
                place = Place(place.link + 1)

    def _read_window(
        self, window: Sequence[str], start: Place
    ) -> tuple[dict[str, Link], dict[tuple[str, int], Page]]:
        """The links of a window by id, and the first page of each of their partitions."""
        links = self.stores.links.get_many(self.workspace_id, window)
        units: list[tuple[str, int, str | None]] = []
        for number, link_id in enumerate(window):
            link = links.get(link_id)
            if link is not None:
                # Only the rest of a link that was started.
                place = start if number == 0 else Place()
                units += [(link_id, partition, None) for partition in _partitions(link, place)]
                if place.after is not None:
                    units[0] = (link_id, place.shard, place.after)
        if not units:
            return links, {}
        pages = in_parallel(lambda unit: self.page(*unit, limit=FIRST_PAGE), units)
        keys = [(link_id, partition) for link_id, partition, _ in units]
        return links, dict(zip(keys, pages, strict=True))

    def _lines_of_link(
        self, link: Link | None, start: Place, pages: dict[tuple[str, int], Page]
    ) -> Iterator[Lines]:
        """The lines of one link; after its first pages it is read page by page."""
        behind = Place(start.link + 1)
        if link is None:
            yield Lines(b"", 0, behind)
            return
        texts, count = [], 0
        if start.shard < 0:
            deleted = {} if link.deleted_at is None else {"deletedAt": link.deleted_at}
            texts.append(_line({"type": "link", **link_view(link, self.base_url), **deleted}))
            count = 1
        for partition in _partitions(link, start):
            page = pages.pop((link.id, partition))
            while page.after is not None:
                texts.append(page.text)
                place = Place(start.link, partition, page.after)
                yield Lines(b"".join(texts), count + page.number, place)
                texts, count = [], 0
                with use_deadline(Deadline(STEP_SECONDS, outer=self.deadline)):
                    page = self.page(link.id, partition, page.after)
            texts.append(page.text)
            count += page.number
        yield Lines(b"".join(texts), count, behind)

    def page(
        self,
        link_id: str,
        partition: int,
        after: str | None,
        *,
        limit: int | None = None,
    ) -> Page:
        """Lines of a partition's clicks after the sort key ``after``, at most ``limit``."""
        clicks, last = self.stores.clicks.page(
            link_id, partition, after=after, until=self.until, limit=limit
        )
        text = b"".join(_line(_click_record(click)) for click in clicks)
        return Page(text, len(clicks), last)


def _partitions(link: Link, start: Place) -> range:
    """The partitions of a link's clicks that are not read yet."""
    every = partitions_of(one_partition=link.one_partition)
    return range(max(every.start, start.shard), every.stop)


def _click_record(click: dict[str, Any]) -> dict[str, Any]:
    return {"type": "click"} | {name: click.get(name) for name in CLICK_FIELDS}


# `json.dumps` would make a new encoder for each line, which takes half of its time. A record has no
# circular references.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def _line(record: dict[str, Any]) -> bytes:
    return _encode(record).encode() + b"\n"
