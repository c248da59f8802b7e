"""Deleting links, softly and for good, over HTTP."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from functions.api import cursors
from functions.api.app import Api, Request, Response, access_table, check_reason
from functions.aws.client import client
from functions.aws.secrets import secret
from functions.aws.sqs import Queue
from functions.config import setting
from functions.domain.clock import iso
from functions.domain.errors import (
    DeletionNotFound,
    InvalidIds,
    InvalidRequest,
    Unavailable,
    as_text,
)
from functions.domain.ids import parse_link_id
from functions.domain.outcomes import Outcome
from functions.domain.query_params import parse_int_param
from functions.domain.short_codes import SHORT_CODE
from functions.repositories.deletions import (
    EVERY_DELETION,
    Deletion,
    DeletionsTable,
    FilterRequest,
)
from functions.repositories.erasures import ErasuresTable
from functions.repositories.exports import KEPT_DAYS, ExportsBucket, object_key
from functions.repositories.filter_slots import FilterSlots
from functions.repositories.idempotency import IdempotencyRecord, KeyTaken
from functions.repositories.links import LinksTable
from functions.repositories.open_exports import OpenExports
from functions.repositories.restores import NOT_IN_DELETION, RestoresTable
from functions.schemas.deletions import (
    as_first_answered,
    deleted_links,
    deletion_detail,
    deletion_summary,
    erased_links,
    restore_summary,
)
from functions.services.deletion import (
    DeletionRequest,
    Stores,
    delete_by_filter,
    deletion_of,
    erase_many,
    erase_one,
    soft_delete,
)
from functions.services.dry_run import preview, preview_filter
from functions.services.read_budget import RequestBudget
from functions.services.undo import undo_until

if TYPE_CHECKING:
    from functions.domain.deletion_names import Mode
    from functions.schemas import deletion_responses
    from functions.schemas.deletion_responses import (
        DeletedLinks,
        DeletionExport,
        DeletionPage,
        ErasedLink,
        ErasedLinks,
        NewErasure,
        PendingErasure,
        PendingLinks,
        PendingRestore,
        Preview,
        RestoredLinks,
    )
    from functions.schemas.links import NewDeletion
    from functions.services.restore import Restored, RestoreStores

#: Seconds for which the result of a dry run may be confirmed.
CONFIRMATION_SECONDS = 3600

#: Outcomes in one answer, unless asked for otherwise.
RESULTS = 100

#: Restores that a deletion shows, newest first.
RESTORES = 25

#: The query parameters of what deletes and restores, of lists, and of the audit trail.
REASON = ("reason",)
PAGE = ("limit", "cursor")
AUDIT = ("state", "mode", "actor", "createdAfter", "createdBefore")

#: A response that lists ids.
Ids = TypeVar("Ids", bound="DeletedLinks | ErasedLinks")

api = Api()


def _stores() -> Stores:
    dynamodb = client("dynamodb")
    return Stores(
        links=LinksTable(dynamodb, setting("LINKS_TABLE")),
        deletions=DeletionsTable(dynamodb, setting("DELETIONS_TABLE")),
        erasures=ErasuresTable(dynamodb, setting("DELETIONS_TABLE")),
        resume_queue=Queue(client("sqs"), setting("RESUME_QUEUE_URL")),
        slots=FilterSlots(dynamodb, setting("DELETIONS_TABLE")),
        open_exports=OpenExports(dynamodb, setting("CLICKS_TABLE")),
    )


def _earlier(request: Request, record: IdempotencyRecord) -> Deletion:
    """The deletion that the request's Idempotency-Key leads to."""
    deletions, workspace_id = _stores().deletions, request.caller.workspace_id
    return deletion_of(record, workspace_id, deletions)


def _delete_links_again(
    request: Request, record: IdempotencyRecord
) -> Response[DeletedLinks | PendingLinks]:
    return _links_deleted(request, _earlier(request, record))


