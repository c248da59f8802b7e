"""A temporary table with an index, on the endpoint that is checked."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from functions.aws.codec import from_item, to_item

INDEX = "live"


@dataclass
class Table:
    """The client, the table's name, and a partition that no other check uses."""

    client: Any
    name: str
    pk: str

    def key(self, sk: str = "ITEM") -> dict[str, Any]:
        return {"pk": {"S": self.pk}, "sk": {"S": sk}}

    def put(self, attributes: dict[str, Any] | None = None, sk: str = "ITEM") -> None:
        item = self.key(sk) | to_item(attributes or {})
        self.client.put_item(TableName=self.name, Item=item)

    def remove(self, sk: str = "ITEM") -> None:
        self.client.delete_item(TableName=self.name, Key=self.key(sk))

    def item(self, sk: str = "ITEM") -> dict[str, Any] | None:
        """The item without its key, read strongly; None when there is none."""
        found = self.client.get_item(TableName=self.name, Key=self.key(sk), ConsistentRead=True)
        return plain(found["Item"]) if "Item" in found else None


def plain(item: dict[str, Any]) -> dict[str, Any]:
    """An item's attributes without its key."""
    return {name: value for name, value in from_item(item).items() if name not in ("pk", "sk")}


def error_of(error: ClientError) -> str:
    return error.response["Error"]["Code"]


@contextmanager
def throw_away_table(client: Any) -> Iterator[str]:
    """The name of a new table with the index `live`; it is deleted at the end."""
    name = f"unlink-differential-{uuid.uuid4().hex[:8]}"
    strings = ("pk", "sk", "livePk", "liveSk")
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in strings],
        KeySchema=_schema("pk", "sk"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": INDEX,
                "KeySchema": _schema("livePk", "liveSk"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    try:
        client.get_waiter("table_exists").wait(TableName=name)
        yield name
    finally:
        client.delete_table(TableName=name)


def _schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]
