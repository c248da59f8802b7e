"""The OpenAPI 3.1 document: assembled from the routes, the models and the errors of the code.

``python -m functions.api.openapi`` (``make openapi``) writes ``openapi.json`` beside this file,
which the docs function serves; tests fail when it is stale, and when it and the deployed API
disagree about a route. Method, path, scope, dialect and summary come from each function's own
registration, bodies from the models, errors from ``errors.py``. What only a caller needs to know
stands in :data:`OPERATIONS`, one entry a route.

No function imports this.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from functions.api.app import Api, Route
from functions.domain import errors, qr_image
from functions.domain.errors import UnlinkError
from functions.domain.plans import MAX_IDS, plans
from functions.schemas import links, responses
from functions.schemas.filters import FilterFields
from functions.services import installs

DOCUMENT = Path(__file__).with_name("openapi.json")

Schema = dict[str, Any]

# -- what a route takes and answers -----------------------------------------------------------


@dataclass(frozen=True)
class Answers:
    """One status: the model (or schema) of its body, its media types, headers beside the usual."""

    what: str
    body: type[BaseModel] | Schema | None = None
    media: Sequence[str] = ("application/json",)
    headers: Sequence[str] = ()
    links: Mapping[str, Schema] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """What the code of a route does not say by itself."""

    id: str
    tag: str
    responses: Mapping[int, Answers]
    raises: Sequence[type[UnlinkError]] = ()
    query: Sequence[Schema] = ()
    body: Schema | None = None
    body_example: Any = None
    body_required: bool = True
    idempotent: bool = False
    headers: Sequence[Schema] = ()
    more: str = ""
    #: For routes whose body decides.
    scopes: Sequence[str] = ()
    #: For routes that no :class:`Api` serves.
    summary: str = ""
    errors: Mapping[int, Answers] | None = None


def ref(body: type[BaseModel]) -> Schema:
    """A reference to a model's schema."""
    return {"$ref": f"#/components/schemas/{body.__name__}"}


def query(name: str, schema: Schema, description: str, **more: Any) -> Schema:
    """An optional query parameter."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema,
        **more,
    }


EXAMPLE_ID = "550e8400-e29b-41d4-a716-446655440000"
OTHER_ID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"

LINK_ID: Schema = {
    "type": "string",
    "pattern": "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$",
    "description": "A link's UUID, in any letter case.",
}

#: The limit is the plan's; above it every plan refuses.
LINK_IDS: Schema = {
    "type": "array",
    "items": {
        "type": "string",
        "description": "A link's UUID; other text is answered as an id that no link has.",
    },
    "minItems": 1,
    "maxItems": MAX_IDS,
}

REASON = query(
    "reason", {"type": "string", "maxLength": 500}, "Why; kept with the deletion and never judged."
)
MOMENT: Schema = {"type": "string", "format": "date-time"}
DELETION_STATES = ["accepted", "exporting", "deleting", "erasing", "complete", "failed"]
ACTOR = query(
    "actor",
    {"type": "string", "minLength": 1, "maxLength": 200},
    "By this key id, user id or service, exactly.",
)
CURSOR = query("cursor", {"type": "string"}, "`nextCursor` of the page before.")


def new_deletion(**what: Schema) -> Schema:
    """A body of ``POST /api/deletions``; the first of ``what`` must be there."""
    return {
        "type": "object",
        "properties": {
            **what,
            "mode": {"enum": ["soft", "erase"], "default": "soft"},
            "reason": {"type": ["string", "null"], "maxLength": 500},
            "dryRun": {"type": "boolean", "default": False},
            "export": {"type": "boolean", "default": False},
        },
        "required": [next(iter(what))],
        "additionalProperties": False,
    }


def limit(maximum: int, default: int) -> Schema:
    """The ``limit`` parameter of a list."""
    schema = {"type": "integer", "minimum": 1, "maximum": maximum, "default": default}
    return query("limit", schema, "The most entries of a page.")


def link_operations(expression: str) -> dict[str, Schema]:
    """Where an answer's link id leads."""
    return {
        operation: {"operationId": operation, "parameters": {"id": expression}}
        for operation in ("getLink", "updateLink", "getLinkQr", "deleteLink")
    }


