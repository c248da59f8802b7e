"""The operations without a key, of functions that register no routes."""

from __future__ import annotations

from functions.api.openapi.responses import UNCHANGED, DescribedResponse
from functions.domain.error_bodies import GatewayError, LinkFortyError, LinkNotFoundError
from functions.schemas.receipt_responses import PublicKeys

_PAGES = ("application/json", "text/html")
_UNKNOWN = "Unknown, inactive, expired or deleted"
_UNREADABLE = "The link cannot be read at the moment."
_WAIT = ("Cache-Control", "Retry-After")
_THERE = DescribedResponse("To the destination.", headers=["Location", "Cache-Control"])


def _file(
    *media: str, text: str = "The page.", schema: str = "string"
) -> dict[int, DescribedResponse]:
    return {
        200: DescribedResponse(text, {"type": schema}, media, UNCHANGED.headers),
        304: UNCHANGED,
    }


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
            404: DescribedResponse(f"{_UNKNOWN}.", headers=["Cache-Control"]),
            503: DescribedResponse(_UNREADABLE, headers=_WAIT),
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
