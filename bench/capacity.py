"""Capacity units by DynamoDB's documented rules.

Developer Guide, "DynamoDB item sizes and formats", "DynamoDB read and write operations" and
"Working with global secondary indexes: write capacity": a strongly consistent read costs one read
unit per 4 KB of the item, a write one write unit per KB of the larger of the item before and
after, plus what its change costs in each index: one write to add or remove an index entry. A
transactional write costs double.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any


def size(item: dict[str, Any]) -> int:
    """Bytes of an item in DynamoDB's typed form, rounded up where the guide only estimates."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: dict[str, Any]) -> int:
    [(kind, content)] = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return len(content) // 2 + 2
    if kind == "B":
        # As sent: base64.
        return len(content) * 3 // 4 if isinstance(content, str) else len(content)
    if kind == "L":
        return 3 + sum(1 + _value_size(element) for element in content)
    if kind == "M":
        return 3 + len(content) + size(content)
    if kind == "SS":
        return sum(len(element.encode()) for element in content)
    return 1


def read_units(item: dict[str, Any]) -> int:
    """Of one strongly consistent read."""
    return max(1, math.ceil(size(item) / 4096))


def write_units(item: dict[str, Any], *, index_entries: int = 0) -> int:
    """Of one write, with the entries that it adds to or removes from indexes (of 1 KB at most)."""
    return max(1, math.ceil(size(item) / 1024)) + index_entries


def record_write_units(written: Iterable[dict[str, Any]]) -> int:
    """Of a deletion's record, from the bodies of its ``PutItem`` and ``UpdateItem`` calls, and of
    the puts of its transactions.

    An update is billed with the whole item: here the item that was put under the key and all that
    the update brings, an upper bound. Doubling the index part of a transaction is an upper bound
    too.
    """
    items: dict[str, int] = {}
    units = 0
    for call in written:
        item = call.get("Item")
        key = item or call["Key"]
        name = key["pk"]["S"] + " " + key["sk"]["S"]
        if item is not None:
            items[name] = size(item)
            indexed = int("openPk" in item)
        else:
            items[name] += size(call["ExpressionAttributeValues"])
            # The lease's end is part of the index key: a change removes one entry and adds another.
            indexed = 1 if "REMOVE" in call["UpdateExpression"] else 2
        times = 2 if call.get("transaction") else 1
        units += times * (max(1, math.ceil(items[name] / 1024)) + indexed)
    return units
