"""The ``clicks`` table: click events, eight shards a link.

Items: click ``pk={linkId}#{shard}``, ``sk=CLICK#{clickedAt}#{clickId}``; visitors of a day stand
beside them, days, installs and exports of a link under ``pk={linkId}``.

Every writer reads the link strongly in the same invocation. Together with the delay of the erase
queue this ensures that nothing is written after the receipt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from functions.aws.calls import ConditionFailed, backoff, call
from functions.aws.codec import from_item, runs, to_item
from functions.domain.errors import Unavailable
from functions.domain.ids import SHARDS, shard_of

#: Requests of one BatchWriteItem call (API limit).
WRITE_BATCH = 25

#: Items per page when a link is purged.
PAGE = 1_000

#: The partitions of a link: its clicks in eight, then everything else in one.
PARTITIONS = SHARDS + 1


class ClicksTable:
    """Writes and reads of click events."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def put(self, click: dict[str, Any]) -> None:
        """Record one click; safe to repeat."""
        # After a lost answer it may be there: a second record of it would be sent to the stream.
        not_there_yet = "attribute_not_exists(pk)"
        with suppress(ConditionFailed):
            call(
                self._client.put_item,
                TableName=self.name,
                Item=self.key(click) | to_item(click),
                ConditionExpression=not_there_yet,
            )

    @staticmethod
    def key(click: Mapping[str, Any]) -> dict[str, Any]:
        """The key of a click, from its ``id``, ``linkId`` and ``clickedAt``."""
        shard = shard_of(click["id"])
        return {
            "pk": {"S": f"{click['linkId']}#{shard}"},
            "sk": {"S": f"CLICK#{click['clickedAt']}#{click['id']}"},
        }

    def page(
        self,
        link_id: str,
        shard: int,
        *,
        after: str | None,
        until: str,
        limit: int | None = None,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Up to 1 MB of a shard's clicks, at most ``limit``, oldest first, and the sort key to
        continue after.

        From the sort key ``after`` (exclusive) to the time ``until``, strongly consistent.
        """
        parameters: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "pk=:shard AND sk BETWEEN :first AND :last",
            "ExpressionAttributeValues": to_item(
                {
                    ":shard": f"{link_id}#{shard}",
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
            parameters["ExclusiveStartKey"] = to_item({"pk": f"{link_id}#{shard}", "sk": after})
        answer = call(self._client.query, **parameters)
        last = answer.get("LastEvaluatedKey")
        return [from_item(item) for item in answer["Items"]], last["sk"]["S"] if last else None

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
            "ExpressionAttributeValues": {":partition": {"S": _partition(link_id, partition)}},
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
            left = list(batch)
            attempt = 0
            while left:
                answer = call(
                    self._client.batch_write_item,
                    RequestItems={self.name: left},
                )
                left = answer.get("UnprocessedItems", {}).get(self.name, [])
                attempt += 1
                if left and not backoff(attempt):
                    raise Unavailable


def _partition(link_id: str, partition: int) -> str:
    return f"{link_id}#{partition}" if partition < SHARDS else link_id
