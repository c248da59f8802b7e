"""What responses about a deletion have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from functions.api.paging import next_cursor
from functions.api.request import Request
from functions.api.response import Response
from functions.domain.deletion import Deletion
from functions.services.undo import undo_until

if TYPE_CHECKING:
    from functions.schemas.deletion_responses import DeletedLinks, ErasedLinks

#: Default number of outcomes per response.
RESULTS = 100

#: A response that lists ids.
Ids = TypeVar("Ids", bound="DeletedLinks | ErasedLinks")


def deletion_response(request: Request, deletion: Deletion, body: Ids) -> Response[Ids]:
    """200, or 202 with the ``Location`` of the deletion while it is being worked on."""
    headers, log_fields = about(deletion)
    if deletion.open:
        return Response(202, body, headers | location_of(request, deletion), log_fields)
    return Response(200, body, headers, log_fields)


def results_cursor(request: Request, deletion: Deletion, start: int) -> str | None:
    if start >= len(deletion.outcomes):
        return None
    return next_cursor(request, f"results {deletion.id}", start)


def undo_deadline(request: Request, deletion: Deletion) -> str | None:
    """Until when this caller may undo a deletion without ``linksRestore``."""
    caller = request.caller
    if "linksUndo" not in caller.scopes:
        return None
    return undo_until(deletion, caller.key_id, caller.policies.undo_minutes)


def location_of(request: Request, deletion: Deletion) -> dict[str, str]:
    """The ``Location`` of the deletion."""
    return request.location(f"/api/deletions/{deletion.id}")


def about(deletion: Deletion) -> tuple[dict[str, str], dict[str, Any]]:
    headers = {"X-Deletion-Id": deletion.id}
    log_fields = {"deletionId": deletion.id, "ids": len(deletion.link_ids), "state": deletion.state}
    return headers, log_fields