@api.route(
    "DELETE",
    "/api/links",
    scope="linksWrite",
    query=REASON,
    error_format="hoko",
    replay=_delete_links_again,
)
def delete_links(request: Request) -> Response[DeletedLinks | PendingLinks]:
    """Soft-delete up to 10,000 links by id, all or none (Hoko)."""
    valid, invalid = _distinct_ids(request.json(), request)
    deletion = soft_delete(
        valid,
        invalid,
        deletion_request=_deletion_request(request, request.reason),
        stores=_stores(),
    )
    return _links_deleted(request, deletion)


def _links_deleted(request: Request, deletion: Deletion) -> Response[DeletedLinks | PendingLinks]:
    return _answer(request, deletion, deleted_links(deletion))


def _delete_link_again(request: Request, record: IdempotencyRecord) -> Response[ErasedLink]:
    return _link_deleted(_earlier(request, record))


@api.route(
    "DELETE", "/api/links/<link>", scope="linksErase", query=REASON, replay=_delete_link_again
)
def delete_link(request: Request) -> Response[ErasedLink]:
    """Erase one live link, by id or short code (LinkForty)."""
    stores = _stores()
    given = request.path["link"]
    link_id = parse_link_id(given)
    if link_id is None and SHORT_CODE.fullmatch(given):
        pointer = stores.links.resolve_code(given)
        if pointer is not None and pointer[0] == request.caller.workspace_id:
            link_id = pointer[1]
    deletion_request = _deletion_request(request, request.reason)
    deletion = erase_one(link_id, deletion_request=deletion_request, stores=stores)
    return _link_deleted(deletion)


def _link_deleted(deletion: Deletion) -> Response[ErasedLink]:
    headers, log_fields = _about(deletion)
    return Response(200, {"success": True}, headers, log_fields)


def _bulk_delete_again(
    request: Request, record: IdempotencyRecord
) -> Response[ErasedLinks | PendingErasure]:
    _, invalid = _sort_ids(request.json()["ids"])
    return _links_erased(request, _earlier(request, record), invalid)


@api.route(
    "POST",
    "/api/links/bulk-delete",
    scope="linksErase",
    query=REASON,
    replay=_bulk_delete_again,
)
def bulk_delete(request: Request) -> Response[ErasedLinks | PendingErasure]:
    """Erase each of the given links that exists, live or soft-deleted (LinkForty)."""
    body = request.json()
    if not isinstance(body, dict) or "ids" not in body or set(body) - {"ids", "reason"}:
        raise InvalidRequest('The body must be {"ids": […]}, optionally with "reason"')
    reason = _reason(request, check_reason(body.get("reason")))
    valid, invalid = _distinct_ids(body["ids"], request, name="ids")
    deletion = erase_many(
        valid,
        deletion_request=_deletion_request(request, reason),
        stores=_stores(),
    )
    return _links_erased(request, deletion, invalid)


def _links_erased(
    request: Request, deletion: Deletion, invalid: list[str]
) -> Response[ErasedLinks | PendingErasure]:
    return _answer(request, deletion, erased_links(deletion, invalid))


def _answer(request: Request, deletion: Deletion, body: Ids) -> Response[Ids]:
    """200, or 202 with the ``Location`` of the deletion while it is being worked on."""
    headers, log_fields = _about(deletion)
    if deletion.open:
        return Response(202, body, headers | _record_of(deletion, request), log_fields)
    return Response(200, body, headers, log_fields)


def _create_deletion_again(
    request: Request, record: IdempotencyRecord
) -> Response[NewErasure | Preview]:
    """The deletion as it was first answered: links restored and traces erased since change none."""
    from functions.schemas.links import parse_new_deletion

    asked = parse_new_deletion(request.json())
    _require_scopes(request, asked)
    valid, invalid = _sort_ids(asked.ids or [])
    if asked.dryRun:
        return _previewed_again(request, record, valid, invalid)
    deletion = as_first_answered(_earlier(request, record))
    return _made(request, deletion, _not_found(asked, deletion, invalid))


