"""``POST /api/deletions``: delete by ids or filter, softly or permanently, or try it out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from functions import container, service_stores
from functions.api import cursors
from functions.api.deletion_request import (
    REASON,
    deletion_request,
    distinct_ids,
    earlier_deletion,
    reason_of,
    sort_ids,
)
from functions.api.deletion_response import (
    RESULTS,
    about,
    location_of,
    results_cursor,
    undo_deadline,
)
from functions.api.request import Request
from functions.api.response import Response
from functions.api.route import Described, Routes
from functions.domain.deletion import Deletion, FilterRequest
from functions.domain.errors import (
    InvalidIds,
    InvalidRequest,
    LimitReached,
    SelectionChanged,
    Unavailable,
)
from functions.domain.idempotency import IdempotencyRecord, KeyTaken
from functions.domain.ids import random_uuid
from functions.domain.outcomes import Outcome
from functions.schemas.deletions import as_first_returned, deletion_detail
from functions.services.delete_links import delete_by_filter, erase_many, soft_delete
from functions.services.deletion import DeletionRequest, Stores
from functions.services.dry_run import preview, preview_filter
from functions.services.read_budget import RequestBudget

if TYPE_CHECKING:
    from functions.domain.deletion_names import Mode
    from functions.schemas.deletion_responses import NewErasure, PendingDeletion, Preview
    from functions.schemas.new_deletion import NewDeletion

routes = Routes("Deletions")

#: Seconds for which a dry run's confirmation token is valid.
CONFIRMATION_SECONDS = 3600


def _create_deletion_again(
    request: Request, record: IdempotencyRecord
) -> Response[NewErasure | Preview]:
    """The deletion as it was first answered, without later restores and purges."""
    from functions.schemas.new_deletion import parse_new_deletion

    request_body = parse_new_deletion(request.json)
    _require_scopes(request, request_body)
    valid, invalid = sort_ids(request_body.ids or [])
    if request_body.dryRun:
        return _previewed_again(request, record, valid, invalid)
    deletion = as_first_returned(earlier_deletion(request, record))
    return _created(request, deletion, _not_found(request_body, deletion, invalid))


@routes.route(
    "POST",
    "/api/deletions",
    scope=("linksWrite", "linksErase"),
    query=REASON,
    replay=_create_deletion_again,
)
@Described(
    text="The deletion, or with `dryRun` what it would do.",
    headers=("X-Deletion-Id", "Location"),
    body="NewDeletion",
    raises=(InvalidIds, SelectionChanged, LimitReached),
)
def create_deletion(request: Request) -> Response[NewErasure | PendingDeletion | Preview]:
    """Delete by ids or filter, softly (ids: all or none) or permanently; ``dryRun`` only reports.

    ``soft`` (scope ``linksWrite``) is all or nothing, ``erase`` (scope ``linksErase``) is per id. A
    ``filter`` and a ``dryRun`` need ``linksRead`` too. A filter selects the live links that match
    when the deletion is resolved. A dry run of a filter returns a ``confirmationToken``, which
    binds the deletion to exactly those links. With ``export``, links and clicks are first written
    as NDJSON, and deleted when the file is complete; this also needs the scope ``analyticsRead``.
    For clients that cannot send a body with DELETE.
    """
    # Imported here: the parser loads pydantic, which the routes of the two contracts do not need.
    from functions.schemas.new_deletion import parse_new_deletion

    caller = request.caller
    request_body = parse_new_deletion(request.json)
    _require_scopes(request, request_body)
    stores = service_stores.deletion_stores()
    requested_by = deletion_request(
        request, reason_of(request, request_body.reason), export=request_body.export
    )
    if request_body.filter is not None:
        return _delete_by_filter(request, request_body, requested_by, stores)
    valid, invalid = distinct_ids(request_body.ids, request, name="ids")
    if request_body.dryRun:
        found = preview(
            valid,
            invalid,
            mode=request_body.mode,
            workspace_id=caller.workspace_id,
            links=stores.links,
        )
        return _previewed(request, found, valid, invalid)
    if request_body.mode == "soft":
        deletion = soft_delete(valid, invalid, deletion_request=requested_by, stores=stores)
    else:
        deletion = erase_many(valid, deletion_request=requested_by, stores=stores)
    return _created(request, deletion, _not_found(request_body, deletion, invalid))


def _require_scopes(request: Request, request_body: NewDeletion) -> None:
    """Check the scopes, which depend on the body of the deletion."""
    scopes = ["linksErase" if request_body.mode == "erase" else "linksWrite"]
    if request_body.export:
        # The export contains every visit, and fetching its URL needs this scope.
        scopes.append("analyticsRead")
    if request_body.dryRun or request_body.filter is not None:
        # Their counts reveal properties of links: a write-only key could guess titles.
        scopes.append("linksRead")
    request.caller.require(*scopes)


def _not_found(
    request_body: NewDeletion, deletion: Deletion, invalid: list[str]
) -> list[str] | None:
    """The ids that an erasure by ids did not find; it is not all or none."""
    if request_body.mode != "erase" or request_body.ids is None:
        return None
    return deletion.ids_with(Outcome.NOT_FOUND) + invalid


def _delete_by_filter(
    request: Request, request_body: NewDeletion, requested_by: DeletionRequest, stores: Stores
) -> Response[NewErasure | Preview]:
    from functions.schemas.filters import parse_filter

    link_filter = parse_filter(request_body.filter)
    if link_filter.empty:
        # An empty filter is more likely a bug than the wish to delete everything.
        raise InvalidRequest("The filter must name at least one condition")
    workspace_id, plan = request.caller.workspace_id, request.caller.plan
    digest = None
    if request_body.confirmationToken:
        digest = _confirmed(request_body.confirmationToken, workspace_id, request_body.mode)
    budget = RequestBudget(workspace_id, plan, access=container.access())
    if not request_body.dryRun:
        deletion = delete_by_filter(
            FilterRequest(
                request_body.filter or {}, plan.max_ids, plan.filter_reads_per_minute, digest
            ),
            request_body.mode,
            deletion_request=requested_by,
            stores=stores,
            budget=budget,
            open_filters=plan.open_filters,
        )
        return _created(request, deletion, None)
    found = preview_filter(
        link_filter,
        mode=request_body.mode,
        workspace_id=workspace_id,
        maximum=plan.max_ids,
        links=stores.links,
        budget=budget,
        max_reads=plan.filter_reads_per_request,
    )
    if digest not in (None, found.selection.digest):
        raise SelectionChanged
    # Bound to this exact set: the delete is refused if other links match by then.
    confirms = {
        "digest": found.selection.digest,
        "until": int(time.time()) + CONFIRMATION_SECONDS,
        # Clients derive Idempotency-Keys from tokens: that of an equal set must be another one.
        "nonce": random_uuid(),
    }
    return _previewed(request, found.figure, [], [], confirms)


def _previewed(
    request: Request,
    preview: Preview,
    valid: list[str],
    invalid: list[str],
    confirms: dict[str, Any] | None = None,
) -> Response[Preview]:
    """The response of a dry run; the Idempotency-Key keeps its numbers."""
    key, workspace_id = request.idempotency_key, request.caller.workspace_id
    if key is not None:
        from functions.services.repeated_dry_run import kept_preview

        kept = {"preview": kept_preview(preview, valid), "confirms": confirms}
        keys = container.idempotency()
        try:
            keys.claim(workspace_id, key, kept)
        except KeyTaken:
            # The same request was faster, or this call was applied and its response lost.
            record = keys.find(workspace_id, key)
            if record is None:
                raise Unavailable from None
            return _previewed_again(request, record, valid, invalid)
    ids = preview["counts"]["requested"]
    return _confirmable(request, preview, confirms, {"ids": ids})


def _previewed_again(
    request: Request, record: IdempotencyRecord, valid: list[str], invalid: list[str]
) -> Response[Preview]:
    from functions.services.repeated_dry_run import repeated_preview

    preview = repeated_preview(record.details["preview"], valid, invalid)
    return _confirmable(request, preview, record.details.get("confirms"), {})


def _confirmable(
    request: Request, preview: Preview, confirms: dict[str, Any] | None, fields: dict[str, Any]
) -> Response[Preview]:
    """The preview, for a filter with the token that confirms it."""
    if confirms is not None:
        confirmed = [confirms["digest"], preview["mode"], confirms["until"], confirms["nonce"]]
        preview["confirmationToken"] = cursors.sign(
            "confirm", request.caller.workspace_id, confirmed, secret=container.cursor_secret()
        )
    return Response(200, preview, log_fields=fields | {"dryRun": True})


def _confirmed(token: str, workspace_id: str, mode: Mode) -> str:
    """The digest of the confirmed set in a token; raises ``InvalidRequest``."""
    try:
        digest, for_mode, until, _ = cursors.read(
            "confirm", workspace_id, token, secret=container.cursor_secret()
        )
    except ValueError:
        raise InvalidRequest("Invalid confirmationToken") from None
    if for_mode != mode or until < time.time():
        raise InvalidRequest("The confirmationToken is for another mode, or has expired")
    return str(digest)


def _created(
    request: Request, deletion: Deletion, not_found: list[str] | None
) -> Response[NewErasure]:
    """The deletion with its first outcomes: 202 while it is running."""
    headers, log_fields = about(deletion)
    headers |= location_of(request, deletion)
    page = deletion.link_ids[:RESULTS]
    cursor = results_cursor(request, deletion, len(page))
    undo_until = undo_deadline(request, deletion)
    body = cast("NewErasure", deletion_detail(deletion, page, 0, cursor, undo_until))
    if not_found is not None:
        body["notFoundIds"] = not_found
    return Response(202 if deletion.open else 200, body, headers, log_fields)
