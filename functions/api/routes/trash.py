"""The workspace's trash: links that can be restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions import container
from functions.api.paging import filtered_cursor, filtered_page_of, page
from functions.api.request import Request, of_model
from functions.api.response import Response
from functions.api.route import Routes
from functions.domain.deletion_filter import SOFT_DELETIONS
from functions.schemas.trash import trashed_link_view
from functions.services.trash import Position
from functions.services.trash import list_trash as list_page

if TYPE_CHECKING:
    from functions.schemas.link_responses import TrashPage

routes = Routes("Deletions")


@routes.route(
    "GET",
    "/api/trash",
    scope="linksRead",
    # 100 of the largest links fit a response.
    query=page(maximum=100) | of_model("TrashFields", "actor", "deletedAfter", "deletedBefore"),
)
def list_trash(request: Request) -> Response[TrashPage]:
    """Soft-deleted links that can be restored, newest deletion first, page by page.

    A link is listed under its latest deletion, so it is shown once. Restore it with ``POST
    /api/deletions/{id}/restore``, or erase it with ``POST /api/deletions``.
    """
    workspace_id, deletion_filter = request.caller.workspace_id, SOFT_DELETIONS
    if request.conditions:
        # Imported here: the parser loads pydantic, which the function's other routes do not need.
        from functions.schemas.deletion_filter import parse_trash_filter

        deletion_filter = parse_trash_filter(request.conditions)
    limit, position = filtered_page_of(request, "trash", deletion_filter)
    found, last = list_page(
        workspace_id=workspace_id,
        limit=limit,
        position=Position(*position) if position else None,
        deletion_filter=deletion_filter,
        records=container.trash_records(),
        links=container.links(),
    )
    cursor = filtered_cursor(request, "trash", last, deletion_filter)
    views = [trashed_link_view(*each, request.base_url) for each in found]
    return Response(200, {"links": views, "nextCursor": cursor}, log_fields={"ids": len(views)})
