"""Patches of MiniStack's DynamoDB, for the emulator's process and for tests that call it directly.

They correct one difference from DynamoDB and remove work that MiniStack repeats for each item. They
do not change any response.
"""

from __future__ import annotations

import copy
import json
import sys
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from types import SimpleNamespace
from typing import Any

_PATCHED_VERSION = "1.5.33"
_EXPRESSIONS = 4096


def check_version() -> None:
    """End the process if another version of MiniStack is installed than the patches are for."""
    version = metadata.version("ministack")
    if version != _PATCHED_VERSION:
        sys.exit(f"The patches are for MiniStack {_PATCHED_VERSION}; {version} is installed.")


def patch(dynamodb: Any) -> None:
    """Patch MiniStack's module `ministack.services.dynamodb`."""
    _record_partiql_updates(dynamodb)
    _parse_expressions_once(dynamodb)
    _parse_statements_once(dynamodb)
    _use_the_last_statement_again(dynamodb)
    _answer_statements_without_json(dynamodb)
    _copy_items_as_json(dynamodb)
    _measure_strings_first(dynamodb)
    _look_for_depth_in_documents(dynamodb)
    _find_handlers_of_items_first(dynamodb)


def _record_partiql_updates(dynamodb: Any) -> None:
    """Write a stream record for what a PartiQL statement updates; MiniStack writes none.

    DynamoDB does (Developer Guide, "Change data capture for DynamoDB Streams": every
    modification of an item).
    """
    in_partiql = threading.local()
    update, set_item = dynamodb._partiql_update, dynamodb._set_item

    def update_with_record(*arguments: Any, **keywords: Any) -> Any:
        in_partiql.now = True
        try:
            return update(*arguments, **keywords)
        finally:
            in_partiql.now = False

    def set_item_with_record(
        table: Any, pk: str, sk: str, item: Any, *more: Any, **named: Any
    ) -> Any:
        before = table["items"].get(pk, {}).get(sk)
        result = set_item(table, pk, sk, item, *more, **named)
        if getattr(in_partiql, "now", False):
            dynamodb._emit_stream_event(table["TableName"], "MODIFY", before, item)
        return result

    dynamodb._partiql_update = update_with_record
    dynamodb._set_item = set_item_with_record


def _parse_expressions_once(dynamodb: Any) -> None:
    """Cache everything that depends only on the text of an expression.

    MiniStack reads and checks the text again for each item that a query evaluates: four fifths of
    the time of a query.
    """
    tokenize = dynamodb._tokenize
    # A tuple, because all readers share it.
    dynamodb._tokenize = lru_cache(_EXPRESSIONS)(lambda text: tuple(tokenize(text)))
    dynamodb._condition_syntax_error = lru_cache(_EXPRESSIONS)(dynamodb._condition_syntax_error)
    for name in ("_check_redundant_parens", "_check_reserved_keyword_usage"):
        setattr(dynamodb, name, _once_for_tuples(getattr(dynamodb, name)))


def _once_for_tuples(check: Callable[..., Any]) -> Callable[..., Any]:
    """`check` with a cache of its results for tokens that come as a tuple."""
    remembered = lru_cache(_EXPRESSIONS)(check)

    def checked(tokens: Any, *more: Any) -> Any:
        return (remembered if type(tokens) is tuple else check)(tokens, *more)

    return checked


def _parse_statements_once(dynamodb: Any) -> None:
    """Parse a PartiQL statement once for all its parameters of the same types.

    MiniStack parses each statement of a batch, twice: 70 % of the time of a soft delete. What it
    parses depends on the types of the parameters, not on their values. If a value does not appear
    unchanged in the result, nothing is cached.
    """
    parse = dynamodb.parse_partiql_statement
    known: dict[tuple[str, ...], _Varying] = {}

    def parsed(statement: str, parameters: list[dict[str, Any]] | None) -> Any:
        values = parameters or []
        key = (statement, *[next(iter(value), "") for value in values])
        if key in known:
            return _with_values(known[key], values)
        result = parse(statement, parameters)
        if result["op"] in {"UPDATE", "DELETE"} and len(known) < _EXPRESSIONS:
            numbers = {id(value): number for number, value in enumerate(values)}
            found: list[int] = []
            # The caller adds to the result.
            names = tuple(result)
            members = [_with_places(result[name], numbers, found) for name in names]
            if sorted(found) == list(range(len(values))):
                known[key] = _Varying(lambda each: dict(zip(names, each, strict=True)), members)
        return result

    dynamodb.parse_partiql_statement = parsed


def _use_the_last_statement_again(dynamodb: Any) -> None:
    """Return the same for the same statement and parameters: the executor of a batch parses each
    statement, and so does that of single statements, which it calls.
    """
    parse = dynamodb._parse_partiql
    last: list[Any] = [None, None, None]

    def parsed(statement: str, parameters: Any) -> Any:
        nonlocal last
        known_statement, known_parameters, result = last
        if statement is known_statement and parameters is known_parameters and parameters:
            return result
        result = parse(statement, parameters)
        last = [statement, parameters, result]
        return result

    dynamodb._parse_partiql = parsed


