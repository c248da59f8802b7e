"""The links that a deletion by filter means."""

from __future__ import annotations

from functions.domain.deletion import FilterRequest
from functions.domain.errors import (
    SelectionChanged,
    UnlinkError,
)
from functions.services.deletion import Stores
from functions.services.read_budget import ReadBudget
from functions.services.resolve_filter import ResolvedLinks, select, too_broad


def select_for(
    filter_request: FilterRequest,
    workspace_id: str,
    stores: Stores,
    budget: ReadBudget,
) -> ResolvedLinks:
    # Imported here: the parser loads pydantic, which most cold starts do not need.
    from functions.schemas.filters import parse_filter

    return select(
        parse_filter(filter_request.filter),
        workspace_id=workspace_id,
        links=stores.links,
        maximum=filter_request.maximum,
        budget=budget,
    )


def refusal_of(selection: ResolvedLinks, filter_request: FilterRequest) -> UnlinkError | None:
    if selection.too_many:
        return too_broad(selection, filter_request.maximum)
    if selection.complete and filter_request.digest not in (None, selection.digest):
        return SelectionChanged()
    return None
