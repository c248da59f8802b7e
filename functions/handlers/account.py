"""What a caller may know of itself, and the workspace's trash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.api import cursors
from functions.api.app import Api, Request, Response
from functions.api.me import me_view
from functions.aws.client import client
from functions.aws.secrets import secret
from functions.config import setting
from functions.domain.errors import InvalidRequest
from functions.domain.query_params import parse_int_param
from functions.repositories.links import LinksTable
from functions.repositories.trash_records import TrashRecords
from functions.schemas.deletion_filter import TRASH_NAMES, parse_trash_filter
from functions.schemas.trash import trashed_link_view
from functions.services.trash import Position, list_trash

#: Page size of ``GET /api/trash``: 100 of the largest links fit an answer.
DEFAULT_LIMIT = 50
MAX_LIMIT = 100

if TYPE_CHECKING:
    from functions.schemas.account_responses import Me
    from functions.schemas.link_responses import TrashPage

api = Api()


@api.route("GET", "/api/me", scope=None)
def me(request: Request) -> Response[Me]:
    """Who calls: workspace, scopes, plan, policies and the current minute."""
    return Response(200, me_view(request.caller, request.window))


@api.route("GET", "/api/trash", scope="linksRead", query=("limit", "cursor", *TRASH_NAMES))
def trash(request: Request) -> Response[TrashPage]:
    """Soft-deleted links that can be restored, newest deletion first, page by page."""
    query, workspace_id = request.query, request.caller.workspace_id
    limit = parse_int_param(query.get("limit"), "limit", default=DEFAULT_LIMIT, maximum=MAX_LIMIT)
    only = parse_trash_filter(query)
    dynamodb, cursor_secret = client("dynamodb"), secret(setting("CURSOR_SECRET_ARN"))
    position = None
    if "cursor" in query:
        try:
            *where, fingerprint = cursors.read(
                "trash", workspace_id, query["cursor"], secret=cursor_secret
            )
        except ValueError:
            raise InvalidRequest("Invalid cursor") from None
        if fingerprint != only.fingerprint:
            raise InvalidRequest("The cursor belongs to another filter")
        position = Position(*where)
    page, position = list_trash(
        workspace_id=workspace_id,
        limit=limit,
        position=position,
        only=only,
        records=TrashRecords(dynamodb, setting("DELETIONS_TABLE")),
        links=LinksTable(dynamodb, setting("LINKS_TABLE")),
    )
    cursor = None
    if position is not None:
        content = [*position, only.fingerprint]
        cursor = cursors.sign("trash", workspace_id, content, secret=cursor_secret)
    views = [trashed_link_view(*each, request.base_url) for each in page]
    return Response(200, {"links": views, "nextCursor": cursor}, log_fields={"ids": len(views)})


handler = api.handle
