"""Assembles the document from ``base.yaml`` and the routes of all functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path

import yaml

from functions.api.app import Api
from functions.api.openapi import schemas
from functions.api.openapi.events import webhooks
from functions.api.openapi.responses import open_responses, responses
from functions.api.openapi.schemas import Schema
from functions.api.request import Parameter
from functions.api.route import Route
from functions.domain.plans import plans
from functions.schemas.request_bodies import BODIES

_DIRECTORY = Path(__file__).parent


def load_apis() -> list[Api]:
    """The routes of every function. Packaging runs this, so the layer above may be imported."""
    handlers = sorted((_DIRECTORY.parents[1] / "handlers").glob("[!_]*.py"))
    modules = [import_module(f"functions.handlers.{path.stem}") for path in handlers]
    return [module.api for module in modules if isinstance(getattr(module, "api", None), Api)]


def assemble(apis: Iterable[Api]) -> Schema:
    """The document. Raises ``LookupError`` for a route without a text or a known tag."""
    document: Schema = yaml.safe_load((_DIRECTORY / "base.yaml").read_text("utf-8"))
    introduction = (_DIRECTORY / "introduction.md").read_text("utf-8").strip()
    limits = [
        f"{name} {plan.requests_per_minute:,} and {plan.max_ids:,}"
        for name, plan in plans().items()
    ]
    document["info"]["description"] = introduction.replace("{plans}", ", ".join(limits))
    tags = {tag["name"] for tag in document["tags"]}
    routes = [route for api in apis for route in api.routes]
    headers = document["components"].pop("parameters")
    paths: Schema = {}
    for route in routes:
        if not route.endpoint.__doc__ or route.tag not in tags:
            name = f"{route.method} {route.resource}"
            raise LookupError(f"{name} needs a docstring and one of the tags")
        operation = _keyed(route, routes)
        if "ETag" in route.described.headers:
            operation["parameters"].append(headers["If-None-Match"])
        if route.replay is not None:
            operation["parameters"].append(headers["Idempotency-Key"])
        paths.setdefault(route.resource, {})[route.method.lower()] = operation
    for path, described in document["paths"].items():
        operations = paths.setdefault(path, {})
        for method, operation in described.items():
            if method != "parameters":
                found = {"responses": open_responses(operation["responses"]), "security": []}
                operations[method] = operation | found
        for operation in operations.values():
            own = operation.get("parameters", [])
            operation["parameters"] = [*described.get("parameters", []), *own]
    document["paths"] = paths
    document["webhooks"] = webhooks()
    document["components"]["schemas"] = schemas.component_schemas()
    return document


def _keyed(route: Route, routes: Sequence[Route]) -> Schema:
    """The operation of a route of an API function, without the parameters of its path."""
    summary, _, rest = (route.endpoint.__doc__ or "").partition("\n")
    text = schemas.markdown(rest)
    if route.scopes:
        text = f"{text}\n\nScope: {' or '.join(f'`{scope}`' for scope in route.scopes)}.".strip()
    found: Schema = {
        "operationId": route.operation_id,
        "tags": [route.tag],
        "summary": summary.removesuffix(".").replace("``", ""),
        "description": text,
        "parameters": [_query_parameter(*each) for each in route.query.items()],
        "responses": responses(route, routes),
        # A route without scopes still needs a key.
        "security": [{"apiKey": [scope]} for scope in route.scopes] or [{"apiKey": []}],
    }
    if route.described.body:
        body = BODIES[route.described.body]
        schema = schemas.schema_of(body.type, mode="validation")
        content = {"application/json": {"schema": schema, "example": body.example}}
        found["requestBody"] = {"required": body.required, "content": content}
    return found


def _query_parameter(name: str, declared: Parameter) -> Schema:
    found = schemas.FILTERS[declared["model"]][name] if "model" in declared else declared
    schema = dict(found)
    text = schema.pop("description")
    return {"name": name, "in": "query", "required": False, "description": text, "schema": schema}
