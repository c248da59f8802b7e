"""Routes are found by the resource that API Gateway matched."""

from __future__ import annotations

from importlib import import_module

from functions.api.methods import allowed_methods
from functions.api.openapi.document import load_apis
from functions.handlers import pages
from tests.support.openapi import operations
from tests.support.routes import KEYED, OPEN, ROUTES


def test_each_function_registers_the_routes_that_the_list_names() -> None:
    """tests/infra/test_api.py compares the list with the template."""
    registered = [
        ((route.method, route.resource), function)
        for function in sorted(set(KEYED.values()))
        for route in import_module(f"functions.handlers.{function}").api.routes
    ]
    assert sorted(registered) == sorted(KEYED.items())
    assert len(registered) == sum(len(api.routes) for api in load_apis())


def test_the_functions_without_a_key_serve_the_routes_that_the_list_names() -> None:
    described = {route for route, each in operations().items() if each["security"] == []}
    assert described == set(OPEN)
    served = {path for (_, path), function in OPEN.items() if function == "pages"}
    # The paths of its catch-alls.
    assert set(pages._ROUTES) == served | {"/", "/{code}", "/{code}/{rest+}"}


def test_allow_names_the_methods_in_one_order() -> None:
    assert allowed_methods("/api/links") == ("GET", "HEAD", "POST", "DELETE", "OPTIONS")
    assert allowed_methods("/api/links/{id}") == ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")
    assert allowed_methods("/api/keys/{id}") == ("DELETE", "OPTIONS")
    assert allowed_methods("/{code}") == ("GET", "HEAD")
    assert allowed_methods("/") == ("GET", "HEAD")
    assert allowed_methods("/{code}/{rest+}") == ()
    assert all(method in allowed_methods(path) for method, path in ROUTES)
