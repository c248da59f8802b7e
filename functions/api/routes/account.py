"""The caller's own account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.api.me import me_view
from functions.api.request import Request
from functions.api.response import Response
from functions.api.route import Routes

if TYPE_CHECKING:
    from functions.schemas.account_responses import Me

routes = Routes("Account")


@routes.route("GET", "/api/me", scope=())
def get_me(request: Request) -> Response[Me]:
    """Who calls: workspace, scopes, plan, policies and the current minute.

    Any credential may call it.
    """
    return Response(200, me_view(request.caller, request.window))
