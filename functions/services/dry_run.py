"""``dryRun``: the effect of a deletion, without writing anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from functions.domain.error_texts import NAMED_IDS
from functions.repositories.links import LinksTable
from functions.services.read_budget import ReadBudget
from functions.services.resolve_filter import ResolvedLinks, select, too_broad

if TYPE_CHECKING:
    from functions.domain.deletion_names import Mode
    from functions.domain.link_filter import LinkFilter
    from functions.schemas.deletion_responses import Preview


def preview(
    link_ids: Sequence[str],
    invalid_ids: Sequence[str],
    *,
    mode: Mode,
    workspace_id: str,
    links: LinksTable,
) -> Preview:
    """How many of these ids would be deleted, which not, and how many clicks these links have."""
    states = links.batches.states(workspace_id, link_ids)
    deletable = [
        link_id
        for link_id in link_ids
        if link_id in states and (states[link_id].is_live or mode == "erase")
    ]
    requested = set(deletable)
    unknown = [link_id for link_id in link_ids if link_id not in requested]
    selection = ResolvedLinks()
    for link_id in deletable:
        selection.add(states[link_id])
    return _preview(mode, selection, unknown, invalid_ids)


class FilterPreview(NamedTuple):
    """The matching links, and the preview for the caller."""

    selection: ResolvedLinks
    figure: Preview


def preview_filter(
    link_filter: LinkFilter,
    *,
    mode: Mode,
    workspace_id: str,
    maximum: int,
    links: LinksTable,
    budget: ReadBudget,
    max_reads: int,
) -> FilterPreview:
    """The effect of deleting by this filter; raises ``InvalidRequest`` if it is too broad.

    ``budget`` limits its reads, ``max_reads`` is the number in the error. Raises ``LimitReached``
    if the workspace has used up its minute.
    """
    selection = select(
        link_filter,
        workspace_id=workspace_id,
        links=links,
        maximum=maximum,
        budget=budget,
    )
    if not selection.complete:
        raise too_broad(selection, maximum, max_reads)
    return FilterPreview(selection, _preview(mode, selection))


def _preview(
    mode: Mode,
    deletable: ResolvedLinks,
    unknown: Sequence[str] = (),
    invalid: Sequence[str] = (),
) -> Preview:
    found = len(deletable.link_ids)
    return {
        "dryRun": True,
        "mode": mode,
        "counts": {
            "requested": found + len(unknown) + len(invalid),
            "deletable": found,
            "unknown": len(unknown),
            "invalid": len(invalid),
        },
        "clicks": deletable.clicks,
        "lastClickAt": deletable.last_click_at,
        "unknownIds": list(unknown[:NAMED_IDS]),
        "invalidIds": list(invalid[:NAMED_IDS]),
    }
