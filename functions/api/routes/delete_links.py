"""Deleting links as the contracts of Hoko and LinkForty have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions import service_stores
from functions.api.deletion_request import (
    REASON,
    deletion_request,
    distinct_ids,
    earlier_deletion,
    reason_of,
    sort_ids,
)
from functions.api.deletion_response import about, deletion_response
from functions.api.request import Request
from functions.api.response import Response
from functions.api.route import Described, Routes
from functions.domain.deletion import Deletion
from functions.domain.errors import InvalidIds, InvalidRequest, LinkNotFound
from functions.domain.idempotency import IdempotencyRecord
from functions.domain.ids import parse_link_id
from functions.domain.short_codes import SHORT_CODE
from functions.schemas.deletions import deleted_links, erased_links
from functions.services.delete_links import erase_many, erase_one, soft_delete

if TYPE_CHECKING:
    from functions.schemas.deletion_responses import (
        DeletedLinks,
        ErasedLink,
        ErasedLinks,
        PendingErasure,
        PendingLinks,
    )

routes = Routes("Deleting")


def _delete_links_again(
    request: Request, record: IdempotencyRecord
) -> Response[DeletedLinks | PendingLinks]:
    deletion = earlier_deletion(request, record)
    return deletion_response(request, deletion, deleted_links(deletion))


@routes.route(
    "DELETE",
    "/api/links",
    scope="linksWrite",
    query=REASON,
    replay=_delete_links_again,
)
@Described(headers=("X-Deletion-Id",), body="LinkUuids", raises=(InvalidIds,))
def delete_links(request: Request) -> Response[DeletedLinks | PendingLinks]:
    """Soft-delete up to 10,000 links by id, all or none (Hoko).

    If any id is malformed or not a live link of the workspace, the response is 400 with these ids,
    and nothing is deleted. Records and analytics stay; the short codes stay taken. The plan limits
    the number of ids, counted before duplicates are removed.
    """
    valid, invalid = distinct_ids(request.json, request)
    deletion = soft_delete(
        valid,
        invalid,
        deletion_request=deletion_request(request, reason_of(request)),
        stores=service_stores.deletion_stores(),
    )
    return deletion_response(request, deletion, deleted_links(deletion))


def _delete_link_again(request: Request, record: IdempotencyRecord) -> Response[ErasedLink]:
    return _link_deleted(earlier_deletion(request, record))


@routes.route(
    "DELETE", "/api/links/{id}", scope="linksErase", query=REASON, replay=_delete_link_again
)
@Described(headers=("X-Deletion-Id",), body="LinkReason", raises=(LinkNotFound,))
def delete_link(request: Request) -> Response[ErasedLink]:
    """Erase one live link, by id or short code (LinkForty).

    Record, short code, clicks and QR images are removed permanently; the code is free at once for
    its own workspace. It needs no body.
    """
    reason = reason_of(request, request.members("reason").get("reason"))
    stores = service_stores.deletion_stores()
    reference = request.path["id"]
    link_id = parse_link_id(reference)
    if link_id is None and SHORT_CODE.fullmatch(reference):
        pointer = stores.links.resolve_code(reference)
        if pointer is not None and pointer[0] == request.caller.workspace_id:
            link_id = pointer[1]
    requested_by = deletion_request(request, reason)
    deletion = erase_one(link_id, deletion_request=requested_by, stores=stores)
    return _link_deleted(deletion)


def _link_deleted(deletion: Deletion) -> Response[ErasedLink]:
    headers, log_fields = about(deletion)
    return Response(200, {"success": True}, headers, log_fields)


def _bulk_delete_again(
    request: Request, record: IdempotencyRecord
) -> Response[ErasedLinks | PendingErasure]:
    _, invalid = sort_ids(request.json["ids"])
    deletion = earlier_deletion(request, record)
    return deletion_response(request, deletion, erased_links(deletion, invalid))


@routes.route(
    "POST", "/api/links/bulk-delete", scope="linksErase", query=REASON, replay=_bulk_delete_again
)
@Described(headers=("X-Deletion-Id",), body="LinkIds", raises=(InvalidIds,))
def bulk_delete_links(request: Request) -> Response[ErasedLinks | PendingErasure]:
    """Erase each of the given links that exists, live or soft-deleted (LinkForty).

    Ids that are malformed, unknown or of another workspace are in ``notFoundIds``.
    """
    body = request.json
    if not isinstance(body, dict) or "ids" not in body or set(body) - {"ids", "reason"}:
        raise InvalidRequest('The body must be {"ids": […]}, optionally with "reason"')
    reason = reason_of(request, body.get("reason"))
    valid, invalid = distinct_ids(body["ids"], request, name="ids")
    deletion = erase_many(
        valid,
        deletion_request=deletion_request(request, reason),
        stores=service_stores.deletion_stores(),
    )
    return deletion_response(request, deletion, erased_links(deletion, invalid))