def _plain(schema: Any, *, answered: bool) -> Any:
    """Without the titles that repeat each name, and without defaults of what is only answered."""
    if isinstance(schema, list):
        return [_plain(each, answered=answered) for each in schema]
    if not isinstance(schema, dict):
        return schema
    dropped = {"default"} if answered else set()
    plain: Schema = {}
    for key, value in schema.items():
        if (key == "title" and isinstance(value, str)) or key in dropped:
            continue
        if key == "description" and isinstance(value, str):
            plain[key] = " ".join(value.replace("``", "`").split())
        elif key == "properties":
            plain[key] = {name: _plain(each, answered=answered) for name, each in value.items()}
        else:
            plain[key] = _plain(value, answered=answered)
    return plain


def filter_parameters() -> list[Schema]:
    """One query parameter for each member of a filter, as its model has it."""
    members = _filter_members(FilterFields.model_json_schema()["properties"])
    return [
        query(name, _plain(member, answered=True), FILTER[name]) for name, member in members.items()
    ]


def _filter_members(properties: dict[str, Schema]) -> dict[str, Schema]:
    """Without null: what is not asked for is left out."""
    return {
        name: next(each for each in member["anyOf"] if each != {"type": "null"})
        for name, member in properties.items()
    }


#: What each member of a filter means.
FILTER = {
    "tag": "With this tag.",
    "title": "With this in the title, without regard to case (Unicode case folding).",
    "isActive": "Switched on, or off.",
    "expired": "Past `expiresAt`, or not.",
    "createdBefore": "Created earlier; exclusive.",
    "createdAfter": "Created later; exclusive.",
    "minClicks": "With at least as many clicks.",
    "maxClicks": "With at most as many clicks.",
    "externalId": "With this id of yours.",
}

DELETION_HEADERS = ("X-Deletion-Id",)
PENDING_HEADERS = ("X-Deletion-Id", "Location")
DELETION_LINK = {
    "getDeletion": {
        "operationId": "getDeletion",
        "parameters": {"id": "$response.header.X-Deletion-Id"},
    }
}
DELETION_ERRORS = (errors.StillRunning, errors.KeyReused)

