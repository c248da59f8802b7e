"""Patches of MiniStack's DynamoDB, for the emulator's process and for tests that call it directly.

They correct one difference from DynamoDB and take out work that MiniStack repeats for each item. No
request is answered in another way for it.
"""

from __future__ import annotations

import copy
import sys
import threading
from collections.abc import Callable
from functools import lru_cache
from importlib import metadata
from types import SimpleNamespace
from typing import Any

_PATCHED_VERSION = "1.5.33"
_EXPRESSIONS = 4096


def check_version() -> None:
    """End the process if another version of MiniStack is installed than the patches are for."""
    found = metadata.version("ministack")
    if found != _PATCHED_VERSION:
        sys.exit(f"The patches are for MiniStack {_PATCHED_VERSION}; {found} is installed.")


def patch(dynamodb: Any) -> None:
    """Patch MiniStack's module `ministack.services.dynamodb`."""
    _record_partiql_updates(dynamodb)
    _parse_expressions_once(dynamodb)
    _copy_items_as_json(dynamodb)


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
    """Remember what only depends on the text of an expression.

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
    """`check`, which remembers its result for tokens that come as a tuple."""
    remembered = lru_cache(_EXPRESSIONS)(check)

    def checked(tokens: Any, *more: Any) -> Any:
        return (remembered if type(tokens) is tuple else check)(tokens, *more)

    return checked


def _copy_items_as_json(dynamodb: Any) -> None:
    """Copy items as the JSON that they are; `copy.deepcopy` also looks for cycles."""

    def copied(value: Any) -> Any:
        if type(value) is dict:
            return {key: copied(each) for key, each in value.items()}
        if type(value) is list:
            return [copied(each) for each in value]
        if value is None or type(value) in {str, int, bool, float}:
            return value
        return copy.deepcopy(value)

    dynamodb.copy = SimpleNamespace(deepcopy=copied, copy=copy.copy)
