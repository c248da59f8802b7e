"""A scan of the tests returns the items that boto3's client returns."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.emulator import client
from tests.support.scans import scan

_ITEMS: tuple[dict[str, Any], ...] = (
    {"id": {"S": "plain"}, "count": {"N": "1"}, "tags": {"L": [{"S": "a"}, {"NULL": True}]}},
    {"id": {"S": "binary"}, "ids": {"B": b"\x00\xff"}, "set": {"BS": [b"a", b"\xfe"]}},
    {
        "id": {"S": "nested"},
        "map": {"M": {"raw": {"B": b"\x01"}, "list": {"L": [{"B": b"\x02"}, {"SS": ["b"]}]}}},
    },
)


@pytest.mark.parametrize("items", [_ITEMS[:1], _ITEMS], ids=["without bytes", "with bytes"])
def test_every_item_is_read(emulator_url: str, items: tuple[dict[str, Any], ...]) -> None:
    dynamodb = client(emulator_url, "dynamodb")
    table = f"scans-{len(items)}"
    dynamodb.create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for item in items:
        dynamodb.put_item(TableName=table, Item=item)

    found = list(scan(emulator_url, table, Limit=2))

    assert found == dynamodb.scan(TableName=table)["Items"]
    assert sorted(found, key=str) == sorted(items, key=str)


def test_the_error_of_a_scan_is_raised(emulator_url: str) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        list(scan(emulator_url, "nothing"))
