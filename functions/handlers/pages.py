"""What needs no key and no data: the web console, the API's documentation, ``/``, unknown paths.

Everything is served from this host, so that no other host sees the readers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from functions.api.console import console_asset, console_page
from functions.api.docs_page import api_document, docs_asset, docs_page
from functions.api.open_pages import home, open_response, unknown_path
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
    # The methods that a redirect does not have.
    "/{code}": unknown_path,
    "/{code}/{rest+}": unknown_path,
}


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """The Lambda handler."""
    resource = event["resource"]
    response = open_response(event, _ROUTES[resource])
    log.info("request", extra={"route": resource, "status": response["statusCode"]})
    return response
