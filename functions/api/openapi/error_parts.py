"""The error responses of an operation, with examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from functions.api.openapi.parts import (
    DELETION,
    OTHER_ID,
    RATE_HEADERS,
    Operation,
    Schema,
    headers,
    reference,
)
from functions.api.route import Route
from functions.domain import errors
from functions.domain.error_bodies import GatewayError, HokoError, LinkFortyError, LinkNotFoundError
from functions.domain.errors import UnlinkError


def _taken_by_the_trash() -> errors.ShortCodeTaken:
    error = errors.ShortCodeTaken(["spring"])
    error.members["taken"] = [
        {
            "shortCode": "spring",
            "takenBy": "trash",
            "linkId": OTHER_ID,
            "deletionId": "01920b5e-7d4c-7000-8000-000000000000",
        }
    ]
    return error


#: One instance of each error, with every member that it may have.
EXAMPLES: tuple[UnlinkError, ...] = (
    errors.InvalidRequest(details=["originalUrl: only http and https URLs"]),
    errors.InvalidIds(invalid=["not-a-uuid"], unknown=[OTHER_ID]),
    errors.Unauthenticated(),
    errors.MissingScopes(["linksWrite"]),
    errors.LinkNotFound(),
    errors.DeletionNotFound(),
    errors.ApiKeyNotFound(),
    errors.ReceiptNotFound(),
    errors.Conflict("externalId is already in use", takenExternalIds=["crm-17"]),
    _taken_by_the_trash(),
    errors.SelectionChanged(),
    errors.DeletionOpen(),
    errors.ReceiptPending(),
    errors.LastAdmin(),
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

#: Statuses that the gateway answers before or instead of a function.
GATEWAY_STATUSES = (400, 401, 404, 413, 429, 500, 502, 504)


def error_responses(path: str, operation: Operation, route: Route | None) -> dict[str, Schema]:
    """The responses for all errors of an operation, by status."""
    if route is None:
        open_statuses = {404, 429, 500, 502, 504} - set(operation.responses)
        return {str(status): _response(status, [], "") for status in open_statuses}
    raised = [*EVERY_KEYED_ROUTE, *operation.errors]
    if operation.body is not None:
        raised.append(errors.BodyTooLarge)
    success = operation.responses.get(200)
    makes_deletion = (
        route.replay is not None and success is not None and set(DELETION) & set(success.headers)
    )
    found = {}
    for status in {int(error.status) for error in raised} | set(GATEWAY_STATUSES):
        same = [error for error in raised if error.status == status]
        if same or status != 404 or "{" in path:
            response = found[str(status)] = _response(status, same, route.error_format)
            if makes_deletion and status in (409, 500, 503):
                # The deletion may exist although its request failed.
                response["headers"] |= headers(DELETION)
    return found


def _response(status: int, raised: Sequence[type[UnlinkError]], error_format: str) -> Schema:
    """One response: the errors of the route in its format, the gateway's in one for all."""
    bodies = [_body(error, error_format) for error in raised]
    if status in GATEWAY_STATUSES:
        bodies.append(GatewayError)
    schemas = [reference(body) for body in dict.fromkeys(bodies)]
    names = ["X-Request-Id"]
    if raised:
        names += RATE_HEADERS
    if status == 401:
        names.append("WWW-Authenticate")
    if status in (429, 503) or errors.ReceiptPending in raised:
        names.append("Retry-After")
    content: Schema = {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}
    if raised:
        content["examples"] = {
            type(example).__name__: {
                "summary": _summary(type(example)),
                "value": example.to_hoko() if error_format == "hoko" else example.to_linkforty(),
            }
            for example in EXAMPLES
            if type(example) in raised
        }
    return {
        "description": " ".join(map(_summary, raised)) or errors.phrase_of(status),
        "headers": headers(names),
        "content": {"application/json": content},
    }


def _summary(error: type[UnlinkError]) -> str:
    return (error.__doc__ or "").partition("\n")[0]


def _body(error: type[UnlinkError], error_format: str) -> type[Any]:
    if error is errors.Unauthenticated:
        return GatewayError
    if error_format == "hoko":
        return HokoError
    return LinkNotFoundError if error is errors.LinkNotFound else LinkFortyError
