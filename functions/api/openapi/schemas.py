"""JSON schemas of the types that responses and requests have in the code."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache, reduce
from importlib import import_module
from operator import or_
from pathlib import Path
from types import GenericAlias
from typing import Any

from pydantic import ConfigDict, TypeAdapter
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

#: Members that a response type does not name are errors; a string below a member describes it.
_CONFIG = ConfigDict(extra="forbid", use_attribute_docstrings=True)


def _generated(types: Iterable[Any]) -> dict[str, Schema]:
    # As the items of a list, a type that has a name is a reference, and takes the configuration.
    items: Any = GenericAlias(list, reduce(or_, types))
    schema = TypeAdapter(items, config=_CONFIG).json_schema(
        ref_template="#/components/schemas/{model}"
    )
    plain: dict[str, Schema] = json.loads(json.dumps(schema), object_hook=_plain)
    return plain


def _plain(schema: Schema) -> Schema:
    """A schema without the titles that repeat each name, and without null or "" as a default, which
    only means that a member was not given. Descriptions become Markdown."""
    # The members of a type can have these names too; their values are schemas.
    if isinstance(schema.get("title"), str):
        del schema["title"]
    if schema.get("default", 0) in (None, ""):
        del schema["default"]
    if isinstance(schema.get("description"), str):
        schema["description"] = markdown(schema["description"])
    return schema


@cache
def schema_of(*bodies: Any) -> Schema:
    """The schema of a body of one of these types: a reference to each type that has a name."""
    return _generated(bodies)["items"]


def component_schemas() -> Schema:
    """The schema of every response and request body, by its name."""
    bodies = [body.type for body in BODIES.values()]
    found = _generated([*RESPONSES.values(), *bodies])["$defs"]
    for name, response in RESPONSES.items():
        # pydantic finds the descriptions of a type's own members only.
        for base in getattr(response, "__orig_bases__", ()):
            found[name]["properties"] |= found.get(base.__name__, {}).get("properties", {})
    # The base of the errors' members is part of them, and has no separate schema.
    del found["ErrorMembers"]
    return found


def markdown(docstring: str | None) -> str:
    """A docstring as one line of Markdown."""
    return " ".join((docstring or "").replace("``", "`").split())


#: The members of each filter, by the name of its model.
FILTERS: dict[str, Schema] = {
    model.__name__: _generated([model])["$defs"][model.__name__]["properties"]
    for model in (AuditFields, FilterFields, TrashFields)
}
