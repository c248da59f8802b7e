"""The filter of lists, plans and deletions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

from unlink_client.calls import moment_text, to_json
from unlink_client.decoding import camel


class FilterArgs(TypedDict, total=False):
    """The conditions as keyword arguments; a link must meet all of them.

    ``tag`` is one whole tag, ``title`` a part of the title without regard to case.
    ``created_before`` and ``created_after`` are exclusive.
    """

    tag: str
    title: str
    is_active: bool
    expired: bool
    created_before: datetime
    created_after: datetime
    min_clicks: int
    max_clicks: int
    external_id: str


def filter_json(conditions: FilterArgs) -> dict[str, Any]:
    """The filter in the form of a deletion's body.

    Raises ``TypeError`` for a condition that does not exist, and ``ValueError`` for None: a
    condition that lost its value must not make a delete larger.
    """
    known = FilterArgs.__annotations__
    found: dict[str, Any] = {}
    for name, value in conditions.items():
        if name not in known:
            raise TypeError(f"There is no filter {name!r}; there are {', '.join(sorted(known))}")
        if value is None:
            raise ValueError(f"The filter {name!r} must not be None: leave it out")
        found[camel(name)] = to_json(value)
    return found


def filter_query(conditions: FilterArgs) -> dict[str, str]:
    """The filter as query parameters."""
    return {name: query_text(value) for name, value in filter_json(conditions).items()}


def query_text(value: object) -> str:
    """A value as query parameters spell it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return moment_text(value) if isinstance(value, datetime) else str(value)
