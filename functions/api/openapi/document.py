"""Assembles the document from the routes of all functions."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from functions.api.app import Api
from functions.api.openapi.bodies import BODIES
from functions.api.openapi.error_responses import error_responses, open_error_responses
from functions.api.openapi.events import webhooks
from functions.api.openapi.open_operations import OPEN_OPERATIONS
from functions.api.openapi.parameters import HEADERS, parameters, path_parameters
from functions.api.openapi.responses import responses_of, successes
from functions.api.openapi.schemas import Schema, component_schemas
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
    routes = [route for api in apis for route in api.routes]
    for route in routes:
        paths.setdefault(route.resource, {})[route.method.lower()] = _keyed(route, routes)
    for name, (operation_id, tag, summary, responses) in OPEN_OPERATIONS.items():
        method, path = name.split(" ")
        paths.setdefault(path, {})[method.lower()] = {
            "operationId": operation_id,
            "tags": [tag],
            "summary": summary,
            "parameters": [*path_parameters(path)],
            "responses": responses_of(responses, keyed=False)
            | open_error_responses(set(responses)),
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


def _keyed(route: Route, routes: Sequence[Route]) -> Schema:
    """The operation of a route of an API function."""
    summary, _, rest = (inspect.getdoc(route.endpoint) or "").partition("\n")
    if not summary or route.tag not in TAGS:
        raise LookupError(f"{route.method} {route.resource} needs a docstring and one of the tags")
    text = " ".join(rest.split()).replace("``", "`")
    if route.scopes:
        text = f"{text}\n\nScope: {' or '.join(f'`{scope}`' for scope in route.scopes)}.".strip()
    found: Schema = {
        "operationId": route.operation_id,
        "tags": [route.tag],
        "summary": summary.removesuffix(".").replace("``", ""),
        "description": text,
        "parameters": [*path_parameters(route.resource), *parameters(route)],
        "responses": responses_of(successes(route, routes), keyed=True) | error_responses(route),
        # A route without scopes still needs a key.
        "security": [{"apiKey": [scope]} for scope in route.scopes] or [{"apiKey": []}],
    }
    if route.described.body:
        body = BODIES[route.described.body]
        content = {"schema": body.schema, "example": body.example}
        found["requestBody"] = {
            "required": body.required,
            "content": {"application/json": content},
        }
    return found
