"""Tables of what callers need to know about routes and the routes' code does not say.

The rest is derived: an operation's id is the endpoint's name, its text the endpoint's docstring,
its success the endpoint's return type. A route without an entry answers 200, takes no body, and
raises the errors of its path and its Idempotency-Key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from functions.api.openapi.bodies import (
    DELETION_ID,
    IDS,
    LINK_ID,
    LINK_UUIDS,
    NEW_DELETION,
    NEW_LINKS,
    OTHER_ID,
)
from functions.api.openapi.schemas import Schema
from functions.domain import errors, qr_image
from functions.domain.error_bodies import GatewayError, LinkFortyError, LinkNotFoundError
from functions.schemas.api_keys import NewApiKey
from functions.schemas.deletion_filter import AuditFields, TrashFields
from functions.schemas.deletion_responses import NewErasure
from functions.schemas.filters import FilterFields
from functions.schemas.installs import NewInstall
from functions.schemas.links import LinkChanges
from functions.schemas.receipt_responses import PublicKeys

#: The body is the endpoint's return type. With 202, that has the union's members `Pending…`.
RETURNED: Any = object()
DELETION = ("X-Deletion-Id",)
PENDING = ("X-Deletion-Id", "Location")
_CACHED = ("ETag", "Cache-Control")


@dataclass(frozen=True)
class DescribedResponse:
    """One response: its text (by default the docstring of the body's type), body and headers."""

    text: str = ""
    body: Any = RETURNED
    media: Sequence[str] = ("application/json",)
    headers: Sequence[str] = ()
    links: Mapping[str, Schema] = field(default_factory=dict)


def _leads_to(*operations: str, **parameters: str) -> dict[str, Schema]:
    """Links from a response to operations; parameters as runtime expressions."""
    return {name: {"operationId": name, "parameters": parameters} for name in operations}


_TO_DELETION = _leads_to("getDeletion", id="$response.header.X-Deletion-Id")
_TO_EXPORT = _leads_to("getExport", id="$response.body#/linkId", exportId="$response.body#/id")
_TO_KEY = _leads_to("revokeKey", id="$response.body#/keyId")
_OF_A_LINK = ("getLink", "updateLink", "getLinkQr", "deleteLink")
_BODY_IS_LINK = _leads_to(*_OF_A_LINK, id="$response.body#/id")

_DELETED = DescribedResponse(headers=DELETION, links=_TO_DELETION)
_PENDING = DescribedResponse(headers=PENDING, links=_TO_DELETION)
_CREATED = "The link, or the links in request order."
_UPDATED = "The changed link. A key without `linksRead` gets only the fields that it wrote."
_NEW = "The deletion, or with `dryRun` what it would do."
_RECEIPT = "A compact JWS with a receipt as its payload, or JSON where receipts are not signed."
_LATER = "The rest is finished in the background."
_IMAGES = tuple(qr_image.MEDIA_TYPES.values())
_RECEIPTS = ("application/json", "application/jose")
_UNCHANGED = DescribedResponse("The content has not changed.", None, headers=_CACHED)

#: By operation id: the responses that are not errors, by status.
RESPONSES: dict[str, dict[int, DescribedResponse]] = {
    "issueKey": {201: DescribedResponse(links=_TO_KEY)},
    "createLinks": {201: DescribedResponse(_CREATED, headers=["Location"], links=_BODY_IS_LINK)},
    "listLinks": {
        200: DescribedResponse(links=_leads_to(*_OF_A_LINK, id="$response.body#/links/0/id"))
    },
    "updateLink": {200: DescribedResponse(_UPDATED)},
    "getLinkQr": {200: DescribedResponse("The image.", {}, _IMAGES, _CACHED), 304: _UNCHANGED},
    "createExport": {202: DescribedResponse(headers=["Location"], links=_TO_EXPORT)},
    "createInstall": {201: DescribedResponse()},
    "deleteLinks": {200: _DELETED, 202: _PENDING},
    "deleteLink": {200: _DELETED},
    "bulkDeleteLinks": {200: DescribedResponse(headers=DELETION), 202: _PENDING},
    "createDeletion": {
        200: DescribedResponse(_NEW, headers=PENDING, links=_TO_DELETION),
        202: DescribedResponse(_LATER, NewErasure, headers=PENDING, links=_TO_DELETION),
    },
    "getDeletion": {200: DescribedResponse(headers=DELETION)},
    "restoreDeletion": {
        200: DescribedResponse(headers=DELETION),
        202: DescribedResponse(headers=PENDING),
    },
    "getReceipt": {200: DescribedResponse(_RECEIPT, media=_RECEIPTS, headers=DELETION)},
}

_DELETE_ONE = {"ids": [LINK_ID], "mode": "soft", "reason": "The campaign is over"}
#: By operation id: the request body, with an example.
BODIES: dict[str, tuple[Any, Any]] = {
    "issueKey": (NewApiKey, {"name": "ci", "scopes": ["linksRead", "linksWrite"]}),
    "createLinks": (NEW_LINKS, {"originalUrl": "https://example.com/spring", "tags": ["spring"]}),
    "updateLink": (LinkChanges, {"title": "Spring, extended", "expiresAt": None}),
    "createInstall": (NewInstall, {"linkId": LINK_ID, "platform": "iOS"}),
    "deleteLinks": (LINK_UUIDS, [LINK_ID, OTHER_ID]),
    "bulkDeleteLinks": (IDS | {"required": ["ids"]}, {"ids": [LINK_ID, OTHER_ID]}),
    "createDeletion": (NEW_DELETION, _DELETE_ONE),
    "restoreDeletion": (IDS, {"ids": [LINK_ID]}),
}
OPTIONAL_BODIES = {"restoreDeletion"}

#: The operations that raise these errors, in addition to those of every route and of its path.
RAISED_BY: dict[type[errors.UnlinkError], set[str]] = {
    errors.InvalidIds: {"deleteLinks", "bulkDeleteLinks", "createDeletion", "restoreDeletion"},
    errors.LinkNotFound: {"createInstall"},
    errors.NotFound: {"createInstall"},
    errors.ShortCodeTaken: {"createLinks"},
    errors.Conflict: {"issueKey", "createLinks", "updateLink", "createInstall"},
    errors.LastAdmin: {"revokeKey"},
    errors.DeletionOpen: {"restoreDeletion"},
    errors.SelectionChanged: {"createDeletion"},
    errors.ReceiptPending: {"getReceipt"},
    errors.LimitReached: {"listLinks", "listDeletions", "createExport", "createDeletion"},
}
#: Operations that commit work and Idempotency-Key in one transaction: never seen running.
ATOMIC = {"createExport", "createInstall"}

#: By operation id: the maximum and the default of ``limit``.
PAGES = {
    "listKeys": (100, 50),
    "listLinks": (1_000, 50),
    "listDeletions": (100, 50),
    "getDeletion": (1_000, 100),
    "listTrash": (100, 50),
}
FILTERS: dict[str, type[BaseModel]] = {
    "listLinks": FilterFields,
    "listDeletions": AuditFields,
    "listTrash": TrashFields,
}

_LINK_REFERENCE = "The link's UUID (in any letter case) or its short code."
_LINK = ("^[A-Za-z0-9_-]{4,36}$", _LINK_REFERENCE, LINK_ID, errors.LinkNotFound)
_UUID, _KEY, _KEY_ID = "^[0-9A-Fa-f-]{36}$", "^[A-Za-z0-9_:-]{1,100}$", "key-0192b3c4d5e6f7a8b9c0"
_ASSET = r"^(swagger-ui\.js|swagger-ui\.css|start\.js|unlinkctl-.+\.whl)$"
#: By the path up to a parameter: its pattern, description, example, and the error of a keyed route
#: if there is no such thing.
PATH_PARAMETERS: dict[str, tuple[str, str, str, type[errors.NotFound] | None]] = {
    "/api/links/{id}": _LINK,
    "/api/analytics/links/{id}": _LINK,
    "/api/analytics/links/{id}/export/{exportId}": (
        _UUID,
        "The export's id.",
        OTHER_ID,
        errors.NotFound,
    ),
    "/api/keys/{id}": (_KEY, "The key's id.", _KEY_ID, errors.ApiKeyNotFound),
    "/api/deletions/{id}": (_UUID, "The deletion's id.", DELETION_ID, errors.DeletionNotFound),
    "/api/receipts/{id}": (_UUID, "The deletion's id.", DELETION_ID, errors.ReceiptNotFound),
    "/{code}": ("^[A-Za-z0-9_-]{4,30}$", "The short code; case-sensitive.", "spring", None),
    "/api/docs/{asset}": (_ASSET, "The file's name.", "start.js", None),
    "/console/{asset}": (r"^[a-z]+\.(js|css|svg|txt)$", "The file's name.", "console.js", None),
}

# -- operations without a key, of functions that register no routes -----------------------------

_PAGES = ("application/json", "text/html")
_UNKNOWN = "Unknown, inactive, expired or deleted"
_UNREADABLE = "The link cannot be read at the moment."
_WAIT = ("Cache-Control", "Retry-After")
_THERE = DescribedResponse("To the destination.", None, headers=["Location", "Cache-Control"])


def _file(
    *media: str, text: str = "The page.", schema: str = "string"
) -> dict[int, DescribedResponse]:
    return {200: DescribedResponse(text, {"type": schema}, media, _CACHED), 304: _UNCHANGED}


def _asset(*media: str) -> dict[int, DescribedResponse]:
    return {
        **_file(*media, text="The file."),
        404: DescribedResponse("There is no such file.", GatewayError),
    }


#: By method and path: id, tag, summary and responses.
OPEN_OPERATIONS: dict[str, tuple[str, str, str, dict[int, DescribedResponse]]] = {
    "GET /.well-known/jwks.json": (
        "getPublicKeys",
        "Deletions",
        "The public keys that verify receipts",
        {
            200: DescribedResponse(body=PublicKeys, headers=["Cache-Control"]),
            503: DescribedResponse(
                "The keys cannot be read now.", LinkFortyError, headers=["Retry-After"]
            ),
        },
    ),
    "GET /{code}": (
        "redirect",
        "Short links",
        "Follow a short link",
        {
            302: _THERE,
            404: DescribedResponse(
                f"{_UNKNOWN}: the same response for all, HTML for browsers and JSON for programs.",
                LinkNotFoundError,
                _PAGES,
                ["Cache-Control"],
            ),
            503: DescribedResponse(_UNREADABLE, LinkFortyError, _PAGES, _WAIT),
        },
    ),
    "HEAD /{code}": (
        "redirectHead",
        "Short links",
        "Find out where a short link leads",
        {
            302: _THERE,
            404: DescribedResponse(f"{_UNKNOWN}.", None, headers=["Cache-Control"]),
            503: DescribedResponse(_UNREADABLE, None, headers=_WAIT),
        },
    ),
    "GET /api/openapi.json": (
        "getOpenApi",
        "Documentation",
        "This document",
        _file("application/json", text="OpenAPI 3.1.", schema="object"),
    ),
    "GET /api/docs": (
        "getDocs",
        "Documentation",
        "This document as a page to read and try",
        _file("text/html"),
    ),
    "GET /api/docs/{asset}": (
        "getDocsAsset",
        "Documentation",
        "Scripts and styles of the page, and the wheel of the command unlinkctl",
        _asset("text/javascript", "text/css", "application/octet-stream"),
    ),
    "GET /console": ("getConsole", "Console", "The web console", _file("text/html")),
    "GET /console/{asset}": (
        "getConsoleAsset",
        "Console",
        "Scripts and styles of the console",
        _asset("text/javascript", "text/css", "image/svg+xml", "text/plain"),
    ),
}
