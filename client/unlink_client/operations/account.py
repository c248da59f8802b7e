"""The caller, the service itself."""

from __future__ import annotations

from typing import Any

from unlink_client.calls import Call
from unlink_client.models import Me
from unlink_client.operations.common import object_of, reader


def get_me() -> Call[Me]:
    """``GET /api/me``: who calls, with which rights, in which workspace."""
    return Call(method="GET", path="/api/me", read=reader(Me))


def get_open_api() -> Call[dict[str, Any]]:
    """``GET /api/openapi.json``: the document of the API. No key is sent."""
    return Call(method="GET", path="/api/openapi.json", needs_key=False, read=object_of)
