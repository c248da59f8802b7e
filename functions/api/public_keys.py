"""``/.well-known/jwks.json``: the public keys of receipts, for everyone (RFC 8615)."""

from __future__ import annotations

from typing import Any

from functions import container
from functions.api.open_pages import json_response
from functions.domain.errors import UnlinkError

PATH = "/.well-known/jwks.json"

#: Short, because a new key is published before it signs anything.
CACHING = "public, max-age=300"


def public_keys(_event: dict[str, Any]) -> dict[str, Any]:
    """The JWK set."""
    try:
        body: Any = {"keys": container.receipts().public_keys()}
    except UnlinkError as error:
        response = json_response(int(error.status), error.to_linkforty())
        response["headers"] |= error.headers()
        return response
    response = json_response(200, body)
    response["headers"]["Cache-Control"] = CACHING
    return response