#: One entry a route, by method and path as the gateway spells it. A test names what is missing.
OPERATIONS: dict[str, Operation] = {
    "GET /api/me": Operation(
        id="getMe",
        tag="Account",
        responses={200: Answers("The caller.", responses.Me)},
        more="For every credential, whatever its scopes.",
    ),
    "POST /api/links": Operation(
        id="createLinks",
        tag="Links",
        body={
            "oneOf": [
                ref(links.NewLink),
                {
                    "type": "array",
                    "items": ref(links.NewLink),
                    "minItems": 1,
                    "maxItems": links.MAX_CREATE,
                },
            ]
        },
        body_example={
            "originalUrl": "https://example.com/spring",
            "title": "Spring",
            "tags": ["campaign"],
        },
        responses={
            201: Answers(
                "The link, or the links in request order.",
                {"oneOf": [ref(responses.Link), {"type": "array", "items": ref(responses.Link)}]},
                headers=("Location",),
                links=link_operations("$response.body#/id"),
            )
        },
        idempotent=True,
        raises=(errors.ShortCodeTaken, errors.Conflict, errors.StillRunning, errors.KeyReused),
        more="Without `shortCode` (or `customCode`, another name of it) one is drawn.",
    ),
    "GET /api/links": Operation(
        id="listLinks",
        tag="Links",
        query=(limit(1_000, 50), CURSOR, *filter_parameters()),
        responses={
            200: Answers(
                "A page. It may be short, even empty, and still have a `nextCursor`.",
                responses.LinkPage,
                links=link_operations("$response.body#/links/0/id"),
            )
        },
        raises=(errors.LimitReached,),
    ),
    "GET /api/links/{id}": Operation(
        id="getLink",
        tag="Links",
        responses={200: Answers("The link.", responses.Link)},
        raises=(errors.LinkNotFound,),
    ),
    "PUT /api/links/{id}": Operation(
        id="updateLink",
        tag="Links",
        body=ref(links.LinkChanges),
        body_example={"title": "Spring, extended", "expiresAt": None},
        responses={
            200: Answers(
                "The link as it is now; to a key without `linksRead` only what was written.",
                {"anyOf": [ref(responses.Link), ref(responses.WrittenLink)]},
            )
        },
        raises=(errors.LinkNotFound, errors.Conflict),
        more="What is given changes, `null` clears. `id` and `shortCode` never change.",
    ),
    "GET /api/links/{id}/qr": Operation(
        id="getLinkQr",
        tag="Links",
        query=(
            query(
                "format",
                {"type": "string", "enum": [*qr_image.MEDIA_TYPES], "default": "png"},
                "The image format.",
            ),
            query(
                "size",
                {
                    "type": "integer",
                    "minimum": qr_image.MIN_SIZE,
                    "maximum": qr_image.MAX_SIZE,
                    "default": qr_image.DEFAULT_SIZE,
                },
                "Pixels a side, the quiet zone included; exact.",
            ),
            *(
                query(
                    name,
                    {
                        "type": "string",
                        "pattern": "^#?([0-9A-Fa-f]{6}|[0-9A-Fa-f]{3})$",
                        "default": default,
                    },
                    f"The colour of the {what}. The two need some contrast "
                    f"({qr_image.LEAST_CONTRAST:g} to 1).",
                )
                for name, default, what in (
                    ("color", "000000", "code"),
                    ("bgcolor", "ffffff", "background"),
                )
            ),
        ),
        headers=(
            {
                "name": "If-None-Match",
                "in": "header",
                "required": False,
                "description": "`ETag` of an earlier answer.",
                "schema": {"type": "string"},
            },
        ),
        responses={
            200: Answers(
                "The image.",
                {},
                media=tuple(qr_image.MEDIA_TYPES.values()),
                headers=("ETag", "Cache-Control"),
            ),
            304: Answers("The image has not changed.", headers=("ETag", "Cache-Control")),
        },
        raises=(errors.LinkNotFound,),
    ),
    "GET /api/analytics/links/{id}": Operation(
        id="getAnalytics",
        tag="Analytics",
        query=(
            query(
                "days",
                {"type": "integer", "minimum": 1, "maximum": 365, "default": 30},
                "How many days of UTC to look back, today included.",
            ),
        ),
        responses={200: Answers("What was counted.", responses.Analytics)},
        raises=(errors.LinkNotFound,),
        more=(
            "Also for soft-deleted links, until they are erased. Clicks are counted within "
            "seconds, bots are not. Country, region, city and timezone are `unknown` unless "
            "CloudFront stands in front of the short links. A list names at most a hundred "
            "values a day; further ones are `other`."
        ),
    ),
    "POST /api/analytics/links/{id}/export": Operation(
        id="createExport",
        tag="Analytics",
        idempotent=True,
        responses={
            202: Answers(
                "The export, to be watched at its `Location`.",
                responses.Export,
                headers=("Location",),
                links={
                    "getExport": {
                        "operationId": "getExport",
                        "parameters": {
                            "id": "$response.body#/linkId",
                            "exportId": "$response.body#/id",
                        },
                    }
                },
            )
        },
        raises=(errors.LinkNotFound, errors.KeyReused, errors.LimitReached),
        more=(
            "NDJSON: the link on the first line, then each click up to now, bots included. Also "
            "for soft-deleted links. A link has one unfinished export at a time: while there is "
            "one, it is the answer. 429 with `limit` when the workspace has as many unfinished "
            "exports as its plan allows. The file is kept for seven days, or until the link is "
            "erased."
        ),
    ),
    "GET /api/analytics/links/{id}/export/{exportId}": Operation(
        id="getExport",
        tag="Analytics",
        responses={200: Answers("How far it is, and where to fetch it.", responses.Export)},
        raises=(errors.LinkNotFound, errors.NotFound),
    ),
    "POST /api/installs": Operation(
        id="createInstall",
        tag="Analytics",
        body=ref(installs.NewInstall),
        body_example={"linkId": EXAMPLE_ID, "platform": "iOS"},
        idempotent=True,
        responses={201: Answers("The install and its click.", responses.Install)},
        raises=(errors.LinkNotFound, errors.NotFound, errors.Conflict, errors.KeyReused),
        more=(
            f"By click, or by link: then its last click counts. The click must have come within "
            f"{installs.ATTRIBUTION_DAYS} days before the install, else 409."
        ),
    ),
    "DELETE /api/links": Operation(
        id="deleteLinks",
        tag="Deleting",
        query=(REASON,),
        body=LINK_IDS | {"items": LINK_ID},
        body_example=[EXAMPLE_ID, OTHER_ID],
        idempotent=True,
        responses={
            200: Answers(
                "All are deleted.",
                responses.DeletedLinks,
                headers=DELETION_HEADERS,
                links=DELETION_LINK,
            ),
            202: Answers(
                "Some are, and the rest is finished in the background.",
                responses.PendingLinks,
                headers=PENDING_HEADERS,
                links=DELETION_LINK,
            ),
        },
        raises=(errors.InvalidIds, *DELETION_ERRORS),
        more=(
            "Any id that is malformed or not a live link of the workspace: 400 naming them, and "
            "nothing is deleted. Records and analytics stay; the short codes stay taken. The most "
            "ids of a request: "
            + ", ".join(f"{plan.max_ids:,} ({name})" for name, plan in plans().items())
            + "; they count before duplicates are dropped."
        ),
    ),
    "DELETE /api/links/{id}": Operation(
        id="deleteLink",
        tag="Deleting",
        query=(REASON,),
        idempotent=True,
        responses={
            200: Answers(
                "The link is erased.",
                responses.ErasedLink,
                headers=DELETION_HEADERS,
                links=DELETION_LINK,
            )
        },
        raises=(errors.LinkNotFound, *DELETION_ERRORS),
        more="Record, short code, clicks and QR images go for good; the code is free at once for"
        " its own workspace.",
    ),
    "POST /api/links/bulk-delete": Operation(
        id="bulkDeleteLinks",
        tag="Deleting",
        query=(REASON,),
        body={
            "type": "object",
            "properties": {
                "ids": LINK_IDS,
                "reason": {"type": ["string", "null"], "maxLength": 500},
            },
            "required": ["ids"],
            "additionalProperties": False,
        },
        body_example={"ids": [EXAMPLE_ID, OTHER_ID]},
        idempotent=True,
        responses={
            200: Answers(
                "What became of each id.", responses.ErasedLinks, headers=DELETION_HEADERS
            ),
            202: Answers(
                "The rest is finished in the background.",
                responses.PendingErasure,
                headers=PENDING_HEADERS,
                links=DELETION_LINK,
            ),
        },
        raises=(errors.InvalidIds, *DELETION_ERRORS),
        more="Ids that are malformed, unknown or another workspace's come back as `notFoundIds`.",
    ),
    "POST /api/deletions": Operation(
        id="createDeletion",
        tag="Deletions",
        query=(REASON,),
        scopes=("linksWrite", "linksErase"),
        body={
            "oneOf": [
                new_deletion(ids=LINK_IDS),
                new_deletion(
                    filter=ref(FilterFields) | {"minProperties": 1},
                    confirmationToken={
                        "type": "string",
                        "minLength": 1,
                        "description": "Of a dry run: refused if other links match by now.",
                    },
                ),
            ]
        },
        body_example={"ids": [EXAMPLE_ID], "mode": "soft", "reason": "The campaign is over"},
        idempotent=True,
        responses={
            200: Answers(
                "The deletion, or with `dryRun` what it would do.",
                {"anyOf": [ref(responses.NewErasure), ref(responses.Preview)]},
                headers=PENDING_HEADERS,
                links=DELETION_LINK,
            ),
            202: Answers(
                "The rest is finished in the background.",
                responses.NewErasure,
                headers=PENDING_HEADERS,
                links=DELETION_LINK,
            ),
        },
        raises=(
            errors.InvalidIds,
            errors.SelectionChanged,
            errors.LimitReached,
            *DELETION_ERRORS,
        ),
        more=(
            "`soft` (scope `linksWrite`) is all or nothing, `erase` (scope `linksErase`) per id. A "
            "`filter` and a `dryRun` need `linksRead` too. A "
            "filter means the live links that match when the deletion is resolved; a dry run of "
            "one answers a `confirmationToken` that binds the deletion to that very set. "
            "With `export` links and clicks are written as NDJSON first, and deleted when that is "
            "complete; that also needs the scope `analyticsRead`. "
            "The way in for clients that cannot send a body with DELETE."
        ),
    ),
    "GET /api/deletions": Operation(
        id="listDeletions",
        tag="Deletions",
        query=(
            limit(100, 50),
            CURSOR,
            query("state", {"enum": DELETION_STATES}, "In this state."),
            query("mode", {"enum": ["soft", "erase"]}, "Of this mode."),
            ACTOR,
            query("createdAfter", MOMENT, "Asked for later; exclusive."),
            query("createdBefore", MOMENT, "Asked for earlier; exclusive."),
        ),
        responses={
            200: Answers(
                "A page of the audit trail. With a filter it may be short, even empty, and still "
                "have a `nextCursor`.",
                responses.DeletionPage,
            )
        },
        raises=(errors.LimitReached,),
        more="`state`, `mode` and `actor` count as reads of a filter, one for each record tried.",
    ),
    "GET /api/deletions/{id}": Operation(
        id="getDeletion",
        tag="Deletions",
        query=(limit(1_000, 100), CURSOR),
        responses={
            200: Answers(
                "Progress, a page of outcomes, the receipt.",
                responses.Deletion,
                headers=DELETION_HEADERS,
            )
        },
        raises=(errors.DeletionNotFound,),
    ),
    "POST /api/deletions/{id}/restore": Operation(
        id="restoreDeletion",
        tag="Deletions",
        query=(REASON,),
        body={
            "type": "object",
            "properties": {
                "ids": LINK_IDS,
                "reason": {"type": ["string", "null"], "maxLength": 500},
            },
            "additionalProperties": False,
        },
        body_example={"ids": [EXAMPLE_ID]},
        body_required=False,
        idempotent=True,
        responses={
            200: Answers(
                "What became of each id.", responses.RestoredLinks, headers=DELETION_HEADERS
            ),
            202: Answers(
                "The rest is finished in the background.",
                responses.PendingRestore,
                headers=PENDING_HEADERS,
            ),
        },
        raises=(
            errors.DeletionNotFound,
            errors.DeletionOpen,
            errors.InvalidIds,
            errors.KeyReused,
            errors.StillRunning,
        ),
        more=(
            "Links come back whole: short code, clicks, place in the list; QR images when they are "
            "asked for. Without `ids`, everything that the deletion took. Restoring again is no "
            "error. Refused per id: `erased`, `expired` (past its retention), `deletedAgain` (by "
            "another deletion), `notDeleted` (it was not found then), `notInDeletion`."
        ),
    ),
    "GET /{code}": Operation(
        id="redirect",
        tag="Short links",
        summary="Follow a short link.",
        responses={
            302: Answers("To the destination.", headers=("Location", "Cache-Control")),
            404: Answers(
                "Unknown, inactive, expired or deleted: one and the same answer, a page for "
                "browsers and JSON for programs.",
                responses.LinkNotFoundError,
                media=("application/json", "text/html"),
                headers=("Cache-Control",),
            ),
            503: Answers(
                "The link cannot be read right now.",
                responses.LinkFortyError,
                media=("application/json", "text/html"),
                headers=("Cache-Control", "Retry-After"),
            ),
        },
    ),
    "HEAD /{code}": Operation(
        id="redirectHead",
        tag="Short links",
        summary="Look where a short link leads.",
        responses={
            302: Answers("To the destination.", headers=("Location", "Cache-Control")),
            404: Answers("Unknown, inactive, expired or deleted.", headers=("Cache-Control",)),
            503: Answers(
                "The link cannot be read right now.", headers=("Cache-Control", "Retry-After")
            ),
        },
    ),
    "GET /api/openapi.json": Operation(
        id="getOpenApi",
        tag="Documentation",
        summary="This document.",
        responses={
            200: Answers("OpenAPI 3.1.", {"type": "object"}, headers=("ETag", "Cache-Control")),
            304: Answers("It has not changed.", headers=("ETag", "Cache-Control")),
        },
    ),
    "GET /api/docs": Operation(
        id="getDocs",
        tag="Documentation",
        summary="This document as a page to read and try.",
        responses={
            200: Answers(
                "The page.",
                {"type": "string"},
                media=("text/html",),
                headers=("ETag", "Cache-Control"),
            ),
            304: Answers("It has not changed.", headers=("ETag", "Cache-Control")),
        },
    ),
    "GET /api/docs/{asset}": Operation(
        id="getDocsAsset",
        tag="Documentation",
        summary="Scripts and styles of the page.",
        responses={
            200: Answers(
                "The file.",
                {"type": "string"},
                media=("text/javascript", "text/css"),
                headers=("ETag", "Cache-Control"),
            ),
            304: Answers("It has not changed.", headers=("ETag", "Cache-Control")),
            404: Answers("There is no such file.", responses.GatewayError),
        },
    ),
}

