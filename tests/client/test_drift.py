"""The client covers what the OpenAPI document has: operations, arguments, fields, statuses."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from tests.support import openapi
from unlink_client import errors, models, operations, receipts
from unlink_client.calls import Call
from unlink_client.decoding import camel, fields_of
from unlink_client.filters import FilterArgs

PACKAGE = Path(operations.__file__).parent.parent

SCHEMAS: dict[str, Any] = openapi.openapi_document()["components"]["schemas"]

#: What browsers open, not programs.
NOT_COVERED = {
    "redirect",
    "redirectHead",
    "getDocs",
    "getDocsAsset",
    "getConsole",
    "getConsoleAsset",
}

#: Operations that more than one function sends, or one of another name.
FUNCTIONS = {
    "createLinks": ("create_link", "create_links"),
    "createDeletion": ("create_deletion", "preview_deletion"),
    "getPublicKeys": ("get_jwks",),
}

#: Headers that the client does not send, and why: it keeps no copies of images.
NO_ARGUMENT = {"If-None-Match"}

#: Schemas whose dataclass has another name. Several may be one dataclass.
CLASSES = {
    "Deletion": "DeletionRecord",
    "NewErasure": "DeletionRecord",
    "PendingDeletion": "DeletionRecord",
    "PendingLinks": "DeletedLinks",
    "PendingErasure": "ErasedLinks",
    "PendingRestore": "RestoredLinks",
    "RemovedByKind": "Removed",
    "ReceiptPayload": "VerifiedReceipt",
    "UnsignedReceipt": "VerifiedReceipt",
    "UtmValues": "UtmParameters",
}

#: Schemas that are not dataclasses: errors, events, and bodies that are keyword arguments.
NOT_CLASSES = {
    "Bilingual",
    "DeletionByFilter",
    "DeletionByIds",
    "DeletionEvent",
    "ErasedLink",
    "FilterFields",
    "GatewayError",
    "HokoError",
    "LinkChanges",
    "LinkEvent",
    "LinkFortyError",
    "LinkIds",
    "LinkNotFoundError",
    "LinkReason",
    "NewApiKey",
    "NewInstall",
    "PublicKey",
    "PublicKeys",
    "RestoreEvent",
    "RestoredIds",
    "Taken",
}


@dataclass(frozen=True)
class Documented:
    id: str
    method: str
    path: str
    operation: dict[str, Any]

    @property
    def functions(self) -> list[Callable[..., Call[Any]]]:
        names = FUNCTIONS.get(self.id, (snake(self.id),))
        return [getattr(operations, name) for name in names if hasattr(operations, name)]


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


OPERATIONS = [
    Documented(operation["operationId"], method, path, operation)
    for (method, path), operation in openapi.operations().items()
    if operation["operationId"] not in NOT_COVERED
]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        found: dict[str, Any] = SCHEMAS[schema["$ref"].rsplit("/", 1)[1]]
        return found
    return schema


def body_members(operation: dict[str, Any]) -> set[str]:
    """The members of a request's body, of all its forms; "[]" for an array of texts."""
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    found: set[str] = set()
    for each in schema.get("anyOf", [schema]):
        form = resolved(each)
        if form.get("type") == "array":
            items = resolved(form["items"])
            found |= set(items.get("properties", {"[]": None}))
        found |= set(form.get("properties", {}))
    return found


def arguments(function: Callable[..., Any]) -> set[str]:
    """A function's arguments, an object's as its fields, in the API's spelling."""
    found: set[str] = set()
    for name in inspect.signature(function).parameters:
        if name in ("link", "links"):
            found |= {camel(each.name) for each in fields(models.NewLink)}
        elif name == "conditions":
            found |= {camel(each) for each in FilterArgs.__annotations__}
        else:
            found.add(camel(name))
    return found


