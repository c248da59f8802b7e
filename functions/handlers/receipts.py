"""Receipts, and the public keys that verify them, which need no API key."""

from __future__ import annotations

from typing import Any

from functions.api.app import Api
from functions.api.open_pages import open_response
from functions.api.public_keys import PATH, public_keys
from functions.api.routes import receipts
from functions.metrics import reporting

api = Api(receipts.routes)


@reporting
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The Lambda handler."""
    if event["resource"] == PATH:
        return open_response(event, public_keys)
    return api.handle(event, context)
