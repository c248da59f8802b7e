"""The trash: soft-deleted links, newest deletion first.

No index lists them, so that a soft delete writes nothing for it. The records of soft deletions are
read instead, and each of their links is read strongly: only the link says whether it is deleted,
and by which deletion.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from functions.domain.clock import current_deadline
from functions.domain.deletion import Deletion
from functions.domain.deletion_filter import DeletionFilter
from functions.domain.link import Link
from functions.domain.outcomes import Outcome
from functions.repositories.deletion_items import CHUNK_IDS
from functions.repositories.links import LinksTable
from functions.repositories.trash_records import CHUNK_UNITS, HEADER_UNITS, TrashRecords

#: Read units that a page with something to show may use: 60 for 50 links of at most 4 KB.
PAGE_UNITS = 60
UNITS_A_LINK = 1.2

#: Read units after which a page ends that has found nothing yet.
EMPTY_PAGE_UNITS = 500

#: Headers of the first query; each further one reads twice as many.
FIRST_HEADERS = 3
MAX_HEADERS = 96

#: Seconds that a page leaves for its response.
PAGE_MARGIN = 5.0


class Position(NamedTuple):
    """Where a page continues: in a deletion, or (``offset`` None) after it."""

    deletion_id: str
    offset: int | None


class TrashedLink(NamedTuple):
    """A link with the deletion that deleted it."""

    link: Link
    deletion: Deletion


@dataclass(slots=True)
class _Budget:
    """The read units of one page, which depend on whether it has anything to show."""

    limit: int
    spent: float = 0.0
    found: int = 0

    @property
    def left(self) -> float:
        full = max(PAGE_UNITS, self.limit * UNITS_A_LINK)
        return (full if self.found else max(full, EMPTY_PAGE_UNITS)) - self.spent


def list_trash(
    *,
    workspace_id: str,
    limit: int,
    position: Position | None,
    deletion_filter: DeletionFilter,
    records: TrashRecords,
    links: LinksTable,
) -> tuple[list[TrashedLink], Position | None]:
    """A page of links that can be restored, and where to continue (None at the end).

    A link is listed under its latest deletion, so it is shown once, even if it was deleted and
    restored several times. A page uses at most 60 read units for 50 links of at most 4 KB, or
    :data:`EMPTY_PAGE_UNITS` while it has found nothing; it may be short, even empty, and still have
    a next one.
    """
    if deletion_filter.matches_nothing:
        return [], None
    page = _Page(workspace_id, links, _Budget(limit))
    walk = _Walk(workspace_id, position, deletion_filter, records, page.budget)
    for group in walk:
        for deletion, start in group:
            waiting = _candidates(deletion, start)
            while waiting:
                batch = walk.affordable(deletion, waiting, page.room)
                if batch:
                    page.add(deletion, walk.ids(deletion, batch))
                elif not page.read_pending():
                    return page.links, Position(deletion.id, waiting[0])
                waiting = waiting[len(batch) :]
        page.read_pending()
    return page.links, walk.position


def _candidates(deletion: Deletion, start: int) -> list[int]:
    """The positions from ``start`` on whose links this deletion may have taken."""
    taken = [Outcome.DELETED]
    if deletion.state == "deleting":
        # The record of a running deletion lags behind what it has done.
        taken.append(Outcome.PENDING)
    return [i for i in range(start, len(deletion.outcomes)) if deletion.outcomes[i] in taken]


def _restorable(link: Link, deletion: Deletion, now: float) -> bool:
    # Live again, deleted again by another deletion, or past its retention: DynamoDB removes it.
    return (
        not link.is_live
        and link.deletion_id == deletion.id
        and (link.ttl is None or link.ttl > now)
    )


@dataclass(slots=True)
class _Page:
    """The links of a page, and those that are still to be read: in one call, of many deletions."""

    workspace_id: str
    table: LinksTable
    budget: _Budget
    links: list[TrashedLink] = field(default_factory=list)
    pending: list[tuple[Deletion, str]] = field(default_factory=list)

    @property
    def room(self) -> int:
        """How many more links may be read before it is known which of them are shown."""
        return self.budget.limit - len(self.links) - len(self.pending)

    def add(self, deletion: Deletion, link_ids: list[str]) -> None:
        self.pending += [(deletion, link_id) for link_id in link_ids]
        self.budget.spent += len(link_ids)

    def read_pending(self) -> bool:
        """Whether there was something to read."""
        if not self.pending:
            return False
        ids = [link_id for _, link_id in self.pending]
        found = self.table.get_many(self.workspace_id, ids)
        now = time.time()
        self.links += [
            TrashedLink(found[link_id], deletion)
            for deletion, link_id in self.pending
            if link_id in found and _restorable(found[link_id], deletion, now)
        ]
        self.pending.clear()
        self.budget.found = len(self.links)
        return True


@dataclass(slots=True)
class _Walk:
    """The soft deletions of a workspace with the offset to begin at, newest first.

    Ends when there are no more, or when the budget or the time is used up; ``position`` then says
    where to continue (None: nowhere).
    """

    workspace_id: str
    position: Position | None
    deletion_filter: DeletionFilter
    records: TrashRecords
    budget: _Budget
    #: The ids of the chunk that was read last.
    chunk: tuple[str, int, list[str]] = field(default=("", 0, []))

    def __iter__(self) -> Iterator[list[tuple[Deletion, int]]]:
        # A page that continues has seen what was there at its first page.
        strong = self.position is None
        before: str | None = None
        if self.position is not None:
            before, offset = self.position
            if offset is not None:
                deletion, units = self.records.header(self.workspace_id, before)
                self.budget.spent += units
                yield [(deletion, offset)] if deletion is not None else []
                self.position = Position(before, None)
        batch = FIRST_HEADERS
        header_units = HEADER_UNITS if strong else HEADER_UNITS / 2
        while True:
            needed = self.budget.limit - self.budget.found
            # Each shows one link at least, unless its links were restored.
            limit = min(batch, needed) if self.budget.found else batch
            limit = min(limit, int(self.budget.left / header_units))
            if limit < 1 or current_deadline().remaining() < PAGE_MARGIN:
                return
            found, before, units = self.records.headers(
                self.workspace_id,
                before=before,
                limit=limit,
                deletion_filter=self.deletion_filter,
                strong=strong,
            )
            self.budget.spent += units
            yield [(deletion, 0) for deletion in found]
            self.position = Position(before, None) if before is not None else None
            if before is None:
                return
            batch = min(2 * batch, MAX_HEADERS)

    def affordable(self, deletion: Deletion, positions: list[int], room: int) -> list[int]:
        """The first of these positions that the budget allows to read, all in one chunk."""
        left = self.budget.left
        if deletion.id_chunks:
            number = positions[0] // CHUNK_IDS
            positions = [each for each in positions[:room] if each // CHUNK_IDS == number]
            if self.chunk[:2] != (deletion.id, number):
                left -= CHUNK_UNITS
        if current_deadline().remaining() < PAGE_MARGIN:
            return []
        return positions[: max(0, min(room, int(left)))]

    def ids(self, deletion: Deletion, positions: list[int]) -> list[str]:
        """The ids at these positions of one chunk."""
        if not deletion.id_chunks:
            return [deletion.link_ids[each] for each in positions]
        number = positions[0] // CHUNK_IDS
        if self.chunk[:2] != (deletion.id, number):
            ids, units = self.records.chunk(deletion, number)
            self.budget.spent += units
            self.chunk = (deletion.id, number, ids)
        return [self.chunk[2][each - number * CHUNK_IDS] for each in positions]
