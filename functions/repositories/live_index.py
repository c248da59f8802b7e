"""The index of live links: their ids, newest first."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

from functions.aws.calls import call
from functions.aws.dynamodb import Table
from functions.aws.parallel import in_parallel
from functions.domain.ids import SHARDS
from functions.repositories.link_items import LIVE_INDEX, live_shard


class LiveIndex(Table):
    """Reads the index, which is eventually consistent: read a link before you show it."""

    def ids(
        self, workspace_id: str, *, after: str | None, page: int, since: str | None = None
    ) -> Iterator[tuple[str, str]]:
        """``(position, link_id)`` newest first, merged from the shards, from below ``after``.

        ``after`` is a position or a moment; ``since`` is the moment after which links were
        created. Lazy: a shard's next ``page`` keys are read only when the merge reaches them.
        """
        shards = [
            self._shard(live_shard(workspace_id, shard), after=after, since=since, page=page)
            for shard in range(SHARDS)
        ]
        first_pages = in_parallel(next, shards)
        started = [_chain(first, shard) for first, shard in zip(first_pages, shards, strict=True)]
        yield from heapq.merge(*started, key=itemgetter(0), reverse=True)

    def count(self, workspace_id: str) -> int:
        """The number of live links; 27 of them cost half a read unit."""

        def count_shard(shard: int) -> int:
            parameters = self._shard_query(live_shard(workspace_id, shard)) | {"Select": "COUNT"}
            found: int = 0
            while True:
                response = call(self._client.query, **parameters)
                found += int(response["Count"])
                if "LastEvaluatedKey" not in response:
                    return found
                parameters["ExclusiveStartKey"] = response["LastEvaluatedKey"]

        return sum(in_parallel(count_shard, range(SHARDS)))

    def _shard_query(self, shard: str) -> dict[str, Any]:
        return {
            "TableName": self.name,
            "IndexName": LIVE_INDEX,
            "KeyConditionExpression": "livePk=:shard",
            "ExpressionAttributeValues": {":shard": {"S": shard}},
        }

    def _shard(
        self, shard: str, *, after: str | None, since: str | None, page: int
    ) -> Iterator[list[tuple[str, str]]]:
        parameters = self._shard_query(shard) | {"ScanIndexForward": False, "Limit": page}
        values = parameters["ExpressionAttributeValues"]
        if after is not None:
            values[":after"] = {"S": after}
        if since is not None:
            # "$" follows "#": behind every link of exactly that moment.
            values[":since"] = {"S": f"{since}$"}
        if after is not None and since is not None:
            if after < f"{since}$":
                yield []
                return
            # Both ends are inclusive; ``after`` itself is dropped below.
            parameters["KeyConditionExpression"] += " AND liveSk BETWEEN :since AND :after"
        elif after is not None:
            parameters["KeyConditionExpression"] += " AND liveSk<:after"
        elif since is not None:
            parameters["KeyConditionExpression"] += " AND liveSk>:since"
        while True:
            response = call(self._client.query, **parameters)
            yield [
                (item["liveSk"]["S"], item["pk"]["S"].rpartition("#")[2])
                for item in response["Items"]
                if item["liveSk"]["S"] != after
            ]
            if "LastEvaluatedKey" not in response:
                return
            parameters["ExclusiveStartKey"] = response["LastEvaluatedKey"]


def _chain(
    first: list[tuple[str, str]], rest: Iterator[list[tuple[str, str]]]
) -> Iterator[tuple[str, str]]:
    yield from first
    for page in rest:
        yield from page
