"""The responses of an operation: successes, and errors with examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args, get_type_hints

from functions.api.openapi.schemas import ANNOTATIONS, Schema, markdown, schema_of
from functions.api.rate_limit import rate_headers
from functions.api.route import Route
from functions.domain import errors
from functions.domain.error_bodies import GatewayError, HokoError, LinkFortyError, LinkNotFoundError
from functions.domain.error_examples import EXAMPLES
from functions.domain.error_texts import phrase_of
from functions.domain.plans import plans
from functions.repositories.access import RateWindow

Error = type[errors.UnlinkError]

#: The bodies of errors: two have their own, the others that of the route's format.
_BODIES: dict[Error, Any] = {
    errors.Unauthenticated: GatewayError,
    errors.LinkNotFound: LinkNotFoundError,
}
_FORMATS: dict[str, Any] = {"hoko": HokoError, "linkforty": LinkFortyError}
_RATE_HEADERS = tuple(rate_headers(RateWindow(0, 0, 0), plans()["free"]))
_GATEWAY_STATUSES = {400, 401, 404, 413, 429, 500, 502, 504}
_EVERY_KEYED_ROUTE = (
    errors.InvalidRequest,
    errors.Unauthenticated,
    errors.MissingScopes,
    errors.RateLimited,
    errors.InternalError,
    errors.Unavailable,
)


def responses(route: Route, routes: Sequence[Route]) -> Schema:
    """The responses of a route with a key. ``routes`` are all that a success may lead to."""
    described = route.described
    found = _successes(route, routes)
    raised: list[Error] = [*_EVERY_KEYED_ROUTE, *described.raises]
    if route.replay is not None:
        raised += [errors.KeyReused, *([] if described.atomic else [errors.StillRunning])]
    if route.method != "GET":
        # A route that takes no body reads one too, and refuses it.
        raised.append(errors.BodyTooLarge)
    # The gateway answers three statuses that a route may not raise.
    for status in sorted({413, 502, 504, *(int(error.status) for error in raised)}):
        same = [error for error in raised if error.status == status]
        found[str(status)] = _error(status, same, route.error_format)
        if _makes_deletion(route) and status in (409, 500, 503):
            # The deletion may exist although its request failed.
            found[str(status)]["headers"] |= _headers("X-Deletion-Id")
    return found


def open_operation(described: Schema) -> Schema:
    """An operation without a key: its responses are those that are described, and the gateway's."""
    found = {str(status): _error(status) for status in (404, 429, 500, 502, 504)}
    for status, response in described["responses"].items():
        found[status] = response | {"headers": _headers(*response.get("headers", ()))}
    return described | {"responses": found, "security": []}


def _headers(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *names)}


def _makes_deletion(route: Route) -> bool:
    return route.replay is not None and "X-Deletion-Id" in route.described.headers


def _successes(route: Route, routes: Sequence[Route]) -> Schema:
    described = route.described
    [returned] = get_args(get_type_hints(route.endpoint, localns=ANNOTATIONS)["return"])
    # The types of a union, or the only one.
    types = get_args(returned | None)[:-1]
    pending = [each for each in types if each.__name__.startswith("Pending")]
    done = [each for each in types if each not in pending]
    successes = [(described.status, described.text, done, described.headers)]
    if pending:
        successes.append((202, "", pending, [*described.headers, "Location"]))
    found: Schema = {}
    for status, text, bodies, names in successes:
        # Where a type describes the JSON, another media type shows the same in its own way.
        schemas = {"application/json": schema_of(*bodies)}
        found[str(status)] = {
            "description": text or markdown(bodies[0].__doc__),
            "headers": _headers(*_RATE_HEADERS, *names),
            "content": {each: {"schema": schemas.get(each, {})} for each in described.media},
            **_links(route, routes),
        }
    if "ETag" in described.headers:
        headers = _headers(*_RATE_HEADERS, "ETag", "Cache-Control")
        found["304"] = {"description": "The content has not changed.", "headers": headers}
    return found


def _links(route: Route, routes: Sequence[Route]) -> Schema:
    """``links`` to the operations that take what a success says, with their parameters."""
    found: Schema = {}
    if _makes_deletion(route):
        found["getDeletion"] = {"id": "$response.header.X-Deletion-Id"}
    for path, members in route.described.leads_to.items():
        parameters = {name: f"$response.body#/{member}" for name, member in members.items()}
        below = [each for each in routes if f"{each.resource}/".startswith(f"{path}/")]
        found |= {each.operation_id: parameters for each in below}
    links = {name: {"operationId": name, "parameters": each} for name, each in found.items()}
    return {"links": links} if links else {}


def _error(status: int, raised: Sequence[Error] = (), error_format: str = "") -> Schema:
    """The response of a status: the route's errors in its format, the gateway's in one for all."""
    bodies = [_BODIES.get(error, _FORMATS[error_format]) for error in raised]
    names = [name for error in raised for name in (*_RATE_HEADERS, *EXAMPLES[error].headers())]
    if status in _GATEWAY_STATUSES:
        bodies.append(GatewayError)
    if status == 429:
        names.append("Retry-After")
    texts = {error: (error.__doc__ or "").partition("\n")[0] for error in raised}
    examples = {
        error.__name__: {"summary": text, "value": getattr(EXAMPLES[error], f"to_{error_format}")()}
        for error, text in texts.items()
    }
    content = {"schema": schema_of(*bodies)} | ({"examples": examples} if raised else {})
    return {
        "description": " ".join(texts.values()) or phrase_of(status),
        "headers": _headers(*names),
        "content": {"application/json": content},
    }
