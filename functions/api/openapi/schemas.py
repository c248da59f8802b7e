"""JSON schemas of the types that responses and requests have in the code."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Union

from pydantic import ConfigDict, TypeAdapter, with_config
from pydantic.json_schema import JsonSchemaMode
from typing_extensions import is_typeddict

from functions.domain import error_bodies, record_types
from functions.schemas import events
from functions.schemas.deletion_filter import AuditFields, TrashFields
from functions.schemas.filters import FilterFields
from functions.schemas.request_bodies import BODIES

Schema = dict[str, Any]

_FILES = sorted(Path(events.__file__).parent.glob("*_responses.py"))
_MODULES = [record_types, error_bodies, events]
_MODULES += [import_module(f"functions.schemas.{path.stem}") for path in _FILES]
#: Every response type by its name.
RESPONSES: dict[str, Any] = {
    name: value
    for module in _MODULES
    for name, value in vars(module).items()
    if is_typeddict(value)
}
#: The names that endpoints are annotated with, which they import for type checkers only.
ANNOTATIONS = RESPONSES | {module.__name__.rpartition(".")[2]: module for module in _MODULES}

for _type in RESPONSES.values():
    # Members that a type does not name are errors; a string below a member describes it.
    with_config(ConfigDict(extra="forbid", use_attribute_docstrings=True))(_type)


def schemas_of(types: Iterable[Any], mode: JsonSchemaMode) -> tuple[list[Schema], Schema]:
    """The schema of each type; and by name, those of all types with a name in them."""
    adapters = [(str(n), mode, TypeAdapter(each)) for n, each in enumerate(types)]
    found, named = TypeAdapter.json_schemas(adapters, ref_template="#/components/schemas/{model}")
    return list(found.values()), _plain(named.get("$defs", {}))


@cache
def schema_of(*bodies: Any, mode: JsonSchemaMode = "serialization") -> Schema:
    """The schema of a body of one of these types: a reference to each type that has a name.

    The mode is ``validation`` for a request's body.
    """
    [schema], _ = schemas_of([Union[bodies]], mode)  # noqa: UP007
    return schema


def component_schemas() -> Schema:
    """The schema of every response and request body, by its name."""
    _, found = schemas_of(RESPONSES.values(), "serialization")
    for name, response in RESPONSES.items():
        # pydantic finds the descriptions of a type's own members only.
        for base in getattr(response, "__orig_bases__", ()):
            found[name]["properties"] |= found.get(base.__name__, {}).get("properties", {})
    # The base of the errors' members is part of them, and has no separate schema.
    del found["ErrorMembers"]
    _, requests = schemas_of([body.type for body in BODIES.values()], "validation")
    return dict(sorted((found | requests).items()))


def _plain(schema: Any) -> Any:
    """A schema without the titles that repeat each name, and without null or "" as a default, which
    only means that a member was not given. Descriptions become Markdown."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    result: Schema = {}
    for key, value in schema.items():
        if key == "properties":
            result[key] = {name: _plain(each) for name, each in value.items()}
        elif key == "description":
            result[key] = markdown(value)
        elif key != "title" and (key != "default" or value not in (None, "")):
            result[key] = _plain(value)
    return result


def markdown(docstring: str | None) -> str:
    """A docstring as one line of Markdown."""
    return " ".join((docstring or "").replace("``", "`").split())


#: The members of each filter, by the name of its model.
FILTERS: dict[str, Schema] = {
    model.__name__: _plain(model.model_json_schema())["properties"]
    for model in (AuditFields, FilterFields, TrashFields)
}
