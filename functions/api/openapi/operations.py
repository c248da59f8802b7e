"""One entry per route: what a caller needs to know and the route's code does not say."""

from __future__ import annotations

from functions.api.openapi.deletion_operations import DELETION_OPERATIONS
from functions.api.openapi.parts import (
    CACHED,
    EXAMPLE_ID,
    IF_NONE_MATCH,
    QR_IMAGE,
    Answer,
    Operation,
    filter_parameters,
    integer,
    leads_to,
    link_operations,
    page,
    parameter,
    reference,
)
from functions.domain import errors, qr_image
from functions.domain.error_bodies import GatewayError, LinkFortyError, LinkNotFoundError
from functions.schemas.account_responses import ApiKeyPage, IssuedApiKey, Me, RevokedApiKey
from functions.schemas.analytics_responses import Analytics, Export, Install
from functions.schemas.api_keys import NewApiKey
from functions.schemas.filters import FilterFields
from functions.schemas.link_responses import Link, LinkPage, WrittenLink
from functions.schemas.links import MAX_CREATE, LinkChanges, NewLink
from functions.services.api_keys import MAX_ACTIVE_KEYS
from functions.services.installs import ATTRIBUTION_DAYS, NewInstall

_UNCHANGED = Answer(text="The content has not changed.", headers=CACHED)
_PAGE = ("application/json", "text/html")

