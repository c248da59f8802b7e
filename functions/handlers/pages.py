"""What needs no key and no data: the web console, the API's documentation, ``/``, unknown paths.

``/api/openapi.json`` and ``/api/docs`` are the API as a document and as a page to read and try;
``/console`` is the console. All of it is served from here: no other host learns who reads.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aws_lambda_powertools
from aws_lambda_powertools import Logger

from functions.api.client_wheel import client_wheel
from functions.api.console import console_asset, console_page
from functions.api.html_pages import page_or_json
from functions.api.methods import ALLOWED_METHODS
from functions.api.security_headers import REDIRECT, TRANSPORT
from functions.api.static_content import (
    IMMUTABLE,
    REVALIDATED,
    content_response,
    lower_case_headers,
    tag_of,
)
from functions.config import optional_setting
from functions.domain.errors import MethodNotAllowed
from functions.domain.urls import api_base

if TYPE_CHECKING:
    from functions.domain.error_bodies import ErrorBody, GatewayError

DOCUMENT = Path(__file__).parent.parent / "api" / "openapi.json"

#: Swagger UI (Apache-2.0), as Powertools brings it: nothing more to pin, nothing more to pack.
SWAGGER_UI = Path(aws_lambda_powertools.__file__).parent / "event_handler/openapi/swagger_ui"

#: Documents that a process keeps: one for each address at which it is asked.
REMEMBERED = 16

#: The one script of our own. Relative addresses: the page may be under a stage's name.
START = """\
"use strict";
window.addEventListener("load", () => {
  const page = document.getElementById("swagger-ui");
  window.ui = SwaggerUIBundle({
    url: page.dataset.document,
    domNode: page,
    deepLinking: true,
    displayRequestDuration: true,
    // The badge of a validator elsewhere would tell it who reads this.
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
  });
});
"""

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Unlink API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{styles}">
<script src="{swagger}" defer></script>
<script src="{start}" defer></script>
</head>
<body>
<main id="swagger-ui" data-document="{document}"></main>
<noscript><p>This page needs JavaScript; <a href="{document}">the document itself</a> does not.</p>
</noscript>
</body>
</html>
"""

NOT_FOUND: GatewayError = {
    "statusCode": 404,
    "error": {"en": "Not found", "ar": "غير موجود"},
    "message": "Route not found",
}

log = Logger()


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """The answer of one of the open routes; HEAD is answered with GET's body, for its length."""
    resource = event["resource"]
    allowed = ALLOWED_METHODS.get(resource)
    if allowed is not None and event["httpMethod"] not in allowed:
        answer = _method_not_allowed(event, allowed)
    else:
        answer = _ROUTES[resource](event)
    answer["headers"] |= TRANSPORT | {
        # Public, and the same for everybody.
        "Access-Control-Allow-Origin": "*",
        "X-Content-Type-Options": "nosniff",
        "X-Request-Id": event["requestContext"]["requestId"],
    }
    log.info("request", extra={"route": resource, "status": answer["statusCode"]})
    return answer


def _home(event: dict[str, Any]) -> dict[str, Any]:
    """``/``: the home URL that the deployment names, or the page of a link that does not exist."""
    home = optional_setting("HOME_URL", "")
    if not home:
        return _unknown(event)
    headers = REDIRECT | {"Location": home, "Cache-Control": "no-store"}
    return {"statusCode": 302, "headers": headers, "body": ""}


def _unknown(event: dict[str, Any]) -> dict[str, Any]:
    """A path that no route has: a page to browsers, except under ``/api``."""
    if (event.get("pathParameters") or {}).get("code") == "api":
        return _json(404, NOT_FOUND)
    return page_or_json(lower_case_headers(event), 404, NOT_FOUND)


def _method_not_allowed(event: dict[str, Any], allowed: tuple[str, ...]) -> dict[str, Any]:
    error = MethodNotAllowed(allowed)
    status, body = int(error.status), error.to_linkforty()
    if event["resource"].startswith("/api/"):
        answer = _json(status, body)
    else:
        answer = page_or_json(lower_case_headers(event), status, body)
    answer["headers"] |= error.headers()
    return answer


def _json(status: int, body: ErrorBody) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", "Cache-Control": "no-store"},
        "body": json.dumps(body, ensure_ascii=False, separators=(",", ":")),
    }


def _document(event: dict[str, Any]) -> dict[str, Any]:
    return content_response(event, _document_for(api_base(event)), "application/json", REVALIDATED)


def _page(event: dict[str, Any]) -> dict[str, Any]:
    # Relative, because the browser's address may differ from the one that arrives here; and one
    # level higher if the page was asked for with a slash at its end.
    within_api = "../" if event["requestContext"]["path"].endswith("/") else ""
    addresses = {
        name: f"{within_api}docs/{asset}?v={tag_of(_asset_bytes(asset))[:12]}"
        for name, asset in (
            ("styles", "swagger-ui.css"),
            ("swagger", "swagger-ui.js"),
            ("start", "start.js"),
        )
    }
    page = PAGE.format(document=html.escape(f"{within_api}openapi.json"), **addresses)
    answer = content_response(event, page.encode(), "text/html; charset=utf-8", REVALIDATED)
    answer["headers"] |= {
        "Content-Security-Policy": _policy(api_base(event)),
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
    }
    return answer


def _asset(event: dict[str, Any]) -> dict[str, Any]:
    name = (event.get("pathParameters") or {}).get("asset", "")
    if name not in _ASSETS:
        return client_wheel(event, name) or _json(404, NOT_FOUND)
    known = (event.get("queryStringParameters") or {}).get("v") == tag_of(_asset_bytes(name))[:12]
    return content_response(
        event, _asset_bytes(name), _ASSETS[name], IMMUTABLE if known else REVALIDATED
    )


def _console_asset(event: dict[str, Any]) -> dict[str, Any]:
    return console_asset(event) or _json(404, NOT_FOUND)


_ROUTES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "/api/openapi.json": _document,
    "/api/docs": _page,
    "/api/docs/{asset}": _asset,
    "/console": console_page,
    "/console/{asset}": _console_asset,
    "/": _home,
    "/{code}/{rest+}": _unknown,
}

_ASSETS = {
    "swagger-ui.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
}
_FILES = {
    "swagger-ui.js": SWAGGER_UI / "swagger-ui-bundle.min.js",
    "swagger-ui.css": SWAGGER_UI / "swagger-ui.min.css",
}


@cache
def _asset_bytes(name: str) -> bytes:
    return _FILES[name].read_bytes() if name in _FILES else START.encode()


@lru_cache(REMEMBERED)
def _document_for(base_url: str) -> bytes:
    """The document with the address at which it is asked for as its server."""
    document = json.loads(DOCUMENT.read_bytes())
    document["servers"] = [{"url": base_url}]
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _policy(base_url: str) -> str:
    """What the page may load: its own files, and the API it lets one try."""
    parts = urlsplit(base_url)
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            f"connect-src 'self' {parts.scheme}://{parts.netloc}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