@api.route(
    "POST",
    "/api/deletions",
    scope=None,
    either=("linksWrite", "linksErase"),
    query=REASON,
    error_format="hoko",
    replay=_create_deletion_again,
)
def create_deletion(request: Request) -> Response[NewErasure | Preview]:
    """Delete by ids or filter, softly (ids: all or none) or for good; ``dryRun`` only tells."""
    # The parser brings pydantic, which the two contracts' own routes need not wait for.
    from functions.schemas.links import parse_new_deletion

    caller = request.caller
    asked = parse_new_deletion(request.json())
    _require_scopes(request, asked)
    stores = _stores()
    deletion_request = _deletion_request(
        request, _reason(request, asked.reason), export=asked.export
    )
    if asked.filter is not None:
        return _delete_by_filter(request, asked, deletion_request, stores)
    valid, invalid = _distinct_ids(asked.ids, request, name="ids")
    if asked.dryRun:
        found = preview(
            valid,
            invalid,
            mode=asked.mode,
            workspace_id=caller.workspace_id,
            links=stores.links,
        )
        return _previewed(request, found, valid, invalid)
    if asked.mode == "soft":
        deletion = soft_delete(
            valid,
            invalid,
            deletion_request=deletion_request,
            stores=stores,
        )
    else:
        deletion = erase_many(valid, deletion_request=deletion_request, stores=stores)
    return _made(request, deletion, _not_found(asked, deletion, invalid))


def _require_scopes(request: Request, asked: NewDeletion) -> None:
    """What the body of a deletion asks for decides what the key must be able to."""
    scopes = ["linksErase" if asked.mode == "erase" else "linksWrite"]
    if asked.export:
        # The export holds every visit, and its URL needs this scope later.
        scopes.append("analyticsRead")
    if asked.dryRun or asked.filter is not None:
        # Their counts say what links are like: a key that may only write could guess titles.
        scopes.append("linksRead")
    request.caller.require(*scopes)


def _not_found(asked: NewDeletion, deletion: Deletion, invalid: list[str]) -> list[str] | None:
    """The ids that an erasure by ids did not find; it is not all or none."""
    if asked.mode != "erase" or asked.ids is None:
        return None
    return deletion.ids_with(Outcome.NOT_FOUND) + invalid


def _delete_by_filter(
    request: Request, asked: NewDeletion, deletion_request: DeletionRequest, stores: Stores
) -> Response[NewErasure | Preview]:
    from functions.schemas.filters import LinkFilter

    only = LinkFilter.parse(asked.filter)
    if only.empty:
        # An empty filter is more often a bug of the caller than the wish to lose everything.
        raise InvalidRequest("The filter must name at least one condition")
    workspace_id, plan = request.caller.workspace_id, request.caller.plan
    digest = None
    if asked.confirmationToken:
        digest = _confirmed(asked.confirmationToken, workspace_id, asked.mode)
    budget = RequestBudget(workspace_id, plan, access=access_table())
    if not asked.dryRun:
        deletion = delete_by_filter(
            FilterRequest(asked.filter or {}, plan.max_ids, digest, plan.filter_reads_per_minute),
            asked.mode,
            deletion_request=deletion_request,
            stores=stores,
            budget=budget,
            open_filters=plan.open_filters,
        )
        return _made(request, deletion, None)
    found = preview_filter(
        only,
        mode=asked.mode,
        workspace_id=workspace_id,
        maximum=plan.max_ids,
        links=stores.links,
        budget=budget,
        most_reads=plan.filter_reads_per_request,
    )
    # Bound to this very set: whoever sends it back is refused if other links match by then.
    confirms = {
        "digest": found.selection.digest,
        "until": int(time.time()) + CONFIRMATION_SECONDS,
    }
    return _previewed(request, found.figure, [], [], confirms)


