"""JSON schemas of the types that responses and requests have in the code."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import is_typeddict

from functions.domain import error_bodies, record_types
from functions.schemas import (
    account_responses,
    analytics_responses,
    deletion_responses,
    events,
    link_responses,
    receipt_responses,
)
from functions.schemas.api_keys import NewApiKey
from functions.schemas.deletion_filter import AuditFields, TrashFields
from functions.schemas.filters import FilterFields
from functions.schemas.installs import NewInstall
from functions.schemas.links import LinkChanges, NewLink

Schema = dict[str, Any]

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
#: The names that endpoints are annotated with, which they import for type checkers only.
ANNOTATIONS = RESPONSES | {
    module.__name__.rpartition(".")[2]: module for module in _RESPONSE_MODULES
}
_REQUESTS = (NewLink, LinkChanges, FilterFields, NewInstall, NewApiKey)
_TEMPLATE = "#/components/schemas/{model}"

for _type in RESPONSES.values():
    # Members that a type does not name are errors; a string below a member describes it.
    with_config(ConfigDict(extra="forbid", use_attribute_docstrings=True))(_type)


def schema_of(body: Any) -> Schema:
    """The schema of a body: a schema as it is, a type by reference, a union of types."""
    if isinstance(body, dict):
        return body
    schema = TypeAdapter(body).json_schema(mode="serialization", ref_template=_TEMPLATE)
    schema.pop("$defs", None)
    return reference(body) if "properties" in schema else plain(schema)


def reference(body: type) -> Schema:
    """A reference to the schema of a model or TypedDict."""
    return {"$ref": _TEMPLATE.format(model=body.__name__)}


def plain(schema: Any) -> Any:
    """A schema without the titles that repeat each name, and with Markdown in its descriptions."""
    if isinstance(schema, list):
        return [plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    result: Schema = {}
    for key, value in schema.items():
        if key == "description" and isinstance(value, str):
            result[key] = " ".join(value.replace("``", "`").split())
        elif key == "properties":
            result[key] = {name: plain(each) for name, each in value.items()}
        elif key != "title" or not isinstance(value, str):
            result[key] = plain(value)
    return result


def _given(member: Schema) -> Schema:
    """A member of a filter. What is not wanted is left out, so none is null."""
    choices = [each for each in member.get("anyOf", []) if each != {"type": "null"}]
    if len(choices) == 1:
        member = choices[0] | {"description": member["description"]}
    found: Schema = plain(member)
    return found


#: The members of each filter, by the name of its model.
FILTERS: dict[str, Schema] = {
    model.__name__: {
        name: _given(each) for name, each in model.model_json_schema()["properties"].items()
    }
    for model in (FilterFields, AuditFields, TrashFields)
}


def component_schemas() -> Schema:
    """The schema of every response and request body, by its name."""
    _, schemas = TypeAdapter.json_schemas(
        [(each.__name__, "serialization", TypeAdapter(each)) for each in RESPONSES.values()]
        + [(each.__name__, "validation", TypeAdapter(each)) for each in _REQUESTS],
        ref_template=_TEMPLATE,
    )
    found = plain(schemas["$defs"])
    for name, response in RESPONSES.items():
        # pydantic finds the descriptions of a type's own members only.
        for base in getattr(response, "__orig_bases__", ()):
            for member, schema in found.get(base.__name__, {}).get("properties", {}).items():
                found[name]["properties"][member] = schema
    found["FilterFields"]["properties"] = FILTERS["FilterFields"]
    # The base of the errors' members is part of them, and has no separate schema.
    del found["ErrorMembers"]
    return dict(sorted(found.items()))