@pytest.mark.parametrize("each", OPERATIONS, ids=lambda each: each.id)
def test_every_operation_is_covered_with_all_its_arguments(each: Documented) -> None:
    assert each.functions, f"unlink_client.operations has no {snake(each.id)}"
    parameters = {
        parameter["name"]
        for parameter in each.operation["parameters"]
        if parameter["name"] not in NO_ARGUMENT
    }
    expected = {"idempotencyKey" if name == "Idempotency-Key" else name for name in parameters}
    expected |= body_members(each.operation)
    given: set[str] = set().union(*(arguments(function) for function in each.functions))
    if "[]" in expected:
        # The body of DELETE /api/links is the array itself.
        expected = (expected - {"[]"}) | {"ids"}
    if each.id == "createDeletion":
        # A dry run is a separate function.
        given |= {"dryRun"}
    assert given == expected


@pytest.mark.parametrize("each", OPERATIONS, ids=lambda each: each.id)
def test_every_operation_is_sent_to_its_route(each: Documented) -> None:
    for function in each.functions:
        call = function(**_values(function))
        pattern = re.sub(r"\{\w+\}", "[^/]+", each.path)
        assert call.method == each.method
        assert re.fullmatch(pattern, call.path)
        takes_key = any(
            parameter["name"] == "Idempotency-Key" for parameter in each.operation["parameters"]
        )
        assert call.idempotent is takes_key
        assert call.needs_key is (each.operation.get("security") != [])


def test_every_operation_has_a_method() -> None:
    methods = "".join(path.read_text("utf-8") for path in PACKAGE.glob("aio/*.py"))
    assert [name for name in operations.__all__ if f"operations.{name}(" not in methods] == []


def _values(function: Callable[..., Any]) -> dict[str, Any]:
    """A value for each argument that must be given."""
    known: dict[str, Any] = {
        "link": models.NewLink(original_url="https://example.com/"),
        "links": [models.NewLink(original_url="https://example.com/")],
        "conditions": {},
        "ids": ["x"],
        "scopes": ["linksRead"],
    }
    parameters = inspect.signature(function).parameters.values()
    required = [each for each in parameters if each.default is inspect.Parameter.empty]
    values = {each.name: known.get(each.name, "x") for each in required}
    if function.__name__ in ("create_deletion", "preview_deletion"):
        values["ids"] = ["x"]
    return values


def schemas_by_class() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in SCHEMAS:
        if name not in NOT_CLASSES:
            found.setdefault(CLASSES.get(name, name), []).append(name)
    return found


@pytest.mark.parametrize(("kind", "schemas"), schemas_by_class().items())
def test_every_schema_is_a_dataclass_with_all_its_fields(kind: str, schemas: list[str]) -> None:
    found = _class(kind)
    assert found is not None, f"unlink_client.models has no {kind}"
    documented_fields = {name for schema in schemas for name in SCHEMAS[schema]["properties"]}
    if kind == "VerifiedReceipt":
        # What is signed does not say so itself.
        documented_fields -= {"signed"}
    assert set(fields_of(found)) == documented_fields
    required = [set(SCHEMAS[schema].get("required", ())) for schema in schemas]
    # Every form of it must decode.
    must = {name for name, (_, _, needed) in fields_of(found).items() if needed}
    assert must <= set.intersection(*required)


def _class(name: str) -> type[Any] | None:
    found: type[Any] | None = getattr(models, name, None) or getattr(receipts, name, None)
    return found


def test_the_filter_has_the_conditions_of_the_document() -> None:
    documented = SCHEMAS["FilterFields"]["properties"]
    assert {camel(each) for each in FilterArgs.__annotations__} == set(documented)


def test_every_status_of_an_error_has_a_class() -> None:
    statuses = {
        int(status)
        for operation in openapi.operations().values()
        for status in operation["responses"]
        if int(status) >= 400
    }
    assert statuses <= set(errors._BY_STATUS)


def test_every_member_of_an_error_can_be_read() -> None:
    members = set(SCHEMAS["HokoError"]["properties"]) - {"error"}
    source = inspect.getsource(errors)
    unread = {name for name in members if f'"{name}"' not in source}
    assert unread == set()
