"""Routes are found by the resource that API Gateway matched."""

from __future__ import annotations

import re
from collections import defaultdict

from functions.api.methods import ALLOWED_METHODS
from functions.api.openapi.document import load_apis


def shape(path: str) -> str:
    """A rule or resource without the names of its parameters."""
    return re.sub(r"<\w+>|{\w+}", "{}", path)


def test_the_routes_are_those_that_the_gateway_lets_through() -> None:
    """tests/infra/test_api.py compares `ALLOWED_METHODS` with the template."""
    registered: defaultdict[str, set[str]] = defaultdict(set)
    for api in load_apis():
        for route in api.routes:
            methods = registered[shape(route.rule)]
            assert route.method not in methods, f"{route.method} {route.rule} is registered twice"
            methods |= {route.method, "HEAD"} if route.method == "GET" else {route.method}
    deployed = {
        shape(path): set(methods) - {"OPTIONS"}
        for path, methods in ALLOWED_METHODS.items()
        if shape(path) in registered
    }
    assert registered == deployed