PATH_PARAMETERS: dict[str, tuple[Schema, str, str]] = {
    "/api/links/{id}": (
        {"type": "string", "pattern": "^[A-Za-z0-9_-]{4,36}$"},
        "The link's UUID (in any letter case) or its short code.",
        EXAMPLE_ID,
    ),
    "/api/analytics/links/{id}": (
        {"type": "string", "pattern": "^[A-Za-z0-9_-]{4,36}$"},
        "The link's UUID (in any letter case) or its short code.",
        EXAMPLE_ID,
    ),
    "/api/analytics/links/{id}/export/{exportId}": (
        {"type": "string", "pattern": "^[0-9A-Fa-f-]{36}$"},
        "The export's id.",
        OTHER_ID,
    ),
    "/api/deletions/{id}": (
        {"type": "string", "pattern": "^[0-9A-Fa-f-]{36}$"},
        "The deletion's id.",
        "01920b5e-7d4c-7000-8000-000000000000",
    ),
    "/{code}": (
        {"type": "string", "pattern": "^[A-Za-z0-9_-]{4,30}$"},
        "The short code; letter case counts.",
        "spring",
    ),
    "/api/docs/{asset}": (
        {"type": "string", "enum": ["swagger-ui.js", "swagger-ui.css", "start.js"]},
        "The file's name.",
        "start.js",
    ),
}

