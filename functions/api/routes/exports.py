"""Exports of one link and its clicks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions import container
from functions.api.link_reference import find_link_of
from functions.api.request import Request
from functions.api.response import Response
from functions.api.route import Described, Routes
from functions.domain.clock import iso
from functions.domain.errors import LimitReached, LinkNotFound, NotFound
from functions.domain.idempotency import IdempotencyRecord
from functions.domain.ids import parse_link_id
from functions.repositories.exports import object_key
from functions.services.export_request import GIVEN_UP, begin_export, begun_export, state_of

if TYPE_CHECKING:
    from functions.schemas.analytics_responses import Export

routes = Routes("Analytics")


def _export_again(request: Request, record: IdempotencyRecord) -> Response[Export]:
    export = begun_export(
        record,
        workspace_id=request.caller.workspace_id,
        records=container.export_records(),
        queue=container.export_queue(),
    )
    return _begun(request, export)


EXPORT = "/api/analytics/links/{id}/export/{exportId}"


@routes.route(
    "POST", "/api/analytics/links/{id}/export", scope="analyticsRead", replay=_export_again
)
@Described(
    status=202,
    headers=("Location",),
    raises=(LinkNotFound, LimitReached),
    atomic=True,
    leads_to={EXPORT: {"id": "linkId", "exportId": "id"}},
)
def create_export(request: Request) -> Response[Export]:
    """Start an export: a job that writes a link and all its clicks to a file.

    NDJSON: the link on the first line, then each click up to now, including bots. Also for
    soft-deleted links. A link has at most one unfinished export: while there is one, it is
    returned. 429 with ``limit`` when the workspace has as many unfinished exports as its plan
    allows.
    The file is kept for seven days, or until the link is erased.
    """
    request.members()
    link = find_link_of(request)
    record = begin_export(
        link,
        base_url=request.base_url,
        plan=request.caller.plan,
        key=request.idempotency_key,
        keys=container.idempotency(),
        records=container.export_records(),
        opened=container.open_exports(),
        queue=container.export_queue(),
    )
    return _begun(request, record)


def _begun(request: Request, record: dict[str, Any]) -> Response[Export]:
    path = f"/api/analytics/links/{record['linkId']}/export/{record['id']}"
    return Response(202, _view(record), request.location(path), {"exportId": record["id"]})


@routes.route("GET", EXPORT, scope="analyticsRead")
@Described(raises=(LinkNotFound, NotFound))
def get_export(request: Request) -> Response[Export]:
    """The state of an export, and a signed URL once it is complete."""
    link = find_link_of(request)
    export_id = parse_link_id(request.path["exportId"])
    record = container.export_records().get(link.id, export_id) if export_id else None
    if record is None:
        raise NotFound("Export not found")
    return Response(200, _view(record), log_fields={"state": state_of(record)})


def _view(record: dict[str, Any]) -> Export:
    """An export as the API shows it; its URL is signed at each request."""
    url = expires_at = None
    state = state_of(record)
    if state == "complete":
        url, until = container.exports_bucket().url(object_key(record["workspaceId"], record["id"]))
        expires_at = iso(until)
    return {
        "id": record["id"],
        "linkId": record["linkId"],
        "state": state,
        # An operator may have resent the dead letter of a failed export; then it is running again.
        "failure": record.get("failure", GIVEN_UP) if state == "failed" else None,
        "url": url,
        "expiresAt": expires_at,
        "createdAt": record["createdAt"],
    }
