"""What needs no key and no data: the web console, the API's documentation, ``/``, unknown paths.

Everything is served from this host, so that no other host sees the readers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from functions.api.console import console_asset, console_page
from functions.api.docs_page import api_document, docs_asset, docs_page
from functions.api.methods import ALLOWED_METHODS
from functions.api.open_pages import (
    NOT_FOUND,
    home,
    json_response,
    method_not_allowed,
    unknown_path,
)
from functions.api.security_headers import TRANSPORT
from functions.powertools import Logger

log = Logger()

#: None is a file that does not exist.
_ROUTES: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {
    "/api/openapi.json": api_document,
    "/api/docs": docs_page,
    "/api/docs/{asset}": docs_asset,
    "/console": console_page,
    "/console/{asset}": console_asset,
    "/": home,
    "/{code}/{rest+}": unknown_path,
}


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """The response of an open route. HEAD returns GET's body, for its length."""
    resource = event["resource"]
    allowed = ALLOWED_METHODS.get(resource)
    if allowed is not None and event["httpMethod"] not in allowed:
        response = method_not_allowed(event, allowed)
    else:
        response = _ROUTES[resource](event) or json_response(404, NOT_FOUND)
    response["headers"] |= TRANSPORT | {
        # Public, and the same for everybody.
        "Access-Control-Allow-Origin": "*",
        "X-Content-Type-Options": "nosniff",
        "X-Request-Id": event["requestContext"]["requestId"],
    }
    log.info("request", extra={"route": resource, "status": response["statusCode"]})
    return response
