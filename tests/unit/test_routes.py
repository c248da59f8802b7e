"""Routes are found by the resource that API Gateway matched."""

from __future__ import annotations

from collections import defaultdict

from functions.api.methods import ALLOWED_METHODS
from functions.api.openapi.document import load_apis


def test_the_routes_are_those_that_the_gateway_lets_through() -> None:
    """tests/infra/test_api.py compares `ALLOWED_METHODS` with the template."""
    registered: defaultdict[str, set[str]] = defaultdict(set)
    for api in load_apis():
        for route in api.routes:
            methods = registered[route.resource]
            assert route.method not in methods, f"{route} is registered twice"
            methods |= {route.method, "HEAD"} if route.method == "GET" else {route.method}
    deployed = {
        path: set(methods) - {"OPTIONS"}
        for path, methods in ALLOWED_METHODS.items()
        if path in registered
    }
    assert registered == deployed
