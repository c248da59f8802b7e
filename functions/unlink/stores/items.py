"""DynamoDB's typed items and plain dicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def to_item(record: dict[str, Any]) -> dict[str, Any]:
    """A plain dict in DynamoDB's typed form; None and absent are the same."""
    return {key: _serialize(value) for key, value in record.items() if value is not None}


def from_item(item: dict[str, Any]) -> dict[str, Any]:
    """The inverse of :func:`to_item`; numbers are ``Decimal``."""
    return {key: _deserialize(value) for key, value in item.items()}


def runs(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """``items`` in runs of at most ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
