"""A client that adds up what its calls cost, by DynamoDB's published rules.

The emulator reports no capacity for some calls and leaves indexes out for others. Sizes are of the
whole items, because a projection saves no capacity (DynamoDB Developer Guide, "Read consistency",
"DynamoDB item sizes and formats"): 4 KB a read unit when strongly consistent, half of it otherwise,
1 KB a write unit, and one more for each index entry that is added or removed.
"""

from __future__ import annotations

import json
import math
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.capacity import size as item_size

#: The key attributes of the tables' sparse indexes.
INDEX_KEYS = ("livePk", "openPk")


@dataclass
class Meter:
    """A DynamoDB client with ``reads`` and ``writes`` (units) and ``calls`` (by operation)."""

    client: Any
    reads: float = 0.0
    writes: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        real = getattr(self.client, operation)
        if not callable(real):
            return real  # type: ignore[no-any-return]

        def call(**parameters: Any) -> Any:
            # One at a time: calls in parallel would lose units of each other.
            with self._lock:
                self.calls[operation] += 1
                before = self._items(operation, parameters)
                response = real(**parameters)
                spent = self.reads
                getattr(self, f"_{operation}", lambda *_: None)(parameters, response, before)
                if operation in ("get_item", "query"):
                    # As DynamoDB reports it.
                    response["ConsumedCapacity"] = {"CapacityUnits": self.reads - spent}
                return response

        call.__name__ = operation
        return call

    def _items(self, operation: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """The whole items that a call is about to write or to read by key."""
        if operation in ("get_item", "update_item"):
            return [self._whole(parameters["TableName"], parameters["Key"])]
        if operation == "batch_get_item":
            return [
                self._whole(table, _decoded(key))
                for table, wanted in parameters["RequestItems"].items()
                for key in wanted["Keys"]
            ]
        return []

    def _whole(self, table: str, key: dict[str, Any]) -> dict[str, Any]:
        found = self.client.get_item(TableName=table, Key=key, ConsistentRead=True)
        return dict(found.get("Item") or {})

    def _read(self, size: int, strong: bool) -> None:
        self.reads += max(1, math.ceil(size / 4_096)) * (1.0 if strong else 0.5)

    def _get_item(self, parameters: dict[str, Any], _response: Any, items: list[Any]) -> None:
        self._read(item_size(items[0]), parameters.get("ConsistentRead", False))

    def _batch_get_item(self, parameters: dict[str, Any], _response: Any, items: list[Any]) -> None:
        [wanted] = parameters["RequestItems"].values()
        for item in items:
            self._read(item_size(item), wanted.get("ConsistentRead", False))

    def _query(self, parameters: dict[str, Any], response: Any, _items: list[Any]) -> None:
        if "FilterExpression" in parameters or "ProjectionExpression" in parameters:
            dropped = ("FilterExpression", "ProjectionExpression", "ExpressionAttributeNames")
            whole = {name: each for name, each in parameters.items() if name not in dropped}
            used = parameters["KeyConditionExpression"]
            whole["ExpressionAttributeValues"] = {
                name: value
                for name, value in parameters["ExpressionAttributeValues"].items()
                if name in used
            }
            whole["Limit"] = response["ScannedCount"] or 1
            response = self.client.query(**whole)
        size = sum(map(item_size, response["Items"]))
        self._read(size, parameters.get("ConsistentRead", False))

    def _put_item(self, parameters: dict[str, Any], _response: Any, _items: list[Any]) -> None:
        self._write(parameters["Item"])

    def _update_item(self, parameters: dict[str, Any], _response: Any, items: list[Any]) -> None:
        after = self._whole(parameters["TableName"], parameters["Key"])
        self._write(max(after, items[0], key=item_size))

    def _batch_execute_statement(
        self, parameters: dict[str, Any], _response: Any, _items: list[Any]
    ) -> None:
        # Of a soft delete: an item of at most 1 KB, and its entry in the index of live links.
        self.writes += 2 * len(parameters["Statements"])

    def _write(self, item: dict[str, Any]) -> None:
        self.writes += max(1, math.ceil(item_size(item) / 1_024))
        self.writes += sum(1 for name in INDEX_KEYS if name in item)


def _decoded(key: Any) -> dict[str, Any]:
    """A key of a call, which the code may have encoded itself."""
    if isinstance(key, dict):
        return key
    return dict(json.loads(key))
