"""``limit`` and ``cursor`` of lists."""

from __future__ import annotations

from typing import Any

from functions import container
from functions.api import cursors
from functions.api.request import Request
from functions.domain.errors import InvalidRequest
from functions.domain.query_params import parse_int_param

PAGE = ("limit", "cursor")


def page_of(request: Request, purpose: str, *, maximum: int, default: int = 50) -> tuple[int, Any]:
    """``limit`` and the content of ``cursor``; raises ``InvalidRequest``."""
    query = request.query
    limit = parse_int_param(query.get("limit"), "limit", default=default, maximum=maximum)
    if "cursor" not in query:
        return limit, None
    try:
        return limit, cursors.read(
            purpose, request.caller.workspace_id, query["cursor"], secret=container.cursor_secret()
        )
    except ValueError:
        raise InvalidRequest("Invalid cursor") from None


def filtered_page_of(
    request: Request, purpose: str, fingerprint: str, *, maximum: int
) -> tuple[int, list[Any] | None]:
    """``limit`` and the position in ``cursor``, which must belong to the filter of the request."""
    limit, content = page_of(request, purpose, maximum=maximum)
    if content is None:
        return limit, None
    *position, of_filter = content
    if of_filter != fingerprint:
        raise InvalidRequest("The cursor belongs to another filter")
    return limit, position


def next_cursor(request: Request, purpose: str, content: Any) -> str:
    """The cursor that leads to the next page."""
    workspace_id = request.caller.workspace_id
    return cursors.sign(purpose, workspace_id, content, secret=container.cursor_secret())
