"""Assembles the document from the routes of all functions."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, with_config
from typing_extensions import is_typeddict

from functions.api.app import Api
from functions.api.openapi.error_parts import error_responses
from functions.api.openapi.events import webhooks
from functions.api.openapi.operations import OPERATIONS
from functions.api.openapi.parts import (
    HEADERS,
    IDEMPOTENCY_KEY,
    PATH_PARAMETERS,
    RATE_HEADERS,
    Answer,
    Operation,
    Schema,
    headers,
    non_null,
    plain,
    reference,
)
from functions.api.response import Response
from functions.api.route import Route
from functions.domain import error_bodies, record_types
from functions.domain.plans import plans
from functions.schemas import (
    account_responses,
    analytics_responses,
    deletion_responses,
    events,
    link_responses,
    receipt_responses,
)
from functions.schemas.api_keys import NewApiKey
from functions.schemas.filters import FilterFields
from functions.schemas.links import LinkChanges, NewLink
from functions.services.installs import NewInstall

INTRODUCTION = """
Short links whose deletion is durable and provable.

**Authentication.** `Authorization: Bearer <API key>`; the word `Bearer` may be missing. Each route
names the scope that the key needs. A link of another workspace is indistinguishable from one that
does not exist.

**Errors** have two formats. `DELETE /api/links` and `/api/deletions…` answer as Hoko does:
`{"error":{"en","ar"}}`. All other routes answer as LinkForty does:
`{"statusCode","error","message"}`. Members such as `missingScopes` are added to the error and never
replace it. What is found before a route runs (a missing key, an unknown path) has one body for
both.

**Limits.** Requests a minute and ids a request, by plan: {plans}. Each response says what is left
(`X-RateLimit-*`, `RateLimit`); 429 says when to try again (`Retry-After`).

**Idempotency.** With an `Idempotency-Key` the same request has the same answer for 24 hours,
however often it is sent, and whatever has happened to the links since. Any other request with the
same key is 422, also on another route. While the first request is running, a second one is 409.

**Deleting** may be accepted before it is done: 202 with a `Location` that shows the progress. An
accepted deletion is completed, even if the function that started it is stopped.
""".strip()

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

_RESPONSE_MODULES = (
    record_types,
    account_responses,
    analytics_responses,
    deletion_responses,
    error_bodies,
    events,
    link_responses,
    receipt_responses,
)
#: Every response type by its name.
RESPONSES: dict[str, Any] = {
    name: value
    for module in _RESPONSE_MODULES
    for name, value in vars(module).items()
    if is_typeddict(value)
}
#: The types that endpoints are annotated with, which they import for type checkers only.
_NAMES = RESPONSES | {module.__name__.rpartition(".")[2]: module for module in _RESPONSE_MODULES}

for _type in RESPONSES.values():
    # Members that a type does not name are errors; a string below a member describes it.
    with_config(ConfigDict(extra="forbid", use_attribute_docstrings=True))(_type)


def load_apis() -> list[Api]:
    """The routes of every function. Packaging runs this, so the layer above may be imported."""
    handlers = Path(__file__).parents[2] / "handlers"
    modules = [
        import_module(f"functions.handlers.{path.stem}")
        for path in sorted(handlers.glob("[!_]*.py"))
    ]
    return [module.api for module in modules if isinstance(getattr(module, "api", None), Api)]


def assemble(apis: Iterable[Api]) -> dict[str, Any]:
    """The document. Raises ``LookupError`` for a route that OPERATIONS does not describe."""
    routes = {shape(route.method, route.resource): route for api in apis for route in api.routes}
    described = {shape(*name.split(" ", 1)): name for name in OPERATIONS}
    if missing := sorted(set(routes) - set(described)):
        raise LookupError(f"describe it in functions/api/openapi/operations.py: {missing}")
    paths: dict[str, Any] = {}
    for key, name in described.items():
        method, path = name.split(" ", 1)
        if key not in routes and path.startswith("/api/") and not OPERATIONS[name].summary:
            raise LookupError(f"no function serves {name}: remove it from OPERATIONS")
        item = paths.setdefault(path, {})
        item[method.lower()] = _operation(path, OPERATIONS[name], routes.get(key))
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
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key (`ul_live_…`) or a session's access token.",
                }
            },
            "headers": HEADERS,
            "schemas": _schemas(),
        },
    }


def shape(method: str, path: str) -> str:
    """A route without the names of its parameters, which the code and the gateway choose."""
    return f"{method} {re.sub(r'<[^>]*>|{[^}]*}', '{}', path)}"


def _operation(path: str, operation: Operation, route: Route | None) -> Schema:
    summary, more = operation.summary, operation.more
    security: list[Schema] = []
    if route is not None:
        summary, _, rest = (inspect.getdoc(route.endpoint) or "").partition("\n")
        scopes = [route.scope] if route.scope else [*route.either]
        more = " ".join([*rest.split(), more]).strip()
        if scopes:
            needs = " or ".join(f"`{scope}`" for scope in scopes)
            more = f"{more}\n\nScope: {needs}.".strip()
        # A route without scopes still needs a key.
        security = [{"apiKey": [scope]} for scope in scopes] or [{"apiKey": []}]
        _check_bodies(operation, route)
    described: Schema = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": summary.removesuffix(".").replace("``", ""),
    }
    if more:
        described["description"] = more.replace("``", "`")
    if parameters := _parameters(path, operation, route):
        described["parameters"] = parameters
    if operation.body is not None:
        body = operation.body
        content: Schema = {"schema": body if isinstance(body, dict) else reference(body)}
        if operation.example is not None:
            content["example"] = operation.example
        described["requestBody"] = {
            "required": operation.body_required,
            "content": {"application/json": content},
        }
    usual = ("X-Request-Id", *(RATE_HEADERS if route is not None else ()))
    responses = {
        str(status): _response(answer, usual) for status, answer in operation.responses.items()
    }
    responses |= error_responses(path, operation, route)
    return described | {"responses": dict(sorted(responses.items())), "security": security}


def _check_bodies(operation: Operation, route: Route) -> None:
    """Raises ``LookupError`` if the document and the endpoint's return type name other bodies."""
    returned = get_type_hints(route.endpoint, localns=_NAMES)["return"]
    promised = _members(get_args(returned)[0]) if get_origin(returned) is Response else set()
    documented = {
        member
        for answer in operation.responses.values()
        if answer.body is not None and not isinstance(answer.body, dict)
        for member in _members(answer.body)
    }
    if documented and promised != documented:
        raise LookupError(f"{operation.id} returns {promised}, OPERATIONS says {documented}")


