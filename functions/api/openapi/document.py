"""Assembles the document from the routes of all functions."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from functions.api.app import Api
from functions.api.openapi import operations
from functions.api.openapi.error_responses import error_responses, open_error_responses
from functions.api.openapi.events import webhooks
from functions.api.openapi.operations import OPEN_OPERATIONS, RETURNED, DescribedResponse
from functions.api.openapi.parameters import (
    HEADERS,
    RATE_HEADERS,
    headers,
    parameters,
    path_parameters,
)
from functions.api.openapi.schemas import ANNOTATIONS, Schema, component_schemas, plain, schema_of
from functions.api.route import Route
from functions.domain.plans import plans

INTRODUCTION = Path(__file__).with_name("introduction.md").read_text(encoding="utf-8").strip()
TAGS = {
    "Account": "Who calls, and the API keys of the workspace.",
    "Links": "Create, read and list.",
    "Deleting": "The two published contracts.",
    "Deletions": "Deletions as records: progress, outcome of each id, receipt.",
    "Events": "What the event bus sends when deletions and restores end.",
    "Analytics": "Clicks and the installs that they led to.",
    "Short links": "What visitors see.",
    "Documentation": "For people and programs.",
    "Console": "The service in a browser.",
}
_SECURITY = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key (`ul_live_…`) or a session's access token.",
}


def load_apis() -> list[Api]:
    """The routes of every function. Packaging runs this, so the layer above may be imported."""
    handlers = sorted((Path(__file__).parents[2] / "handlers").glob("[!_]*.py"))
    modules = [import_module(f"functions.handlers.{path.stem}") for path in handlers]
    return [module.api for module in modules if isinstance(getattr(module, "api", None), Api)]


def assemble(apis: Iterable[Api]) -> dict[str, Any]:
    """The document. Raises ``LookupError`` for a route without a text or a known tag."""
    paths: dict[str, Any] = {}
    for route in (route for api in apis for route in api.routes):
        paths.setdefault(route.resource, {})[route.method.lower()] = _keyed(route)
    for name, (operation_id, tag, summary, responses) in OPEN_OPERATIONS.items():
        method, path = name.split(" ")
        paths.setdefault(path, {})[method.lower()] = {
            "operationId": operation_id,
            "tags": [tag],
            "summary": summary,
            "parameters": [*path_parameters(path)],
            "responses": _responses(responses, None) | open_error_responses(set(responses)),
            "security": [],
        }
    limits = ", ".join(
        f"{name} {plan.requests_per_minute:,} and {plan.max_ids:,}"
        for name, plan in plans().items()
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Unlink",
            "version": "1",
            "description": INTRODUCTION.replace("{plans}", limits),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        # The `pages` function replaces it by the address of the request.
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "webhooks": webhooks(),
        "components": {
            "securitySchemes": {"apiKey": _SECURITY},
            "headers": HEADERS,
            "schemas": component_schemas(),
        },
    }


def operation_id_of(route: Route) -> str:
    """The name of the endpoint, in camel case."""
    first, *others = route.endpoint.__name__.split("_")
    return first + "".join(map(str.capitalize, others))


def _keyed(route: Route) -> Schema:
    """The operation of a route of an API function."""
    operation_id = operation_id_of(route)
    summary, _, rest = (inspect.getdoc(route.endpoint) or "").partition("\n")
    if not summary or route.tag not in TAGS:
        raise LookupError(f"{route.method} {route.resource} needs a docstring and one of the tags")
    text = " ".join(rest.split()).replace("``", "`")
    scopes = [route.scope] if route.scope else [*route.either]
    if scopes:
        text = f"{text}\n\nScope: {' or '.join(f'`{scope}`' for scope in scopes)}.".strip()
    described: Schema = {
        "operationId": operation_id,
        "tags": [route.tag],
        "summary": summary.removesuffix(".").replace("``", ""),
        "description": text,
        "parameters": [*path_parameters(route.resource), *parameters(operation_id, route)],
    }
    if operation_id in operations.BODIES:
        body, example = operations.BODIES[operation_id]
        described["requestBody"] = {
            "required": operation_id not in operations.OPTIONAL_BODIES,
            "content": {"application/json": {"schema": schema_of(body), "example": example}},
        }
    responses = operations.RESPONSES.get(operation_id, {200: DescribedResponse()})
    makes_deletion = (
        route.replay is not None
        and "X-Deletion-Id" in responses.get(200, DescribedResponse()).headers
    )
    described["responses"] = _responses(responses, route) | error_responses(
        operation_id, route, makes_deletion=makes_deletion
    )
    # A route without scopes still needs a key.
    described["security"] = [{"apiKey": [scope]} for scope in scopes] or [{"apiKey": []}]
    return described


def _responses(responses: Mapping[int, DescribedResponse], route: Route | None) -> Schema:
    usual = ("X-Request-Id", *(RATE_HEADERS if route is not None else ()))
    found = {}
    for status, response in responses.items():
        body = response.body
        if body is RETURNED and route is not None:
            body = _returned(route, pending=status == 202)
        text = response.text or plain({"description": inspect.getdoc(body)})["description"]
        described: Schema = {"description": text, "headers": headers([*usual, *response.headers])}
        if body is not None:
            schema = schema_of(body)
            described["content"] = {
                # Where programs get JSON, browsers get a page.
                media: {"schema": schema if "json" in media or "$ref" not in schema else {}}
                for media in response.media
            }
        if response.links:
            described["links"] = dict(response.links)
        found[str(status)] = described
    return found


def _returned(route: Route, *, pending: bool) -> Any:
    """The endpoint's return type. Of a union, the types ``Pending…`` or the others."""
    [returned] = get_args(get_type_hints(route.endpoint, localns=ANNOTATIONS)["return"])
    if get_origin(returned) not in (Union, type(int | str)):
        return returned
    members = [
        each
        for each in get_args(returned)
        if pending is getattr(each, "__name__", "").startswith("Pending")
    ]
    return Union[tuple(members)]  # noqa: UP007