# -- headers ----------------------------------------------------------------------------------

HEADERS: dict[str, Schema] = {
    "X-Request-Id": {
        "description": "Names this request in our logs.",
        "schema": {"type": "string", "minLength": 1},
    },
    "X-RateLimit-Limit": {
        "description": "Requests that the key may make in a minute.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "X-RateLimit-Remaining": {
        "description": "Requests left in this minute.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-RateLimit-Reset": {
        "description": "When the minute is over, in Unix seconds.",
        "schema": {"type": "integer"},
    },
    "RateLimit": {
        "description": 'The same as the IETF spells it: `"pro";r=999;t=60`.',
        "schema": {"type": "string", "pattern": '^"[a-z]+";r=[0-9]+;t=[0-9]+$'},
    },
    "RateLimit-Policy": {
        "description": 'The plan\'s window: `"pro";q=1000;w=60`.',
        "schema": {"type": "string", "pattern": '^"[a-z]+";q=[0-9]+;w=[0-9]+$'},
    },
    "Retry-After": {
        "description": "Seconds to wait.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-Deletion-Id": {
        "description": "The deletion that this answer is about, where there is one.",
        "schema": {"type": "string", "format": "uuid", "pattern": responses.UUID},
    },
    "Location": {
        "description": "Where to go (on), or where what was made can be read.",
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {"description": "How to.", "schema": {"const": "Bearer"}},
    "ETag": {
        "description": "Changes with the content; give it back as `If-None-Match`.",
        "schema": {"type": "string", "pattern": '^"[^"]+"$'},
    },
    "Cache-Control": {
        "description": "Who may keep the answer, and for how long.",
        "schema": {"type": "string"},
    },
}
RATE_HEADERS = tuple(name for name in HEADERS if "RateLimit" in name)

# -- errors -----------------------------------------------------------------------------------


def taken_by_the_trash() -> errors.ShortCodeTaken:
    """A refused code with what has it."""
    error = errors.ShortCodeTaken(["spring"])
    entry = {"shortCode": "spring", "takenBy": "trash", "linkId": OTHER_ID}
    error.members["taken"] = [entry | {"deletionId": "01920b5e-7d4c-7000-8000-000000000000"}]
    return error


#: An instance of each error with all that it may carry: the document's examples.
EXAMPLES: tuple[UnlinkError, ...] = (
    errors.InvalidRequest(details=["originalUrl: only http and https URLs"]),
    errors.InvalidIds(invalid=["not-a-uuid"], unknown=[OTHER_ID]),
    errors.Unauthenticated(),
    errors.MissingScopes(["linksWrite"]),
    errors.LinkNotFound(),
    errors.DeletionNotFound(),
    errors.Conflict("externalId is already in use", takenExternalIds=["crm-17"]),
    taken_by_the_trash(),
    errors.SelectionChanged(),
    errors.DeletionOpen(),
    errors.StillRunning(),
    errors.MethodNotAllowed(("GET", "HEAD", "OPTIONS")),
    errors.BodyTooLarge(),
    errors.KeyReused(),
    errors.RateLimited(17, reset=0),
    errors.LimitReached(
        "At most 1 deletions by filter of a workspace can wait for their links at a time",
        limit=1,
        retry_after=60,
    ),
    errors.InternalError(),
    errors.Unavailable(),
)

EVERY_KEYED_ROUTE: tuple[type[UnlinkError], ...] = (
    errors.InvalidRequest,
    errors.Unauthenticated,
    errors.MissingScopes,
    errors.RateLimited,
    errors.InternalError,
    errors.Unavailable,
)

#: What the gateway answers by itself, whatever the route.
GATEWAY_STATUSES = (400, 401, 404, 413, 429, 500, 502, 504)

INTRODUCTION = """
Short links whose deletion is durable and provable.

**Authentication.** `Authorization: Bearer <API key>`; the word `Bearer` may be missing. Each route
names the scope that the key needs. A link of another workspace is indistinguishable from one that
does not exist.

**Errors** come in two dialects. `DELETE /api/links` and `/api/deletions…` speak Hoko:
`{"error":{"en","ar"}}`. Every other route speaks LinkForty: `{"statusCode","error","message"}`.
Members such as `missingScopes` stand beside the error, never instead of it. What is found before
a route runs (a missing key, a path that does not exist) has one body for both.

**Limits.** Requests a minute and ids a request, by plan: {plans}. Each answer says what is left
(`X-RateLimit-*`, `RateLimit`); 429 says when to come back (`Retry-After`).

**Idempotency.** With an `Idempotency-Key` the same request has the same answer for 24 hours,
however often it is sent, and whatever became of the links since. Any other request under the same
key is 422, on another route too, and while the first is still running the second is 409.

**Deleting** may be accepted before it is done: 202 with a `Location` to watch. What was accepted
will be done, whatever dies meanwhile.
""".strip()

TAGS = {
    "Account": "Who calls, and the API keys of the workspace.",
    "Links": "Create, read and list.",
    "Deleting": "The two published contracts.",
    "Deletions": "Deletions as records: progress, outcome of each id, receipt.",
    "Analytics": "Clicks and the installs that they led to.",
    "Short links": "What the public sees.",
    "Documentation": "For people and programs.",
}


def load_apis() -> list[Api]:
    """The routes of every function: only here do they meet, and only when this is run."""
    package = Path(__file__).parent.parent / "handlers"
    modules = [
        import_module(f"functions.handlers.{path.stem}")
        for path in sorted(package.glob("*.py"))
        if path.stem != "__init__"
    ]
    return [module.api for module in modules if isinstance(getattr(module, "api", None), Api)]


def assemble(apis: Iterable[Api]) -> dict[str, Any]:
    """The document. Raises ``LookupError`` for a route that nothing is said about."""
    routes = {_shape(route.method, route.rule): route for api in apis for route in api.routes}
    shapes = {_shape(*name.split(" ", 1)): name for name in OPERATIONS}
    if missing := sorted(set(routes) - set(shapes)):
        raise LookupError(f"describe it in OPERATIONS of functions/api/openapi.py: {missing}")
    paths: dict[str, Any] = {}
    for shape, name in shapes.items():
        method, path = name.split(" ", 1)
        if shape not in routes and path.startswith("/api/") and not OPERATIONS[name].summary:
            raise LookupError(f"no function serves {name}: take it out of OPERATIONS")
        item = paths.setdefault(path, {})
        item[method.lower()] = _operation(path, OPERATIONS[name], routes.get(shape))
    limits = ", ".join(
        f"{name} {plan.requests_per_minute:,} and {plan.max_ids:,}"
        for name, plan in plans().items()
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Unlink",
            "version": "1",
            "description": INTRODUCTION.replace("{plans}", limits),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        # The docs function puts the address in here at which it was asked.
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key (`ul_live_…`) or a session's access token.",
                }
            },
            "headers": HEADERS,
            "schemas": _schemas(),
        },
    }


