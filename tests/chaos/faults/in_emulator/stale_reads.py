"""Eventually consistent reads that return a table as it was a moment ago.

DynamoDB says of an eventually consistent read that it "might not reflect the results of a
recently completed write" (Developer Guide, "DynamoDB read consistency"). MiniStack never does it,
so a read that has to be strong and is not would pass all tests.
"""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from ministack.services import dynamodb

from .decisions import Decisions

_REMEMBERED = 10_000

_by_function: contextvars.ContextVar[bool] = contextvars.ContextVar("by_function", default=False)


@contextlib.contextmanager
def by_function() -> Iterator[None]:
    """Reads in this block are those of a function."""
    token = _by_function.set(True)
    try:
        yield
    finally:
        _by_function.reset(token)


class StaleReads:
    """Stores what writes replaced, and undoes them during one read.

    MiniStack answers DynamoDB's calls one by one in its event loop, so no other call sees it.
    """

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        # Per table: when, and the keys and the item (or None) before.
        self._before: dict[int, deque[tuple[float, str, str, Any]]] = {}
        self._set: Callable[..., Any] = dynamodb._set_item
        self._remove: Callable[..., Any] = dynamodb._remove_item
        dynamodb._set_item = self._remember(self._set)
        dynamodb._remove_item = self._remember(self._remove)
        dynamodb._get_item = self._maybe_stale("GetItem", dynamodb._get_item)
        dynamodb._query = self._maybe_stale("Query", dynamodb._query)
        dynamodb._batch_get_item = self._maybe_stale("BatchGetItem", dynamodb._batch_get_item)

    def _remember(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def remembered(table: Any, pk: str, sk: str, *item: Any) -> Any:
            if self._decisions.active:
                before = self._before.setdefault(id(table), deque(maxlen=_REMEMBERED))
                old = table["items"].get(pk, {}).get(sk)
                before.append((time.monotonic(), pk, sk, old))
            return write(table, pk, sk, *item)

        return remembered

    def _maybe_stale(self, operation: str, read: Callable[..., Any]) -> Callable[..., Any]:
        def maybe_stale(data: Any) -> Any:
            tables = _weakly_read(operation, data) if _by_function.get() else []
            if not tables:
                return read(data)
            rates = self._decisions.rates
            fault, dice = self._decisions.draw(f"weak {operation}", stale=rates.stale)
            if fault is None:
                return read(data)
            since = time.monotonic() - dice.uniform(0, rates.stale_seconds)
            with contextlib.ExitStack() as restored:
                undone = [restored.enter_context(self._as_of(since, each)) for each in tables]
                response = read(data)
            if any(undone):
                self._decisions.count("stale reads")
            return response

        return maybe_stale

    @contextlib.contextmanager
    def _as_of(self, since: float, name: str) -> Iterator[bool]:
        """Undo what was written to a table since then; yields whether there was anything."""
        table = dynamodb._tables.get(name)
        earlier: dict[tuple[str, str], Any] = {}
        for when, pk, sk, old in reversed(self._before.get(id(table), ())):
            if when < since:
                break
            earlier[pk, sk] = old
        now = {(pk, sk): table["items"].get(pk, {}).get(sk) for pk, sk in earlier}
        self._put(table, earlier)
        try:
            yield bool(earlier)
        finally:
            self._put(table, now)

    def _put(self, table: Any, items: dict[tuple[str, str], Any]) -> None:
        for (pk, sk), item in items.items():
            if item is None:
                self._remove(table, pk, sk)
            else:
                self._set(table, pk, sk, item)


def _weakly_read(operation: str, data: dict[str, Any]) -> list[str]:
    """The tables that a request reads with eventual consistency."""
    if operation == "BatchGetItem":
        wanted: dict[str, Any] = data.get("RequestItems") or {}
        return [name for name, asked in wanted.items() if not asked.get("ConsistentRead")]
    return [] if data.get("ConsistentRead") else [str(data.get("TableName"))]
