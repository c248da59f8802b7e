"""The sparse index ``open``: deletions and restores with work left, by a time.

Its partitions are named by the kind of work and a shard. The sort key begins with a time: for work
that a worker leases, when the lease expires.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from functions.aws.codec import to_item
from functions.aws.dynamodb import Table
from functions.domain.ids import shard_of

#: Shards of each kind.
OPEN_SHARDS = 4


def open_shard(kind: str, time_ordered_id: str) -> str:
    """Where the index has the work of this deletion or restore."""
    return f"{kind}#{shard_of(time_ordered_id) % OPEN_SHARDS}"


class OpenIndex(Table):
    """A repository of the ``deletions`` table that reads the index."""

    def _open_items(
        self, kind: str, *, before: str | None = None, limit: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """The keys of the items of this kind, earliest first, at most ``limit`` per shard; with
        ``before`` only those whose time has come by then.
        """
        condition = "openPk=:shard" + ("" if before is None else " AND openSk<:before")
        page = {} if limit is None else {"Limit": limit}
        for shard in range(OPEN_SHARDS):
            items = self._query(
                IndexName="open",
                KeyConditionExpression=condition,
                ExpressionAttributeValues=to_item({":shard": f"{kind}#{shard}", ":before": before}),
                **page,
            )
            yield from islice(items, limit)
