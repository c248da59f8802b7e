"""The parameters and headers of the document, each described once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from functions.api.openapi.operations import FILTERS, PAGES, PATH_PARAMETERS, RESPONSES
from functions.api.openapi.schemas import Schema, members_of
from functions.api.route import Route
from functions.domain import qr_image
from functions.domain.errors import NotFound
from functions.domain.json_types import UUID


def _text(**more: Any) -> Schema:
    return {"type": "string", **more}


def _integer(minimum: int, maximum: int, default: int) -> Schema:
    return {"type": "integer", "minimum": minimum, "maximum": maximum, "default": default}


_SIZE = _integer(qr_image.MIN_SIZE, qr_image.MAX_SIZE, qr_image.DEFAULT_SIZE)
_COLOUR = "^#?([0-9A-Fa-f]{6}|[0-9A-Fa-f]{3})$"
_CONTRAST = f"The contrast of the two colours must be at least {qr_image.LEAST_CONTRAST:g} to 1."
_LAST_ADMIN = "Revoke it also if no other credential of the workspace has `admin`."
#: By name: description and schema.
_QUERY: dict[str, tuple[str, Schema]] = {
    "cursor": ("`nextCursor` of the previous page.", _text()),
    "reason": ("Why. Kept with the deletion, not interpreted.", _text(maxLength=500)),
    "lastAdmin": (_LAST_ADMIN, {"type": "boolean", "default": False}),
    "days": ("Number of UTC days to look back, with today.", _integer(1, 365, 30)),
    "format": ("The image format.", _text(enum=[*qr_image.MEDIA_TYPES], default="png")),
    "size": ("Width and height in pixels, including the quiet zone; exact.", _SIZE),
    "color": (f"The colour of the code. {_CONTRAST}", _text(pattern=_COLOUR, default="000000")),
    "bgcolor": (
        f"The colour of the background. {_CONTRAST}",
        _text(pattern=_COLOUR, default="ffffff"),
    ),
}
_IDEMPOTENCY_KEY = "A repeated request with the same key changes nothing again."


def path_parameters(path: str) -> Iterator[Schema]:
    """The parameters of a path."""
    for prefix in _prefixes(path):
        name = prefix.rpartition("{")[2].removesuffix("}")
        pattern, text, example, _ = PATH_PARAMETERS[prefix]
        required = {"required": True, "example": example}
        yield _parameter(name, text, _text(pattern=pattern), "path") | required


def parameters(operation_id: str, route: Route) -> Iterator[Schema]:
    """The query parameters that a route takes, and headers."""
    described = dict(_QUERY)
    if operation_id in PAGES:
        limit = _integer(1, *PAGES[operation_id])
        described = {"limit": ("Maximum number of entries in a page.", limit), **_QUERY}
    if operation_id in FILTERS:
        for name, member in members_of(FILTERS[operation_id]).items():
            described[name] = (member.pop("description"), member)
    for name, (text, schema) in described.items():
        if name in route.query:
            yield _parameter(name, text, schema)
    if 304 in RESPONSES.get(operation_id, {}):
        yield _parameter("If-None-Match", "`ETag` of an earlier response.", _text(), "header")
    if route.replay is not None:
        key = _text(pattern="^[ -~]{1,255}$")
        yield _parameter("Idempotency-Key", _IDEMPOTENCY_KEY, key, "header")


def not_found_errors(path: str) -> list[type[NotFound]]:
    """What a keyed route of this path raises if there is no such thing."""
    found = [PATH_PARAMETERS[prefix][3] for prefix in _prefixes(path)]
    return [error for error in found if error is not None]


def _prefixes(path: str) -> list[str]:
    return [each for each in PATH_PARAMETERS if path == each or path.startswith(f"{each}/")]


def _parameter(name: str, text: str, schema: Schema, place: str = "query") -> Schema:
    return {"name": name, "in": place, "required": False, "description": text, "schema": schema}


def _header(description: str, kind: str = "string", **more: Any) -> Schema:
    return {"description": description, "schema": {"type": kind, **more}}


_RATE = '^"[a-z]+";r=[0-9]+;t=[0-9]+$'
_RATE_POLICY = '^"[a-z]+";q=[0-9]+;w=[0-9]+$'
_DELETION = "The deletion that this response is about, if there is one."
_ETAG = "Changes with the content; send it as `If-None-Match`."
HEADERS: dict[str, Schema] = {
    "X-Request-Id": _header("Identifies this request in the logs of the service.", minLength=1),
    "X-RateLimit-Limit": _header("Requests per minute for the key.", "integer", minimum=1),
    "X-RateLimit-Remaining": _header("Requests left in this minute.", "integer", minimum=0),
    "X-RateLimit-Reset": _header("When the minute ends, in Unix seconds.", "integer"),
    "RateLimit": _header('The same in the IETF format: `"pro";r=999;t=60`.', pattern=_RATE),
    "RateLimit-Policy": _header('The plan: `"pro";q=1000;w=60`.', pattern=_RATE_POLICY),
    "Retry-After": _header("Seconds to wait.", "integer", minimum=0),
    "X-Deletion-Id": _header(_DELETION, format="uuid", pattern=UUID),
    "Location": _header("The destination, or where the created resource can be read."),
    "WWW-Authenticate": _header("The authentication scheme.", const="Bearer"),
    "ETag": _header(_ETAG, pattern='^"[^"]+"$'),
    "Cache-Control": _header("Who may cache the response, and for how long."),
}
RATE_HEADERS = tuple(name for name in HEADERS if "RateLimit" in name)


def headers(names: Iterable[str]) -> Schema:
    """References to these headers."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in dict.fromkeys(names)}