def write(path: Path = DOCUMENT) -> None:
    """Write the document as it is committed and served."""
    document = assemble(load_apis())
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _shape(method: str, path: str) -> str:
    """A route without the names of its parameters, which code and gateway choose by themselves."""
    return f"{method} {re.sub(r'<[^>]*>|{[^}]*}', '{}', path)}"


def _operation(path: str, operation: Operation, route: Route | None) -> Schema:
    summary, more = (operation.summary, operation.more)
    if route is not None:
        summary, _, rest = (inspect.getdoc(route.endpoint) or "").partition("\n")
        more = " ".join([*rest.split(), more]).strip()
    described: Schema = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": summary.removesuffix(".").replace("``", ""),
    }
    scopes = [route.scope] if route is not None and route.scope else list(operation.scopes)
    if scopes:
        needs = " or ".join(f"`{scope}`" for scope in scopes)
        more = f"{more}\n\nScope: {needs}.".strip()
    if more:
        described["description"] = more
    if parameters := _parameters(path, operation):
        described["parameters"] = parameters
    if operation.body is not None:
        content: Schema = {"schema": operation.body}
        if operation.body_example is not None:
            content["example"] = operation.body_example
        described["requestBody"] = {
            "required": operation.body_required,
            "content": {"application/json": content},
        }
    described["responses"] = _responses(path, operation, route)
    described["security"] = [] if route is None else [{"apiKey": [each]} for each in scopes or ()]
    if route is not None and not scopes:
        described["security"] = [{"apiKey": []}]
    return described


