"""The ``clicks`` table: click events, in one partition of a link or in eight shards more.

Items: click ``pk={linkId}`` or ``pk={linkId}#{shard}``, ``sk=CLICK#{clickedAt}#{clickId}``;
visitors of a day in the shards, days, installs and exports of a link under ``pk={linkId}``.

A new link has everything in the partition ``{linkId}``, and the attribute ``onePartition``. Before
a function writes to a shard, it has read the link without the attribute, or it removes the
attribute (:meth:`~functions.repositories.click_totals.ClickTotals.spread`). The attribute is never
set again. So an erased link that had it until the end has nothing in its shards
(docs/decisions/210-one-partition-until-a-link-is-busy.md).

Every writer reads the link strongly in the same invocation. Together with the delay of the erase
queue this ensures that nothing is written after the receipt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from functions.aws.calls import call, until_done
from functions.aws.codec import from_item, runs, to_item
from functions.aws.dynamodb import WRITE_BATCH, Table
from functions.domain.ids import SHARDS, shard_of

#: Items per page when a link is purged.
PAGE = 1_000

#: The partitions of a link: eight shards, then its own, with everything that is in no shard.
PARTITIONS = SHARDS + 1

OWN_PARTITION = SHARDS


class ClicksTable(Table):
    """Writes and reads of click events."""

    def put(self, click: dict[str, Any], *, one_partition: bool = False) -> None:
        """Record one click in its shard, or in the link's own partition; safe to repeat."""
        # After a lost response it may be there: a second record of it would be sent to the stream.
        self._create_item(self.key(click, one_partition=one_partition) | to_item(click))

    @staticmethod
    def key(click: Mapping[str, Any], *, one_partition: bool = False) -> dict[str, Any]:
        """The key of a click, from its ``id``, ``linkId`` and ``clickedAt``."""
        partition = OWN_PARTITION if one_partition else shard_of(click["id"])
        return {
            "pk": {"S": partition_key(click["linkId"], partition)},
            "sk": {"S": f"CLICK#{click['clickedAt']}#{click['id']}"},
        }

    def page(
        self,
        link_id: str,
        partition: int,
        *,
        after: str | None,
        until: str,
        limit: int | None = None,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Up to 1 MB of a partition's clicks, at most ``limit``, oldest first, and the sort key to
        continue after.

        From the sort key ``after`` (exclusive) to the time ``until``, strongly consistent.
        """
        pk = partition_key(link_id, partition)
        parameters: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "pk=:partition AND sk BETWEEN :first AND :last",
            "ExpressionAttributeValues": to_item(
                {
                    ":partition": pk,
                    ":first": "CLICK#",
                    # "$" sorts after "#", so all clicks of that millisecond are included.
                    ":last": f"CLICK#{until}$",
                }
            ),
            "ConsistentRead": True,
        }
        if limit is not None:
            parameters["Limit"] = limit
        if after is not None:
            parameters["ExclusiveStartKey"] = to_item({"pk": pk, "sk": after})
        response = call(self._client.query, **parameters)
        last = response.get("LastEvaluatedKey")
        return [from_item(item) for item in response["Items"]], last["sk"]["S"] if last else None

    # -- erase ------------------------------------------------------------------------------

    def first_page(
        self, link_id: str, partition: int, *, whole: bool = False
    ) -> list[dict[str, Any]]:
        """The first items of one of a link's partitions, in order; [] if nothing is left.

        Strongly consistent. Only keys are returned, unless ``whole``.
        """
        parameters: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "pk=:partition",
            "ExpressionAttributeValues": {":partition": {"S": partition_key(link_id, partition)}},
            "ConsistentRead": True,
            "Limit": PAGE,
        }
        if not whole:
            parameters["ProjectionExpression"] = "pk, sk"
        items: list[dict[str, Any]] = call(self._client.query, **parameters)["Items"]
        return items

    def write(
        self,
        *,
        put: Sequence[dict[str, Any]] = (),
        delete: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Put whole items and delete the items of these keys, 25 a call.

        Raises ``Unavailable`` at the deadline; every write is safe to repeat.
        """
        requests: list[dict[str, Any]] = [{"PutRequest": {"Item": item}} for item in put]
        requests += [
            {"DeleteRequest": {"Key": {"pk": item["pk"], "sk": item["sk"]}}} for item in delete
        ]
        for batch in runs(requests, WRITE_BATCH):
            until_done(self._write, batch)

    def _write(self, requests: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        response = call(self._client.batch_write_item, RequestItems={self.name: requests})
        unprocessed: list[dict[str, Any]] = response.get("UnprocessedItems", {}).get(self.name, [])
        return unprocessed


def partitions_of(*, one_partition: bool) -> range:
    """The numbers of the partitions that may hold something of a link."""
    return range(OWN_PARTITION if one_partition else 0, PARTITIONS)


def partition_key(link_id: str, partition: int) -> str:
    """The ``pk`` of one of a link's partitions."""
    return f"{link_id}#{partition}" if partition < OWN_PARTITION else link_id