def _previewed(
    request: Request,
    preview: Preview,
    valid: list[str],
    invalid: list[str],
    confirms: dict[str, Any] | None = None,
) -> Response[Preview]:
    """The answer to a dry run; its Idempotency-Key keeps its numbers."""
    key, workspace_id = request.idempotency_key, request.caller.workspace_id
    if key is not None:
        from functions.services.repeated_dry_run import kept_preview

        kept = {"preview": kept_preview(preview, valid), "confirms": confirms}
        keys = _stores().deletions.keys
        try:
            keys.claim(workspace_id, key, kept)
        except KeyTaken:
            # The same request was faster, or this one, in a call whose answer was lost.
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
        confirmed = [confirms["digest"], preview["mode"], int(confirms["until"])]
        preview["confirmationToken"] = cursors.sign(
            "confirm", request.caller.workspace_id, confirmed, secret=_secret()
        )
    return Response(200, preview, log_fields=fields | {"dryRun": True})


def _confirmed(token: str, workspace_id: str, mode: Mode) -> str:
    """The digest of the set that a token stands for; raises ``InvalidRequest``."""
    try:
        digest, for_mode, until = cursors.read("confirm", workspace_id, token, secret=_secret())
    except ValueError:
        raise InvalidRequest("Invalid confirmationToken") from None
    if for_mode != mode or until < time.time():
        raise InvalidRequest("The confirmationToken is for another mode, or has expired")
    return str(digest)


def _made(
    request: Request, deletion: Deletion, not_found: list[str] | None
) -> Response[NewErasure]:
    """The deletion with its first outcomes: 202 while it is being worked on."""
    headers, log_fields = _about(deletion)
    headers |= _record_of(deletion, request)
    page = deletion.link_ids[:RESULTS]
    cursor = _results_cursor(deletion, len(page))
    body = cast("NewErasure", deletion_detail(deletion, page, 0, cursor))
    if not_found is not None:
        body["notFoundIds"] = not_found
    body["undoUntil"] = _undo_until(request, deletion)
    return Response(202 if deletion.open else 200, body, headers, log_fields)


@api.route("GET", "/api/deletions", scope="linksRead", query=(*PAGE, *AUDIT), error_format="hoko")
def list_deletions(request: Request) -> Response[DeletionPage]:
    """The workspace's deletions, newest first: its audit trail."""
    from functions.services.audit_trail import list_deletions as list_page

    caller, only = request.caller, EVERY_DELETION
    if not request.query.keys().isdisjoint(AUDIT):
        from functions.schemas.deletion_filter import parse_audit_filter

        only = parse_audit_filter(request.query)
    limit, position = _page(request, "deletions", maximum=100)
    before, fingerprint = position or (None, only.fingerprint)
    if fingerprint != only.fingerprint:
        raise InvalidRequest("The cursor belongs to another filter")
    found, last = list_page(
        workspace_id=caller.workspace_id,
        limit=limit,
        before=before,
        deletions=_stores().deletions,
        only=only,
        budget=RequestBudget(caller.workspace_id, caller.plan, access=access_table()),
    )
    cursor = None
    if last is not None:
        content = [last, only.fingerprint]
        cursor = cursors.sign("deletions", caller.workspace_id, content, secret=_secret())
    views = [deletion_summary(each) for each in found]
    for view, each in zip(views, found, strict=True):
        view["undoUntil"] = _undo_until(request, each)
    return Response(200, {"deletions": views, "nextCursor": cursor})


def _undo_until(request: Request, deletion: Deletion) -> str | None:
    """Until when this caller may undo a deletion without ``linksRestore``."""
    caller = request.caller
    if "linksUndo" not in caller.scopes:
        return None
    return undo_until(deletion, caller.key_id, caller.policies.undo_minutes)