def _parameters(path: str, operation: Operation) -> list[Schema]:
    found = []
    for prefix, (schema, description, example) in PATH_PARAMETERS.items():
        if path == prefix or path.startswith(f"{prefix}/"):
            found.append(
                {
                    "name": prefix.rpartition("{")[2].removesuffix("}"),
                    "in": "path",
                    "required": True,
                    "description": description,
                    "schema": schema,
                    "example": example,
                }
            )
    found += operation.query
    found += operation.headers
    if operation.idempotent:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "Sending the request again with it does nothing twice.",
                "schema": {"type": "string", "pattern": "^[ -~]{1,255}$"},
            }
        )
    return found


def _responses(path: str, operation: Operation, route: Route | None) -> Schema:
    usual = ("X-Request-Id", *(RATE_HEADERS if route is not None else ()))
    responses = {
        str(status): _response(answer, usual) for status, answer in operation.responses.items()
    }
    if route is not None:
        raised: list[type[UnlinkError]] = [*EVERY_KEYED_ROUTE, *operation.raises]
        if operation.body is not None:
            raised.append(errors.BodyTooLarge)
        for status in sorted({int(error.status) for error in raised} | set(GATEWAY_STATUSES)):
            same = [error for error in raised if error.status == status]
            if same or status != 404 or "{" in path:
                error = responses[str(status)] = _error(status, same, route.error_format)
                # A deletion may outlive the request that made it.
                makes_one = "X-Deletion-Id" in responses.get("200", {}).get("headers", {})
                if operation.idempotent and makes_one and status in (409, 500, 503):
                    error["headers"] |= _headers(DELETION_HEADERS)
    else:
        for status in (404, 429, 500, 502, 504):
            if str(status) not in responses:
                responses[str(status)] = _error(status, [], "")
    return dict(sorted(responses.items()))


