"""Assembles the document from ``base.yaml``, the routes of all functions and the events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path

import yaml

from functions.api.app import Api
from functions.api.openapi.responses import open_operation, responses
from functions.api.openapi.schemas import FILTERS, Schema, component_schemas, markdown, schema_of
from functions.api.request import Parameter
from functions.api.route import Route
from functions.domain.camel_case import camel_case
from functions.domain.plans import plans
from functions.schemas.events import EVENTS
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
        item = paths.setdefault(route.resource, {})
        item[route.method.lower()] = _operation(route, routes, headers)
    for path, item in document["paths"].items():
        for method in item.keys() - {"parameters"}:
            item[method] = open_operation(item[method])
        paths[path] = item | paths.get(path, {})
    document["paths"] = paths
    document["webhooks"] = {name: {"post": _event(name, document["webhooks"])} for name in EVENTS}
    document["components"]["schemas"] = component_schemas()
    return document


def _operation(route: Route, routes: Sequence[Route], headers: Schema) -> Schema:
    """The operation of a route with a key, without the parameters of its path."""
    summary, _, rest = (route.endpoint.__doc__ or "").partition("\n")
    text = markdown(rest)
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
    if "ETag" in route.described.headers:
        found["parameters"].append(headers["If-None-Match"])
    if route.replay is not None:
        found["parameters"].append(headers["Idempotency-Key"])
    if route.described.body:
        body = BODIES[route.described.body]
        content = {"schema": schema_of(body.type), "example": body.example}
        found["requestBody"] = {"required": body.required, "content": {"application/json": content}}
    return found


def _query_parameter(name: str, declared: Parameter) -> Schema:
    schema = dict(FILTERS[declared["model"]][name] if "model" in declared else declared)
    text = schema.pop("description")
    return {"name": name, "in": "query", "required": False, "description": text, "schema": schema}


def _event(name: str, webhook: Schema) -> Schema:
    """The operation of an event, from what all of them share."""
    event, schema = EVENTS[name], webhook["schema"]
    state = {"properties": {"state": {"const": event.state}}} if event.state else {}
    own = {"detail-type": {"const": name}, "detail": schema_of(event.detail) | state}
    content = {"schema": schema | {"properties": schema["properties"] | own}}
    return {
        "operationId": camel_case(f"on_{name}".replace(".", "_")),
        "tags": webhook["tags"],
        "summary": event.sent,
        "description": markdown(event.detail.__doc__),
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": webhook["responses"],
    }