@api.route("GET", "/api/deletions/<deletion>", scope="linksRead", query=PAGE, error_format="hoko")
def get_deletion(request: Request) -> Response[deletion_responses.Deletion]:
    """One deletion: progress, outcome per id (paged), receipt."""
    deletion_id = parse_link_id(request.path["deletion"])
    if deletion_id is None:
        raise DeletionNotFound
    limit, after = _page(request, f"results {deletion_id}", maximum=1_000, default=RESULTS)
    start = after or 0
    deletions = _stores().deletions
    deletion = deletions.header(request.caller.workspace_id, deletion_id)
    if deletion is None:
        raise DeletionNotFound
    if deletion.mode == "erase" and deletion.open:
        deletions.read_done(deletion)
    page = deletions.page_of_ids(deletion, start, limit)
    cursor = _results_cursor(deletion, start + len(page))
    headers, log_fields = _about(deletion)
    body = deletion_detail(deletion, page, start, cursor)
    body["undoUntil"] = _undo_until(request, deletion)
    if deletion.mode == "soft" and not deletion.open:
        restores = RestoresTable(client("dynamodb"), setting("DELETIONS_TABLE")).of_deletion(
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
    bucket = ExportsBucket(client("s3"), setting("EXPORTS_BUCKET"))
    url, until = bucket.url(object_key(deletion.workspace_id, deletion.id))
    return {"url": url, "expiresAt": iso(until)}


def _restore_stores() -> RestoreStores:
    from functions.services.restore import RestoreStores

    stores = _stores()
    return RestoreStores(
        links=stores.links,
        deletions=stores.deletions,
        restores=RestoresTable(client("dynamodb"), setting("DELETIONS_TABLE")),
    )


def _restore_again(
    request: Request, record: IdempotencyRecord
) -> Response[RestoredLinks | PendingRestore]:
    from functions.services.restore import restored_of

    body = request.json() if request.body.strip() else {}
    _, malformed = _sort_ids(body.get("ids", []))
    done = restored_of(record, request.caller.workspace_id, _restore_stores())
    return _links_restored(request, done, malformed)


@api.route(
    "POST",
    "/api/deletions/<deletion>/restore",
    scope=None,
    either=("linksRestore", "linksUndo"),
    query=REASON,
    error_format="hoko",
    replay=_restore_again,
)
def restore_deletion(request: Request) -> Response[RestoredLinks | PendingRestore]:
    """Bring back all links of a soft delete, or those of ``{"ids": […]}``, per id.

    A key or session without ``linksRestore`` may do so with its own deletes, for a few minutes.
    """
    from functions.services.restore import restore

    caller = request.caller
    deletion_id = parse_link_id(request.path["deletion"])
    if deletion_id is None:
        raise DeletionNotFound
    ids: list[str] | None = None
    malformed: list[str] = []
    reason = request.reason
    if request.body.strip():
        body = request.json()
        if not isinstance(body, dict) or set(body) - {"ids", "reason"}:
            raise InvalidRequest('The body may be {"ids": […]}, optionally with "reason"')
        reason = _reason(request, check_reason(body.get("reason")))
        if "ids" in body:
            ids, malformed = _distinct_ids(body["ids"], request, name="ids")
    done = restore(
        deletion_id,
        ids,
        deletion_request=replace(
            _deletion_request(request, reason), policies=caller.policies.restore_record()
        ),
        stores=_restore_stores(),
        undo_minutes=None if "linksRestore" in caller.scopes else caller.policies.undo_minutes,
    )
    return _links_restored(request, done, malformed)


def _links_restored(
    request: Request, done: Restored, malformed: list[str]
) -> Response[RestoredLinks | PendingRestore]:
    headers, log_fields = _about(done.deletion)
    refused = done.refused
    refused += [{"id": each, "reason": NOT_IN_DELETION} for each in malformed]
    answer: RestoredLinks = {"restoredIds": done.restored_ids, "refused": refused}
    if done.to_be_purged:
        answer["toBePurged"] = done.to_be_purged
    log_fields |= {"restoreId": done.restore.id, "restored": len(answer["restoredIds"])}
    if done.pending_ids:
        headers |= _record_of(done.deletion, request)
        pending: PendingRestore = {**answer, "pendingIds": done.pending_ids}
        return Response(202, pending, headers, log_fields)
    return Response(200, answer, headers, log_fields)


def _page(request: Request, purpose: str, *, maximum: int, default: int = 50) -> tuple[int, Any]:
    """``limit`` and the content of ``cursor``; raises ``InvalidRequest``."""
    query = request.query
    limit = parse_int_param(query.get("limit"), "limit", default=default, maximum=maximum)
    if "cursor" not in query:
        return limit, None
    try:
        return limit, cursors.read(
            purpose, request.caller.workspace_id, query["cursor"], secret=_secret()
        )
    except ValueError:
        raise InvalidRequest("Invalid cursor") from None


def _results_cursor(deletion: Deletion, start: int) -> str | None:
    if start >= len(deletion.outcomes):
        return None
    purpose = f"results {deletion.id}"
    return cursors.sign(purpose, deletion.workspace_id, start, secret=_secret())


def _secret() -> bytes:
    return secret(setting("CURSOR_SECRET_ARN"))


def _distinct_ids(
    body: object, request: Request, *, name: str = "The body"
) -> tuple[list[str], list[str]]:
    """The distinct well-formed ids in lower case and request order, and the malformed ones.

    The limit counts before de-duplication. Raises ``InvalidRequest``, also for what is no text:
    text that is no id can be answered as not found, but an object around an id is a mistake.
    ``name`` is what the error calls the array.
    """
    if not isinstance(body, list):
        raise InvalidRequest(f"{name} must be an array of link ids")
    if not body:
        raise InvalidRequest("At least one id is required")
    limit = request.caller.plan.max_ids
    if len(body) > limit:
        raise InvalidRequest(
            f"At most {limit} ids in one request under the {request.caller.plan.name} plan",
            limit=limit,
        )
    valid, invalid = _sort_ids(body)
    if not all(isinstance(entry, str) for entry in body):
        raise InvalidIds("Every id must be text", invalid=invalid, unknown=[])
    return valid, invalid


def _sort_ids(given: list[Any]) -> tuple[list[str], list[str]]:
    """The distinct ids in lower case and request order, and what is none."""
    valid: dict[str, None] = {}
    invalid: dict[str, None] = {}
    for entry in given:
        link_id = parse_link_id(entry)
        if link_id is None:
            invalid[as_text(entry)] = None
        else:
            valid[link_id] = None
    return list(valid), list(invalid)


def _reason(request: Request, in_body: str | None) -> str | None:
    """The body's reason, else the query's; both are checked."""
    in_query = request.reason
    return in_query if in_body is None else in_body


def _deletion_request(
    request: Request, reason: str | None, *, export: bool = False
) -> DeletionRequest:
    caller = request.caller
    return DeletionRequest(
        workspace_id=caller.workspace_id,
        actor={"keyId": caller.key_id, "userId": caller.user_id},
        source_ip=caller.source_ip,
        reason=reason,
        key=request.idempotency_key,
        retention_days=caller.retention_days,
        policies=caller.policies.record(),
        export_base_url=request.base_url if export else None,
        open_exports=caller.plan.open_exports,
    )


def _record_of(deletion: Deletion, request: Request) -> dict[str, str]:
    """Where the deletion can be watched."""
    return request.location(f"/api/deletions/{deletion.id}")


def _about(deletion: Deletion) -> tuple[dict[str, str], dict[str, Any]]:
    headers = {"X-Deletion-Id": deletion.id}
    log_fields = {"deletionId": deletion.id, "ids": len(deletion.link_ids), "state": deletion.state}
    return headers, log_fields


handler = api.handle
