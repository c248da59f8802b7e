"""The sparse index ``open``: deletions and restores with work left, by when their lease expires."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from functions.aws.calls import call
from functions.domain.clock import iso

#: Shards of the index of open deletions.
OPEN_SHARDS = 4


def expired_lease_items(
    client: Any, table: str, kind: str, *, limit: int
) -> Iterator[dict[str, Any]]:
    """Keys of open items of this kind with an expired lease, at most ``limit`` per shard."""
    for shard in range(OPEN_SHARDS):
        yield from call(
            client.query,
            TableName=table,
            IndexName="open",
            KeyConditionExpression="openPk=:shard AND openSk<:now",
            ExpressionAttributeValues={
                ":shard": {"S": f"{kind}#{shard}"},
                ":now": {"S": iso(time.time())},
            },
            Limit=limit,
        )["Items"]
