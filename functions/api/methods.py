"""The methods that each path of the API answers (RFC 9110, section 10.2.1, ``Allow``)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

#: All methods of the API, in the order of the header.
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")


@cache
def allowed_methods(resource: str) -> tuple[str, ...]:
    """The methods of a gateway resource, such as ``/api/links/{id}``; none for an unknown path.

    ``routes.json`` has the routes of every function; the stack reads it too.
    """
    routes = json.loads(Path(__file__).with_name("routes.json").read_text())
    every = [route for group in routes.values() for names in group.values() for route in names]
    # A redirect to the home page. It has no method of its own at the gateway.
    every.append("GET /")
    found = {method for method, path in map(str.split, every) if path == resource}
    # HEAD is GET without a body; OPTIONS is the preflight.
    found |= {"HEAD"} if "GET" in found else set()
    found |= {"OPTIONS"} if found and resource.startswith("/api/") else set()
    return tuple(method for method in _METHODS if method in found)
