"""Converts between DynamoDB's typed items and plain dicts. boto3's serializer is not used:
importing boto3 loads its S3 transfer manager, a third of the redirect's cold start, and its
serializer takes several times as long per item.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


def to_item(record: dict[str, Any]) -> dict[str, Any]:
    """A plain dict in DynamoDB's typed form; None and absent are the same.

    Text, integers, ``bool``, ``bytes``, lists, dicts and sets of text.
    """
    return {key: _typed(value) for key, value in record.items() if value is not None}


def from_item(item: dict[str, Any]) -> dict[str, Any]:
    """The inverse of :func:`to_item`. Every stored number is an integer."""
    # Most attributes are text: an export reads millions.
    return {
        key: value["S"] if "S" in value else from_attribute(value) for key, value in item.items()
    }


def primary_key(pk: str, sk: str) -> dict[str, Any]:
    """The key of an item in DynamoDB's typed form; every table has ``pk`` and ``sk``, both text."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def runs(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """``items`` in runs of at most ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _typed(value: Any) -> dict[str, Any]:
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case None:
            return {"NULL": True}
        case dict():
            return {"M": {key: _typed(part) for key, part in value.items()}}
        case list() | tuple():
            return {"L": [_typed(part) for part in value]}
        case bytes() | bytearray():
            return {"B": bytes(value)}
        case set() | frozenset():
            return {"SS": sorted(value)}
    raise TypeError(f"DynamoDB has no type for {type(value).__name__}")


def from_attribute(typed: dict[str, Any]) -> Any:
    """The plain value of one typed attribute."""
    [(kind, value)] = typed.items()
    match kind:
        case "S" | "BOOL" | "B":
            return value
        case "N":
            return int(value)
        case "M":
            return {key: from_attribute(part) for key, part in value.items()}
        case "L":
            return [from_attribute(part) for part in value]
        case "NULL":
            return None
        case "SS":
            return set(value)
    raise TypeError(f"unexpected DynamoDB type {kind}")