def _answer_statements_without_json(dynamodb: Any) -> None:
    """Pass the result of a statement that returns no item from one executor to the other as it is.

    MiniStack encodes it, and decodes it again for the response of the batch.
    """
    respond, loads = dynamodb.json_response, dynamodb.json.loads
    nothing = b'{"Items": []}'

    def json_response(data: Any, *more: Any) -> Any:
        if data == {"Items": []} and not more:
            status, headers, _ = empty
            return status, {**headers}, nothing
        return respond(data, *more)

    empty = respond({"Items": []})
    dynamodb.json_response = json_response
    dynamodb.json = SimpleNamespace(
        **{
            **vars(dynamodb.json),
            "loads": lambda text: {"Items": []} if text is nothing else loads(text),
        }
    )


@dataclass(frozen=True)
class _Parameter:
    """The place of a parameter in a parsed statement."""

    number: int


@dataclass(frozen=True)
class _Varying:
    """A part of a parsed statement that has parameters in it."""

    build: Callable[[list[Any]], Any]
    members: list[Any]


def _with_places(node: Any, numbers: dict[int, int], found: list[int]) -> Any:
    """`node` with the places of its parameters, whose numbers are added to `found`.

    A part without parameters stays as it is: the executors change none.
    """
    if id(node) in numbers:
        found.append(numbers[id(node)])
        return _Parameter(numbers[id(node)])
    if type(node) not in {list, tuple}:
        return node
    count = len(found)
    members = [_with_places(each, numbers, found) for each in node]
    return _Varying(type(node), members) if len(found) > count else node


def _with_values(node: Any, values: list[dict[str, Any]]) -> Any:
    """The part of a statement with the values of its parameters."""
    kind = type(node)
    if kind is _Parameter:
        return values[node.number]
    if kind is _Varying:
        return node.build([_with_values(each, values) for each in node.members])
    return node


def _copy_items_as_json(dynamodb: Any) -> None:
    """Copy items as the JSON that they are; `copy.deepcopy` also looks for cycles."""

    def copied(value: Any) -> Any:
        if type(value) is dict:
            return {
                # Most values are {"S": "..."}.
                name: {**each}
                if type(each) is dict and len(each) == 1 and type(each.get("S")) is str
                else copied(each)
                for name, each in value.items()
            }
        if type(value) is list:
            return [copied(each) for each in value]
        if value is None or type(value) in {str, int, bool, float}:
            return value
        return copy.deepcopy(value)

    dynamodb.copy = SimpleNamespace(deepcopy=copied, copy=copy.copy)


def _measure_strings_first(dynamodb: Any) -> None:
    """Measure strings, which most values are, without a search for their type.

    MiniStack measures each item two or three times for a call: a fifth of its time. It also reads
    the text of each number three times.
    """
    other_size = dynamodb._attribute_value_size
    for name in ("_number_error", "_ddb_canonicalize_number", "_number_size_bytes"):
        setattr(dynamodb, name, _once_for_strings(getattr(dynamodb, name)))

    def value_size(value: Any) -> int:
        text = value.get("S") if type(value) is dict and len(value) == 1 else None
        if type(text) is str:
            return len(text) if text.isascii() else len(text.encode())
        size: int = other_size(value)
        return size

    def item_size(item: Any) -> int:
        if not isinstance(item, dict):
            return 0
        size = 0
        for name, value in item.items():
            text = value.get("S") if type(value) is dict and len(value) == 1 else None
            size += len(name) if name.isascii() else len(name.encode())
            size += len(text) if type(text) is str and text.isascii() else value_size(value)
        return size

    dynamodb._attribute_value_size = value_size
    dynamodb._item_size_bytes = item_size


def _look_for_depth_in_documents(dynamodb: Any) -> None:
    """Only a map or a list is nested. MiniStack looks into all values, twice for each write."""
    nesting_level = dynamodb._nesting_level

    def level_of(value: Any, depth: int = 1) -> int:
        if type(value) is dict and ("M" in value or "L" in value):
            depth = nesting_level(value, depth)
        return depth

    dynamodb._nesting_level = level_of


#: MiniStack's functions for the actions on items.
_HANDLERS = {
    "BatchExecuteStatement": "_batch_execute_statement",
    "BatchGetItem": "_batch_get_item",
    "BatchWriteItem": "_batch_write_item",
    "DeleteItem": "_delete_item",
    "GetItem": "_get_item",
    "PutItem": "_put_item",
    "Query": "_query",
    "Scan": "_scan",
    "TransactWriteItems": "_transact_write_items",
    "UpdateItem": "_update_item",
}


def _find_handlers_of_items_first(dynamodb: Any) -> None:
    """Call the function of an action on items at once. For each request MiniStack makes a table of
    the functions of all actions.
    """
    handle = dynamodb.handle_request

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: Any
    ) -> Any:
        name = _HANDLERS.get(headers.get("x-amz-target", "").rpartition(".")[2])
        if name is None:
            return await handle(method, path, headers, body, query)
        try:
            data = dynamodb.json.loads(body) if body else {}
        except json.JSONDecodeError:
            return await handle(method, path, headers, body, query)
        status, answered, content = getattr(dynamodb, name)(data)
        if isinstance(content, str):
            content = content.encode()
        answered["x-amz-crc32"] = str(zlib.crc32(content))
        return status, answered, content

    dynamodb.handle_request = handle_request


def _once_for_strings(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`read` with a cache of its results for strings."""
    remembered = lru_cache(_EXPRESSIONS)(read)
    return lambda value: (remembered if type(value) is str else read)(value)
