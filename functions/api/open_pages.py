"""What needs no key: ``/``, unknown paths, and methods that a path does not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from functions import container
from functions.api.html_pages import page_or_json
from functions.api.methods import allowed_methods
from functions.api.response import to_json
from functions.api.security_headers import REDIRECT, TRANSPORT
from functions.api.static_content import lower_case_headers
from functions.domain.errors import MethodNotAllowed

if TYPE_CHECKING:
    from functions.domain.error_bodies import ErrorBody, GatewayError

NOT_FOUND: GatewayError = {
    "statusCode": 404,
    "error": {"en": "Not found", "ar": "غير موجود"},
    "message": "Route not found",
}


def open_response(
    event: dict[str, Any], endpoint: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> dict[str, Any]:
    """The response of a route without a key, 404 for None, or 405. HEAD returns GET's body, for its
    length."""
    allowed = allowed_methods(event["resource"])
    if allowed and event["httpMethod"] not in allowed:
        response = method_not_allowed(event, allowed)
    else:
        response = endpoint(event) or json_response(404, NOT_FOUND)
    response["headers"] |= TRANSPORT | {
        # Public, and the same for everybody.
        "Access-Control-Allow-Origin": "*",
        "X-Content-Type-Options": "nosniff",
        "X-Request-Id": event["requestContext"]["requestId"],
    }
    return response


def home(event: dict[str, Any]) -> dict[str, Any]:
    """``/``: a redirect to the configured home URL, or the 404 page."""
    home_url = container.home_url()
    if not home_url:
        return unknown_path(event)
    headers = REDIRECT | {"Location": home_url, "Cache-Control": "no-store"}
    return {"statusCode": 302, "headers": headers, "body": ""}


def unknown_path(event: dict[str, Any]) -> dict[str, Any]:
    """An unknown path: an HTML page for browsers, except under ``/api``."""
    if (event.get("pathParameters") or {}).get("code") == "api":
        return json_response(404, NOT_FOUND)
    return page_or_json(lower_case_headers(event), 404, NOT_FOUND)


def method_not_allowed(event: dict[str, Any], allowed: tuple[str, ...]) -> dict[str, Any]:
    error = MethodNotAllowed(allowed)
    status, body = int(error.status), error.to_linkforty()
    if event["resource"].startswith("/api/"):
        response = json_response(status, body)
    else:
        response = page_or_json(lower_case_headers(event), status, body)
    response["headers"] |= error.headers()
    return response


def json_response(status: int, body: ErrorBody) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", "Cache-Control": "no-store"},
        "body": to_json(body),
    }
