"""The error responses of an operation, with examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from functions.api.openapi.bodies import DELETION_ID, OTHER_ID
from functions.api.openapi.parameters import RATE_HEADERS, headers, not_found_errors
from functions.api.openapi.schemas import Schema, reference
from functions.api.route import Route
from functions.domain import errors
from functions.domain.error_bodies import GatewayError, HokoError, LinkFortyError, LinkNotFoundError
from functions.domain.error_texts import phrase_of
from functions.domain.errors import UnlinkError

Error = type[UnlinkError]

#: Statuses that the gateway answers before or instead of a function; without a key the second.
_GATEWAY_STATUSES = {400, 401, 404, 413, 429, 500, 502, 504}
_OPEN_STATUSES = {404, 429, 500, 502, 504}
_EVERY_KEYED_ROUTE: tuple[Error, ...] = (
    errors.InvalidRequest,
    errors.Unauthenticated,
    errors.MissingScopes,
    errors.RateLimited,
    errors.InternalError,
    errors.Unavailable,
)

_TAKEN: Any = {"shortCode": "spring", "takenBy": "trash", "linkId": OTHER_ID}
_CODE_TAKEN = errors.ShortCodeTaken(["spring"])
_CODE_TAKEN.members["taken"] = [_TAKEN | {"deletionId": DELETION_ID}]
_WAITING = "At most 1 deletions by filter of a workspace can wait for their links at a time"
_WITH_MEMBERS = (
    errors.InvalidRequest(details=["originalUrl: only http and https URLs"]),
    errors.InvalidIds(invalid=["not-a-uuid"], unknown=[OTHER_ID]),
    errors.MissingScopes(["linksWrite"]),
    errors.Conflict("externalId is already in use", takenExternalIds=["crm-17"]),
    _CODE_TAKEN,
    errors.MethodNotAllowed(("GET", "HEAD", "OPTIONS")),
    errors.RateLimited(17, reset=0),
    errors.LimitReached(_WAITING, limit=1, retry_after=60),
)


def _tree(error: Any) -> Iterator[Any]:
    yield error
    for child in error.__subclasses__():
        yield from _tree(child)


#: An instance of each error, with the members that it may have.
EXAMPLES: dict[Error, UnlinkError] = {type(each): each for each in _WITH_MEMBERS}
EXAMPLES |= {error: error() for error in _tree(UnlinkError) if error not in EXAMPLES}


def open_error_responses(described: set[int]) -> dict[str, Schema]:
    """The error responses of the gateway that a route without a key does not describe itself."""
    return {str(status): _response(status, [], "") for status in _OPEN_STATUSES - described}


def error_responses(route: Route) -> dict[str, Schema]:
    """The responses for all errors of a route, by status."""
    described = route.described
    makes_deletion = route.replay is not None and "X-Deletion-Id" in described.headers
    raised = [*_EVERY_KEYED_ROUTE, *not_found_errors(route.resource), *described.raises]
    if route.replay is not None:
        raised += [errors.KeyReused, *([] if described.atomic else [errors.StillRunning])]
    if described.body:
        raised.append(errors.BodyTooLarge)
    found = {}
    for status in {int(error.status) for error in raised} | _GATEWAY_STATUSES:
        same = [error for error in raised if error.status == status]
        if same or status != 404 or "{" in route.resource:
            response = found[str(status)] = _response(status, same, route.error_format)
            if makes_deletion and status in (409, 500, 503):
                # The deletion may exist although its request failed.
                response["headers"] |= headers(["X-Deletion-Id"])
    return found


def _response(status: int, raised: Sequence[Error], error_format: str) -> Schema:
    """One response: the errors of the route in its format, the gateway's in one for all."""
    bodies = [_body(error, error_format) for error in raised]
    if status in _GATEWAY_STATUSES:
        bodies.append(GatewayError)
    schemas = [reference(body) for body in dict.fromkeys(bodies)]
    names = ["X-Request-Id", *(RATE_HEADERS if raised else ())]
    names += {401: ["WWW-Authenticate"], 429: ["Retry-After"]}.get(status, [])
    content: Schema = {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}
    for error in raised:
        names += EXAMPLES[error].headers()
        content.setdefault("examples", {})[error.__name__] = {
            "summary": _summary(error),
            "value": getattr(EXAMPLES[error], f"to_{error_format}")(),
        }
    return {
        "description": " ".join(map(_summary, raised)) or phrase_of(status),
        "headers": headers(names),
        "content": {"application/json": content},
    }


def _summary(error: Error) -> str:
    return (error.__doc__ or "").partition("\n")[0]


def _body(error: Error, error_format: str) -> type[Any]:
    if error is errors.Unauthenticated:
        return GatewayError
    if error_format == "hoko":
        return HokoError
    return LinkNotFoundError if error is errors.LinkNotFound else LinkFortyError
