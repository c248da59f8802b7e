"""Resolves a filter to the exact set of links that match now."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from functions.aws.dynamodb import READ_BATCH
from functions.aws.parallel import THREADS
from functions.domain.clock import current_deadline, now_iso
from functions.domain.errors import InvalidRequest, SelectionChanged, UnlinkError
from functions.domain.ids import NO_RESTORE, SHARDS, pack_ids
from functions.domain.link import Link
from functions.repositories.link_states import LinkState
from functions.repositories.links import LinksTable
from functions.services.link_lookup import find_by_external_id
from functions.services.read_budget import ReadBudget

if TYPE_CHECKING:
    from functions.domain.deletion import FilterRequest
    from functions.domain.link_filter import LinkFilter

#: Links per read: a full batch for every thread.
AT_ONCE = READ_BATCH * THREADS

#: Index keys per shard and read: twice its share of the links.
KEYS_A_PAGE = AT_ONCE // SHARDS * 2


@dataclass(slots=True)
class ResolvedLinks:
    """The matching live links, newest first, with their clicks.

    ``complete`` is False if time ran out, ``too_many`` is set if more links match than allowed, and
    ``over_budget`` if too many must be read. In each of these cases the set is incomplete and must
    not be deleted.
    """

    link_ids: list[str] = field(default_factory=list)
    newest_restore: str = NO_RESTORE
    clicks: int = 0
    last_click_at: str | None = None
    complete: bool = False
    too_many: bool = False
    over_budget: bool = False

    @property
    def digest(self) -> str:
        """A digest that is equal exactly for the same set of links, in any order."""
        return hashlib.sha256(pack_ids(sorted(self.link_ids))).hexdigest()

    def add(self, link: Link | LinkState) -> None:
        """Add a link that matches."""
        self.link_ids.append(link.id)
        self.newest_restore = max(self.newest_restore, link.fencing_token)
        self.clicks += link.click_count
        last = link.last_click_at
        if last is not None and (self.last_click_at is None or last > self.last_click_at):
            self.last_click_at = last


def select(
    link_filter: LinkFilter,
    *,
    workspace_id: str,
    links: LinksTable,
    maximum: int,
    budget: ReadBudget,
) -> ResolvedLinks:
    """All live links of the workspace that match, each read strongly.

    ``budget`` is checked before each read; it may raise ``LimitReached``.
    """
    selection, now = ResolvedLinks(), now_iso()
    if link_filter.external_id is not None:
        link = find_by_external_id(link_filter.external_id, workspace_id=workspace_id, links=links)
        if link is not None and link_filter.matches(link, now=now):
            selection.add(link)
        selection.complete = True
        return selection
    budget.open()
    keys = links.live_index.ids(
        workspace_id,
        after=link_filter.created_before,
        since=link_filter.created_after,
        page=KEYS_A_PAGE,
    )
    while not current_deadline().passed:
        chunk = [link_id for _, link_id in islice(keys, AT_ONCE)]
        if not chunk:
            selection.complete = True
            return selection
        if not budget.take(len(chunk)):
            selection.over_budget = True
            return selection
        found = links.get_many(workspace_id, chunk)
        for link_id in chunk:
            link = found.get(link_id)
            if link is not None and link.is_live and link_filter.matches(link, now=now):
                if len(selection.link_ids) == maximum:
                    selection.too_many = True
                    return selection
                selection.add(link)
    return selection


def resolve(
    filter_request: FilterRequest, workspace_id: str, links: LinksTable, budget: ReadBudget
) -> ResolvedLinks:
    """The links that a deletion by filter means now."""
    # Imported here: the parser loads pydantic, which most cold starts do not need.
    from functions.schemas.filters import parse_filter

    return select(
        parse_filter(filter_request.filter),
        workspace_id=workspace_id,
        links=links,
        maximum=filter_request.maximum,
        budget=budget,
    )


def refusal_of(selection: ResolvedLinks, filter_request: FilterRequest) -> UnlinkError | None:
    """Why exactly this set must not be deleted, or None."""
    if selection.too_many:
        return too_broad(selection, filter_request.maximum)
    if selection.complete and filter_request.digest not in (None, selection.digest):
        return SelectionChanged()
    return None


def too_broad(
    selection: ResolvedLinks, maximum: int, max_reads: int | None = None
) -> InvalidRequest:
    """The error of an incomplete resolution.

    ``max_reads`` is how many links one request may read.
    """
    if selection.too_many:
        return InvalidRequest(f"More than {maximum} links match; narrow the filter", limit=maximum)
    if selection.over_budget and max_reads is not None:
        return InvalidRequest(
            f"The filter would have to read more than {max_reads:,} links; narrow it by "
            "createdBefore and createdAfter",
            limit=max_reads,
        )
    return InvalidRequest("The workspace is too large for this filter; narrow it")
