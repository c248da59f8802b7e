"""``limit`` and ``cursor`` of lists."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from functions import container
from functions.api import cursors
from functions.api.request import Parameter, Request, integer, parameter
from functions.domain.errors import InvalidRequest


def page(*, maximum: int, default: int = 50) -> dict[str, Parameter]:
    """The query parameters of a list whose pages have ``maximum`` entries at most."""
    return {
        "limit": integer("Maximum number of entries in a page.", default=default, maximum=maximum),
        "cursor": parameter("`nextCursor` of the previous page."),
    }


def page_of(request: Request, purpose: str) -> tuple[int, Any]:
    """``limit`` and the content of ``cursor``; raises ``InvalidRequest``."""
    query, limit = request.query, request.integer("limit")
    if "cursor" not in query:
        return limit, None
    try:
        return limit, cursors.read(
            purpose, request.caller.workspace_id, query["cursor"], secret=container.cursor_secret()
        )
    except ValueError:
        raise InvalidRequest("Invalid cursor") from None


def next_cursor(request: Request, purpose: str, content: Any) -> str:
    """The cursor that leads to the next page."""
    workspace_id = request.caller.workspace_id
    return cursors.sign(purpose, workspace_id, content, secret=container.cursor_secret())


def filtered_page_of(request: Request, purpose: str, conditions: Any) -> tuple[int, Any]:
    """``limit`` and the position in ``cursor``, which must belong to the filter of the request.

    ``conditions`` is that filter, a named tuple.
    """
    limit, content = page_of(request, purpose)
    if content is None:
        return limit, None
    position, of_filter = content
    if of_filter != _fingerprint(conditions):
        raise InvalidRequest("The cursor belongs to another filter")
    return limit, position


def filtered_cursor(request: Request, purpose: str, position: Any, conditions: Any) -> str | None:
    """The cursor that leads to the page after a position; None is the end of the list."""
    if position is None:
        return None
    return next_cursor(request, purpose, [position, _fingerprint(conditions)])


def _fingerprint(conditions: Any) -> str:
    """A text that is equal exactly for equal filters; "" for one without a condition."""
    given = {name: value for name, value in conditions._asdict().items() if value is not None}
    if not given:
        return ""
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:16]
