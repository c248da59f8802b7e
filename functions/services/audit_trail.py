"""The workspace's deletions, newest first, page by page."""

from __future__ import annotations

from functions.domain.clock import current_deadline
from functions.domain.deletion import Deletion
from functions.domain.deletion_filter import DeletionFilter
from functions.repositories.deletions import DeletionsTable
from functions.services.read_budget import ReadBudget, may_read

#: Records that a filter is tried on in one call, and in one page.
READ_BATCH = 100
MAX_READS = 1_000

#: Seconds that a page leaves for its response.
PAGE_MARGIN = 5.0


def list_deletions(
    *,
    workspace_id: str,
    limit: int,
    before: str | None,
    deletions: DeletionsTable,
    deletion_filter: DeletionFilter,
    budget: ReadBudget,
) -> tuple[list[Deletion], str | None]:
    """A page of matching deletions, and the id from which to continue (None at the end).

    With a filter that reads more than it finds, ``budget`` is asked before each read, and a page
    ends early after :data:`MAX_READS` records, when time is short or when the budget has nothing
    left. Raises ``LimitReached`` when the budget has nothing left from the start.
    """
    page: list[Deletion] = []
    tried = 0
    while True:
        tries = READ_BATCH if deletion_filter.reads_more_than_it_finds else limit - len(page)
        if deletion_filter.reads_more_than_it_finds and not may_read(budget, tries, tried):
            return page, before
        deletions_read, last = deletions.newest(
            workspace_id, limit=tries, before=before, deletion_filter=deletion_filter
        )
        room = limit - len(page)
        page += deletions_read[:room]
        if len(deletions_read) > room or (len(page) == limit and last is not None):
            return page, page[-1].id
        if last is None:
            return page, None
        before = last
        tried += tries
        if tried >= MAX_READS or current_deadline().remaining() < PAGE_MARGIN:
            return page, before
