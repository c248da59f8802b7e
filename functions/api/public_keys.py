"""``/.well-known/jwks.json``: the public keys of receipts, for everyone (RFC 8615)."""

from __future__ import annotations

from typing import Any

from functions import container
from functions.api.methods import ALLOWED_METHODS
from functions.api.open_pages import json_response, method_not_allowed
from functions.api.security_headers import TRANSPORT
from functions.domain.errors import UnlinkError

PATH = "/.well-known/jwks.json"

#: Short, because a new key is published before it signs anything.
CACHING = "public, max-age=300"


def public_keys(event: dict[str, Any]) -> dict[str, Any]:
    """The JWK set, or 405; HEAD is answered with GET's body, for its length."""
    allowed = ALLOWED_METHODS[PATH]
    if event["httpMethod"] not in allowed:
        response = method_not_allowed(event, allowed)
    else:
        response = _key_set()
    response["headers"] |= TRANSPORT | {
        "Access-Control-Allow-Origin": "*",
        "X-Content-Type-Options": "nosniff",
        "X-Request-Id": event["requestContext"]["requestId"],
    }
    return response


def _key_set() -> dict[str, Any]:
    try:
        body: Any = {"keys": container.receipts().public_keys()}
    except UnlinkError as error:
        response = json_response(int(error.status), error.to_linkforty())
        response["headers"] |= error.headers()
        return response
    response = json_response(200, body)
    response["headers"]["Cache-Control"] = CACHING
    return response
