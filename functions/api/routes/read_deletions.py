"""The audit trail: deletions, their outcomes and receipts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from functions import container
from functions.api.deletion_response import RESULTS, about, results_cursor, undo_deadline
from functions.api.paging import filtered_cursor, filtered_page_of, page, page_of
from functions.api.request import Request, of_model
from functions.api.response import Response
from functions.api.route import Described, Routes
from functions.domain.clock import iso
from functions.domain.deletion import Deletion
from functions.domain.deletion_filter import EVERY_DELETION
from functions.domain.errors import DeletionNotFound, LimitReached
from functions.domain.ids import parse_link_id
from functions.repositories.exports import KEPT_DAYS, object_key
from functions.schemas.deletions import deletion_detail, deletion_summary, restore_summary
from functions.services.read_budget import RequestBudget

if TYPE_CHECKING:
    from functions.schemas import deletion_responses
    from functions.schemas.deletion_responses import DeletionExport, DeletionPage

routes = Routes("Deletions")

#: Restores that a deletion shows, newest first.
RESTORES = 25

AUDIT = of_model("AuditFields", "state", "mode", "actor", "createdAfter", "createdBefore")


@routes.route(
    "GET",
    "/api/deletions",
    scope="linksRead",
    query=page(maximum=100) | AUDIT,
)
@Described(raises=(LimitReached,))
def list_deletions(request: Request) -> Response[DeletionPage]:
    """The workspace's deletions, newest first: its audit trail.

    ``state``, ``mode`` and ``actor`` count as reads of a filter: one per record read.
    """
    from functions.services.audit_trail import list_deletions as list_page

    caller, deletion_filter = request.caller, EVERY_DELETION
    if request.conditions:
        from functions.schemas.deletion_filter import parse_audit_filter

        deletion_filter = parse_audit_filter(request.conditions)
    limit, position = filtered_page_of(request, "deletions", deletion_filter)
    found, last = list_page(
        workspace_id=caller.workspace_id,
        limit=limit,
        before=position,
        deletions=container.deletions(),
        deletion_filter=deletion_filter,
        budget=RequestBudget(caller.workspace_id, caller.plan, access=container.access()),
    )
    cursor = filtered_cursor(request, "deletions", last, deletion_filter)
    views = [deletion_summary(each, undo_deadline(request, each)) for each in found]
    return Response(200, {"deletions": views, "nextCursor": cursor})


@routes.route(
    "GET",
    "/api/deletions/{id}",
    scope="linksRead",
    query=page(maximum=1_000, default=RESULTS),
)
@Described(headers=("X-Deletion-Id",), raises=(DeletionNotFound,))
def get_deletion(request: Request) -> Response[deletion_responses.Deletion]:
    """One deletion: progress, outcome per id (paged), receipt."""
    deletion_id = parse_link_id(request.path["id"])
    if deletion_id is None:
        raise DeletionNotFound
    limit, after = page_of(request, f"results {deletion_id}")
    start = after or 0
    deletions = container.deletions()
    deletion = deletions.header(request.caller.workspace_id, deletion_id)
    if deletion is None:
        raise DeletionNotFound
    if deletion.mode == "erase" and deletion.open:
        deletions.read_done(deletion)
    ids = deletions.page_of_ids(deletion, start, limit)
    cursor = results_cursor(request, deletion, start + len(ids))
    headers, log_fields = about(deletion)
    body = deletion_detail(deletion, ids, start, cursor, undo_deadline(request, deletion))
    if deletion.mode == "soft" and not deletion.open:
        restores = container.restores().of_deletion(
            deletion.workspace_id, deletion.id, limit=RESTORES
        )
        body["restores"] = [restore_summary(each) for each in restores]
    if "analyticsRead" in request.caller.scopes and (export := _export_of(deletion)):
        body["export"] = export
    return Response(200, body, headers, log_fields)


def _export_of(deletion: Deletion) -> DeletionExport | None:
    """Where the export that came first can be fetched, signed at each request."""
    export = deletion.export or {}
    oldest = iso(time.time() - KEPT_DAYS * 86_400)
    if not export.get("done") or export["completedAt"] < oldest:
        return None
    url, until = container.exports_bucket().url(object_key(deletion.workspace_id, deletion.id))
    return {"url": url, "expiresAt": iso(until)}
