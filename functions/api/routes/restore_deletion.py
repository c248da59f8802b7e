"""Restoring the links of a soft delete."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from functions import service_stores
from functions.api.caller import Caller
from functions.api.deletion_request import (
    REASON,
    deletion_request,
    distinct_ids,
    reason_of,
    sort_ids,
)
from functions.api.deletion_response import about, location_of
from functions.api.request import Request
from functions.api.response import Response
from functions.api.route import Described, Routes
from functions.domain.errors import DeletionNotFound, DeletionOpen, InvalidIds
from functions.domain.idempotency import IdempotencyRecord
from functions.domain.ids import parse_link_id
from functions.repositories.restores import NOT_IN_DELETION

if TYPE_CHECKING:
    from functions.schemas.deletion_responses import PendingRestore, RestoredLinks
    from functions.services.restore import Restored

routes = Routes("Deletions")


def _restore_again(
    request: Request, record: IdempotencyRecord
) -> Response[RestoredLinks | PendingRestore]:
    from functions.services.restore import restored_of

    _undo_minutes(request.caller)
    ids, malformed = sort_ids(request.members("ids", "reason").get("ids", []))
    stores = service_stores.restore_stores()
    done = restored_of(record, ids, request.caller.workspace_id, stores)
    return _links_restored(request, done, malformed)


@routes.route(
    "POST",
    "/api/deletions/{id}/restore",
    scope=("linksRestore", "linksUndo"),
    query=REASON,
    replay=_restore_again,
)
@Described(
    headers=("X-Deletion-Id",),
    body="RestoredIds",
    raises=(DeletionNotFound, InvalidIds, DeletionOpen),
)
def restore_deletion(request: Request) -> Response[RestoredLinks | PendingRestore]:
    """Restore all links of a soft delete, or those of ``{"ids": […]}``, per id.

    With ``linksUndo`` alone it is an undo: by the key or signed-in user that deleted the links,
    until ``undoUntil`` of the deletion. Links are restored completely: short code, clicks, place in
    the list; QR images at the next request for them. Restoring twice is not an error. Refused per
    id: ``erased``, ``expired`` (its retention has ended), ``deletedAgain`` (by another deletion),
    ``notDeleted`` (it was not found then), ``notInDeletion``.
    """
    from functions.services.restore import restore

    caller = request.caller
    undo_minutes = _undo_minutes(caller)
    deletion_id = parse_link_id(request.path["id"])
    if deletion_id is None:
        raise DeletionNotFound
    ids: list[str] | None = None
    malformed: list[str] = []
    body = request.members("ids", "reason")
    reason = reason_of(request, body.get("reason"))
    if "ids" in body:
        ids, malformed = distinct_ids(body["ids"], request, name="ids")
    done = restore(
        deletion_id,
        ids,
        deletion_request=replace(
            deletion_request(request, reason), policies=caller.policies.restore_record()
        ),
        stores=service_stores.restore_stores(),
        undo_minutes=undo_minutes,
    )
    return _links_restored(request, done, malformed)


def _undo_minutes(caller: Caller) -> int | None:
    """For how many minutes the caller may undo its own deletes; None if it may restore any.

    Raises ``MissingScopes``.
    """
    if "linksUndo" not in caller.scopes:
        caller.require("linksRestore")
    return None if "linksRestore" in caller.scopes else caller.policies.undo_minutes


def _links_restored(
    request: Request, done: Restored, malformed: list[str]
) -> Response[RestoredLinks | PendingRestore]:
    headers, log_fields = about(done.deletion)
    refused = done.refused
    refused += [{"id": each, "reason": NOT_IN_DELETION} for each in malformed]
    response: RestoredLinks = {"restoredIds": done.restored_ids, "refused": refused}
    if done.to_be_purged:
        response["toBePurged"] = done.to_be_purged
    log_fields |= {"restoreId": done.restore.id, "restored": len(response["restoredIds"])}
    if done.pending_ids:
        headers |= location_of(request, done.deletion)
        pending: PendingRestore = {**response, "pendingIds": done.pending_ids}
        return Response(202, pending, headers, log_fields)
    return Response(200, response, headers, log_fields)
