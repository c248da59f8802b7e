"""CORS headers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from functions import container

#: What scripts may read of a response. The gateway's own responses take it from the same file.
_EXPOSED = ", ".join(json.loads(Path(__file__).with_name("exposed_headers.json").read_text()))


def cors_headers(event: dict[str, Any]) -> dict[str, str]:
    """CORS headers for the caller's origin; never a wildcard together with credentials."""
    allowed = container.cors_origins()
    if allowed == "*":
        return {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": _EXPOSED}
    headers = event.get("headers") or {}
    origin = next((value for key, value in headers.items() if key.lower() == "origin"), None)
    if origin is None or origin not in [entry.strip() for entry in allowed.split(",")]:
        return {"Vary": "Origin"}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": _EXPOSED,
        "Vary": "Origin",
    }
