"""The parameters and headers of the document, each described once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from functions.api.openapi.bodies import DELETION_ID, LINK_ID, OTHER_ID
from functions.api.openapi.schemas import FILTERS, Schema
from functions.api.route import Route
from functions.domain import errors
from functions.domain.api_keys import KEY_ID
from functions.domain.errors import NotFound
from functions.domain.json_types import UUID

_LINK_REFERENCE = "The link's UUID (in any letter case) or its short code."
_LINK = ("^[A-Za-z0-9_-]{4,36}$", _LINK_REFERENCE, LINK_ID, errors.LinkNotFound)
_UUID, _KEY, _KEY_ID = "^[0-9A-Fa-f-]{36}$", f"^{KEY_ID.pattern}$", "key-0192b3c4d5e6f7a8b9c0"
_EXPORT = (_UUID, "The export's id.", OTHER_ID, errors.NotFound)
_ASSET = r"^(swagger-ui\.js|swagger-ui\.css|start\.js|unlinkctl-.+\.whl)$"
#: By the path up to a parameter: its pattern, description, example, and the error of a keyed route
#: if there is no such thing.
PATH_PARAMETERS: dict[str, tuple[str, str, str, type[errors.NotFound] | None]] = {
    "/api/links/{id}": _LINK,
    "/api/analytics/links/{id}": _LINK,
    "/api/analytics/links/{id}/export/{exportId}": _EXPORT,
    "/api/keys/{id}": (_KEY, "The key's id.", _KEY_ID, errors.ApiKeyNotFound),
    "/api/deletions/{id}": (_UUID, "The deletion's id.", DELETION_ID, errors.DeletionNotFound),
    "/api/receipts/{id}": (_UUID, "The deletion's id.", DELETION_ID, errors.ReceiptNotFound),
    "/{code}": ("^[A-Za-z0-9_-]{4,30}$", "The short code; case-sensitive.", "spring", None),
    "/api/docs/{asset}": (_ASSET, "The file's name.", "start.js", None),
    "/console/{asset}": (r"^[a-z]+\.(js|css|svg|txt)$", "The file's name.", "console.js", None),
}


def path_parameters(path: str) -> Iterator[Schema]:
    """The parameters of a path."""
    for prefix in _prefixes(path):
        name = prefix.rpartition("{")[2].removesuffix("}")
        pattern, text, example, _ = PATH_PARAMETERS[prefix]
        required = {"required": True, "example": example}
        yield _parameter(name, text, "path", type="string", pattern=pattern) | required


def parameters(route: Route) -> Iterator[Schema]:
    """The query parameters that a route takes, and headers."""
    for name, declared in route.query.items():
        model = declared.get("model")
        schema = dict(declared if model is None else FILTERS[model][name])
        yield _parameter(name, schema.pop("description"), "query", **schema)
    if "ETag" in route.described.headers:
        text = "`ETag` of an earlier response."
        yield _parameter("If-None-Match", text, "header", type="string")
    if route.replay is not None:
        text = "A repeated request with the same key changes nothing again."
        pattern = "^[ -~]{1,255}$"
        yield _parameter("Idempotency-Key", text, "header", type="string", pattern=pattern)


def not_found_errors(path: str) -> list[type[NotFound]]:
    """What a keyed route of this path raises if there is no such thing."""
    found = [PATH_PARAMETERS[prefix][3] for prefix in _prefixes(path)]
    return [error for error in found if error is not None]


def _prefixes(path: str) -> list[str]:
    return [each for each in PATH_PARAMETERS if path == each or path.startswith(f"{each}/")]


def _parameter(name: str, text: str, place: str, **schema: Any) -> Schema:
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