def _members(body: Any) -> set[Any]:
    """The members of a union, or the type itself."""
    return set(get_args(body)) if get_origin(body) in (Union, type(int | str)) else {body}


def _parameters(path: str, operation: Operation, route: Route | None) -> list[Schema]:
    found = [
        {
            "name": prefix.rpartition("{")[2].removesuffix("}"),
            "in": "path",
            "required": True,
            "description": description,
            "schema": schema,
            "example": example,
        }
        for prefix, (schema, description, example) in PATH_PARAMETERS.items()
        if path == prefix or path.startswith(f"{prefix}/")
    ]
    found += operation.parameters
    if route is not None and route.replay is not None:
        found.append(IDEMPOTENCY_KEY)
    return found


def _response(answer: Answer, usual: Iterable[str]) -> Schema:
    text = answer.text or plain({"description": inspect.getdoc(answer.body)})["description"]
    described: Schema = {"description": text, "headers": headers([*usual, *answer.headers])}
    if answer.body is not None:
        schema = answer.body if isinstance(answer.body, dict) else _schema(answer.body)
        described["content"] = {
            # Where programs get JSON, browsers get a page.
            media: {"schema": schema if "json" in media or "$ref" not in schema else {}}
            for media in answer.media
        }
    if answer.links:
        described["links"] = dict(answer.links)
    return described


_TEMPLATE = "#/components/schemas/{model}"


def _schema(body: Any) -> Schema:
    schema = TypeAdapter(body).json_schema(mode="serialization", ref_template=_TEMPLATE)
    schema.pop("$defs", None)
    return plain(schema) if "properties" not in schema else reference(body)


def _schemas() -> Schema:
    """The schema of every response and request body, by its name."""
    requests: list[type[BaseModel]] = [
        NewLink,
        LinkChanges,
        FilterFields,
        NewInstall,
        NewApiKey,
    ]
    _, schemas = TypeAdapter.json_schemas(
        [(each.__name__, "serialization", TypeAdapter(each)) for each in RESPONSES.values()]
        + [(each.__name__, "validation", TypeAdapter(each)) for each in requests],
        ref_template=_TEMPLATE,
    )
    found = plain(schemas["$defs"])
    for name, response in RESPONSES.items():
        # pydantic finds the descriptions of a type's own members only.
        for base in getattr(response, "__orig_bases__", ()):
            for member, schema in found.get(base.__name__, {}).get("properties", {}).items():
                found[name]["properties"][member] = schema
    found["FilterFields"]["properties"] = non_null(found["FilterFields"]["properties"])
    # The base of the errors' members is part of them, and no schema of its own.
    del found["ErrorMembers"]
    return dict(sorted(found.items()))