def _response(answer: Answers, usual: Iterable[str]) -> Schema:
    described: Schema = {
        "description": answer.what,
        "headers": _headers([*usual, *answer.headers]),
    }
    if answer.body is not None:
        schema = answer.body if isinstance(answer.body, dict) else ref(answer.body)
        described["content"] = {
            media: {"schema": schema if "json" in media or "$ref" not in schema else {}}
            for media in answer.media
        }
    if answer.links:
        described["links"] = dict(answer.links)
    return described


def _error(status: int, raised: Sequence[type[UnlinkError]], error_format: str) -> Schema:
    """An error's response: the route's own in its dialect, the gateway's in one for all."""
    schemas: list[Schema] = []
    for error in raised:
        schema = ref(_model_of(error, error_format))
        if schema not in schemas:
            schemas.append(schema)
    headers = ["X-Request-Id"]
    if raised:
        headers += RATE_HEADERS
    if status in GATEWAY_STATUSES and ref(responses.GatewayError) not in schemas:
        schemas.append(ref(responses.GatewayError))
    if status == 401:
        headers.append("WWW-Authenticate")
    if status in (429, 503):
        headers.append("Retry-After")
    content: Schema = {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}
    if raised:
        content["examples"] = {
            type(example).__name__: {
                "summary": (type(example).__doc__ or "").partition("\n")[0],
                "value": example.to_hoko() if error_format == "hoko" else example.to_linkforty(),
            }
            for example in EXAMPLES
            if type(example) in raised
        }
    return {
        "description": " ".join((error.__doc__ or "").partition("\n")[0] for error in raised)
        or errors.phrase_of(status),
        "headers": _headers(headers),
        "content": {"application/json": content},
    }


def _model_of(error: type[UnlinkError], error_format: str) -> type[BaseModel]:
    if error is errors.Unauthenticated:
        return responses.GatewayError
    if error_format == "hoko":
        return responses.HokoError
    return responses.LinkNotFoundError if error is errors.LinkNotFound else responses.LinkFortyError


def _headers(names: Iterable[str]) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in dict.fromkeys(names)}


def _schemas() -> Schema:
    """Every model's schema, by its name."""
    answered = [
        value
        for value in vars(responses).values()
        if inspect.isclass(value)
        and issubclass(value, BaseModel)
        and value.__module__ == responses.__name__
        and not value.__name__.startswith("_")
    ]
    taken: list[type[BaseModel]] = [
        links.NewLink,
        links.LinkChanges,
        FilterFields,
        installs.NewInstall,
    ]
    template = "#/components/schemas/{model}"
    _, of_answers = models_json_schema(
        [(each, "serialization") for each in answered], ref_template=template
    )
    _, of_bodies = models_json_schema(
        [(each, "validation") for each in taken], ref_template=template
    )
    schemas = {
        **{name: _plain(schema, answered=True) for name, schema in of_answers["$defs"].items()},
        **{name: _plain(schema, answered=False) for name, schema in of_bodies["$defs"].items()},
    }
    schemas["FilterFields"]["properties"] = _filter_members(schemas["FilterFields"]["properties"])
    return dict(sorted(schemas.items()))


if __name__ == "__main__":
    write()
