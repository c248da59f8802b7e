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
