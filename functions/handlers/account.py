"""What a caller may know of itself, and the workspace's trash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.api.app import Api, Request, Response
from functions.api.me import me_view

if TYPE_CHECKING:
    from functions.schemas.account_responses import Me

api = Api()


@api.route("GET", "/api/me", scope=None)
def me(request: Request) -> Response[Me]:
    """Who calls: workspace, scopes, plan, policies and the current minute."""
    return Response(200, me_view(request.caller, request.window))


handler = api.handle