#: By method and path as the gateway spells it.
OPERATIONS: dict[str, Operation] = {
    "GET /api/me": Operation(
        "getMe", "Account", {200: Answer(Me)}, more="For every credential, whatever its scopes."
    ),
    "GET /api/keys": Operation(
        "listKeys", "Account", {200: Answer(ApiKeyPage)}, parameters=page(100, 50)
    ),
    "POST /api/keys": Operation(
        "issueKey",
        "Account",
        {201: Answer(IssuedApiKey, links=leads_to("revokeKey", id="$response.body#/keyId"))},
        (errors.Conflict, errors.StillRunning, errors.KeyReused),
        body=NewApiKey,
        example={"name": "ci", "scopes": ["linksRead", "linksWrite"]},
        more="A key acts for the user who issued it. It cannot have scopes that the issuer lacks "
        f"(403). A workspace can have {MAX_ACTIVE_KEYS} active keys (409 with `limit`). "
        "The secret is shown once: a repeated request answers the same key with `secret` null.",
    ),
    "DELETE /api/keys/{id}": Operation(
        "revokeKey",
        "Account",
        {200: Answer(RevokedApiKey)},
        (errors.ApiKeyNotFound, errors.LastAdmin, errors.StillRunning, errors.KeyReused),
        [
            parameter(
                "lastAdmin",
                {"type": "boolean", "default": False},
                "Revoke it also if no other credential of the workspace has `admin`.",
            )
        ],
        more="The gateway may accept the key until `effectiveBy`, but no longer to manage keys. "
        "Revoking a revoked key changes nothing.",
    ),
    "POST /api/links": Operation(
        "createLinks",
        "Links",
        {
            201: Answer(
                Link | list[Link],
                "The link, or the links in request order.",
                headers=("Location",),
                links=link_operations("$response.body#/id"),
            )
        },
        (errors.ShortCodeTaken, errors.Conflict, errors.StillRunning, errors.KeyReused),
        body={
            "oneOf": [
                reference(NewLink),
                {
                    "type": "array",
                    "items": reference(NewLink),
                    "minItems": 1,
                    "maxItems": MAX_CREATE,
                },
            ]
        },
        example={
            "originalUrl": "https://example.com/spring",
            "title": "Spring",
            "tags": ["campaign"],
        },
        more="Without `shortCode` (or its other name `customCode`) a random one is used.",
    ),
    "GET /api/links": Operation(
        "listLinks",
        "Links",
        {200: Answer(LinkPage, links=link_operations("$response.body#/links/0/id"))},
        (errors.LimitReached,),
        [*page(1_000, 50), *filter_parameters(FilterFields)],
    ),
    "GET /api/links/{id}": Operation(
        "getLink", "Links", {200: Answer(Link)}, (errors.LinkNotFound,)
    ),
    "PUT /api/links/{id}": Operation(
        "updateLink",
        "Links",
        {
            200: Answer(
                Link | WrittenLink,
                "The changed link. A key without `linksRead` gets only the fields that it wrote.",
            )
        },
        (errors.LinkNotFound, errors.Conflict),
        body=LinkChanges,
        example={"title": "Spring, extended", "expiresAt": None},
        more="Given fields change, `null` clears a field. `id` and `shortCode` never change.",
    ),
    "GET /api/links/{id}/qr": Operation(
        "getLinkQr",
        "Links",
        {
            200: Answer({}, "The image.", tuple(qr_image.MEDIA_TYPES.values()), CACHED),
            304: _UNCHANGED,
        },
        (errors.LinkNotFound,),
        [*QR_IMAGE, IF_NONE_MATCH],
    ),
    "GET /api/analytics/links/{id}": Operation(
        "getAnalytics",
        "Analytics",
        {200: Answer(Analytics)},
        (errors.LinkNotFound,),
        [parameter("days", integer(1, 365, 30), "Number of UTC days to look back, with today.")],
        more="Also for soft-deleted links, until they are erased. Clicks are counted within "
        "seconds; bots are not counted. Country, region, city and timezone are `unknown` unless "
        "CloudFront serves the short links. A list has at most a hundred values per day; the "
        "others are counted as `other`.",
    ),
    "POST /api/analytics/links/{id}/export": Operation(
        "createExport",
        "Analytics",
        {
            202: Answer(
                Export,
                "The export. Its `Location` shows the progress.",
                headers=("Location",),
                links=leads_to(
                    "getExport", id="$response.body#/linkId", exportId="$response.body#/id"
                ),
            )
        },
        (errors.LinkNotFound, errors.KeyReused, errors.LimitReached),
        more="NDJSON: the link on the first line, then each click up to now, including bots. Also "
        "for soft-deleted links. A link has at most one unfinished export: while there is one, it "
        "is the answer. 429 with `limit` when the workspace has as many unfinished exports as its "
        "plan allows. The file is kept for seven days, or until the link is erased.",
    ),
    "GET /api/analytics/links/{id}/export/{exportId}": Operation(
        "getExport",
        "Analytics",
        {200: Answer(Export, "The progress, and the URL of the file.")},
        (errors.LinkNotFound, errors.NotFound),
    ),
    "POST /api/installs": Operation(
        "createInstall",
        "Analytics",
        {201: Answer(Install)},
        (errors.LinkNotFound, errors.NotFound, errors.Conflict, errors.KeyReused),
        body=NewInstall,
        example={"linkId": EXAMPLE_ID, "platform": "iOS"},
        more="Attributed to the given click, or to the last click of the given link. The click "
        f"must be at most {ATTRIBUTION_DAYS} days older than the install, else 409.",
    ),
    **DELETION_OPERATIONS,
    "GET /{code}": Operation(
        "redirect",
        "Short links",
        {
            302: Answer(text="To the destination.", headers=("Location", "Cache-Control")),
            404: Answer(
                LinkNotFoundError,
                "Unknown, inactive, expired or deleted: the same answer for all, a page for "
                "browsers and JSON for programs.",
                _PAGE,
                ("Cache-Control",),
            ),
            503: Answer(
                LinkFortyError,
                "The link cannot be read at the moment.",
                _PAGE,
                ("Cache-Control", "Retry-After"),
            ),
        },
        summary="Follow a short link.",
    ),
    "HEAD /{code}": Operation(
        "redirectHead",
        "Short links",
        {
            302: Answer(text="To the destination.", headers=("Location", "Cache-Control")),
            404: Answer(text="Unknown, inactive, expired or deleted.", headers=("Cache-Control",)),
            503: Answer(
                text="The link cannot be read at the moment.",
                headers=("Cache-Control", "Retry-After"),
            ),
        },
        summary="Find out where a short link leads.",
    ),
    "GET /api/openapi.json": Operation(
        "getOpenApi",
        "Documentation",
        {200: Answer({"type": "object"}, "OpenAPI 3.1.", headers=CACHED), 304: _UNCHANGED},
        summary="This document.",
    ),
    "GET /api/docs": Operation(
        "getDocs",
        "Documentation",
        {200: Answer({"type": "string"}, "The page.", ("text/html",), CACHED), 304: _UNCHANGED},
        summary="This document as a page to read and try.",
    ),
    "GET /api/docs/{asset}": Operation(
        "getDocsAsset",
        "Documentation",
        {
            200: Answer(
                {"type": "string"},
                "The file.",
                ("text/javascript", "text/css", "application/octet-stream"),
                CACHED,
            ),
            304: _UNCHANGED,
            404: Answer(GatewayError, "There is no such file."),
        },
        summary="Scripts and styles of the page, and the wheel of the command unlinkctl.",
    ),
    "GET /console": Operation(
        "getConsole",
        "Console",
        {200: Answer({"type": "string"}, "The page.", ("text/html",), CACHED), 304: _UNCHANGED},
        summary="The web console.",
    ),
    "GET /console/{asset}": Operation(
        "getConsoleAsset",
        "Console",
        {
            200: Answer(
                {"type": "string"},
                "The file.",
                ("text/javascript", "text/css", "image/svg+xml", "text/plain"),
                CACHED,
            ),
            304: _UNCHANGED,
            404: Answer(GatewayError, "There is no such file."),
        },
        summary="Scripts and styles of the console.",
    ),
}
