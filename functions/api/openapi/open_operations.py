"""The operations without a key, of functions that register no routes."""

from __future__ import annotations

from dataclasses import replace

from functions.api.openapi.responses import UNCHANGED, DescribedResponse
from functions.domain.error_bodies import GatewayError, LinkFortyError, LinkNotFoundError
from functions.schemas.receipt_responses import PublicKeys

Responses = dict[int, DescribedResponse]

_UNKNOWN = "Unknown, inactive, expired or deleted"
_SAME = f"{_UNKNOWN}: the same response for all, HTML for browsers and JSON for programs."
_PAGES = ("application/json", "text/html")
_WAIT = ("Cache-Control", "Retry-After")
_REDIRECT = {
    302: DescribedResponse("To the destination.", headers=["Location", "Cache-Control"]),
    404: DescribedResponse(_SAME, LinkNotFoundError, _PAGES, ["Cache-Control"]),
    503: DescribedResponse("The link cannot be read at the moment.", LinkFortyError, _PAGES, _WAIT),
}
_HEAD = {status: replace(response, body=None) for status, response in _REDIRECT.items()}
_KEYS = {
    200: DescribedResponse(body=PublicKeys, headers=["Cache-Control"]),
    503: DescribedResponse("The keys cannot be read now.", LinkFortyError, headers=["Retry-After"]),
}


def _file(*media: str, text: str = "The page.", schema: str = "string") -> Responses:
    return {
        200: DescribedResponse(text, {"type": schema}, media, UNCHANGED.headers),
        304: UNCHANGED,
    }


def _asset(*media: str) -> Responses:
    missing = DescribedResponse("There is no such file.", GatewayError)
    return {**_file(*media, text="The file."), 404: missing}


_DOCUMENT = _file("application/json", text="OpenAPI 3.1.", schema="object")
_DOCS_ASSET = _asset("text/javascript", "text/css", "application/octet-stream")
_CONSOLE_ASSET = _asset("text/javascript", "text/css", "image/svg+xml", "text/plain")
_WHEEL = "Scripts and styles of the page, and the wheel of the command unlinkctl"
_DOCS = "This document as a page to read and try"

#: By method and path: id, tag, summary and responses.
OPEN_OPERATIONS: dict[str, tuple[str, str, str, Responses]] = {
    "GET /.well-known/jwks.json": (
        "getPublicKeys",
        "Deletions",
        "The public keys that verify receipts",
        _KEYS,
    ),
    "GET /{code}": ("redirect", "Short links", "Follow a short link", _REDIRECT),
    "HEAD /{code}": ("redirectHead", "Short links", "Find out where a short link leads", _HEAD),
    "GET /api/openapi.json": ("getOpenApi", "Documentation", "This document", _DOCUMENT),
    "GET /api/docs": ("getDocs", "Documentation", _DOCS, _file("text/html")),
    "GET /api/docs/{asset}": ("getDocsAsset", "Documentation", _WHEEL, _DOCS_ASSET),
    "GET /console": ("getConsole", "Console", "The web console", _file("text/html")),
    "GET /console/{asset}": (
        "getConsoleAsset",
        "Console",
        "Scripts and styles of the console",
        _CONSOLE_ASSET,
    ),
}
