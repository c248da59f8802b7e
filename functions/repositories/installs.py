"""Installs in the ``clicks`` table, under their link, so that an erasure removes them.

Items: install ``pk={linkId}``, ``sk=INSTALL#{installedAt}#{id}``, with ``linkId`` and ``clickId``,
which also contains the link's id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.aws.calls import TransactionCancelled, call
from functions.aws.codec import from_item, primary_key, to_item
from functions.aws.dynamodb import Table
from functions.aws.parallel import in_parallel
from functions.domain.errors import InternalError
from functions.domain.link import Link
from functions.repositories.clicks import ClicksTable, partition_key, partitions_of
from functions.repositories.idempotency import transact_once
from functions.repositories.link_items import IS_LIVE, link_key

#: Clicks of a partition that are read first, when searching for the last one that is not a bot's.
NEWEST_CLICKS = 50


class InstallsTable(Table):
    """Records installs, and finds the clicks that led to them."""

    def __init__(self, client: Any, *, clicks: str, links: str) -> None:
        super().__init__(client, clicks)
        self._links = links

    def has_click(self, link: Link, click_id: str, clicked_at: str) -> bool:
        """Whether this click was recorded."""
        click = {"id": click_id, "linkId": link.id, "clickedAt": clicked_at}
        places = [True] if link.one_partition else [False, True]
        keys = (ClicksTable.key(click, one_partition=place) for place in places)
        return any(self._read_item(key) is not None for key in keys)

    def last_click(self, link: Link, since: str, until: str) -> str | None:
        """The id of the last click of a person between two moments, strongly consistent."""

        def of_partition(partition: int) -> tuple[str, str] | None:
            parameters: dict[str, Any] = {
                "KeyConditionExpression": "pk=:pk AND sk BETWEEN :since AND :until",
                "FilterExpression": "isBot=:false",
                "ProjectionExpression": "clickedAt, id",
                "ExpressionAttributeValues": {
                    ":pk": {"S": partition_key(link.id, partition)},
                    ":since": {"S": f"CLICK#{since}"},
                    # "$" sorts after "#", so all clicks of that millisecond are included.
                    ":until": {"S": f"CLICK#{until}$"},
                    ":false": {"BOOL": False},
                },
                "ScanIndexForward": False,
                "ConsistentRead": True,
            }
            first = call(self._client.query, TableName=self.name, Limit=NEWEST_CLICKS, **parameters)
            newest = first["Items"]
            if not newest and (last := first.get("LastEvaluatedKey")):
                # All were bots': read whole pages, because there may be very many.
                newest = self._query(ExclusiveStartKey=last, **parameters)
            return next(((item["clickedAt"]["S"], item["id"]["S"]) for item in newest), None)

        partitions = partitions_of(one_partition=link.one_partition)
        found = [click for click in in_parallel(of_partition, partitions) if click]
        return max(found)[1] if found else None

    def get(self, link_id: str, installed_at: str, install_id: str) -> dict[str, Any] | None:
        """An install; None if an erasure of its link removed or detached it."""
        key = primary_key(link_id, f"INSTALL#{installed_at}#{install_id}")
        item = self._read_item(key)
        return from_item(item) if item else None

    def record(
        self,
        workspace_id: str,
        install: Mapping[str, Any],
        *,
        claim: dict[str, Any] | None,
    ) -> bool:
        """Put an install and count it on its day, in one transaction; False if the link is not
        live.

        ``claim`` is the action that claims its Idempotency-Key; raises ``KeyTaken`` if another
        request used the key first.
        """
        link_id, installed_at = install["linkId"], install["installedAt"]
        actions: list[dict[str, Any]] = [
            {
                "ConditionCheck": {
                    "TableName": self._links,
                    "Key": link_key(workspace_id, link_id),
                    "ConditionExpression": IS_LIVE,
                }
            },
            {
                "Put": {
                    "TableName": self.name,
                    "Item": to_item(
                        {
                            "pk": link_id,
                            "sk": f"INSTALL#{installed_at}#{install['id']}",
                            **install,
                            "workspaceId": workspace_id,
                        }
                    ),
                }
            },
            {
                # The condition on the link, in the same transaction, excludes erased links.
                "Update": {
                    "TableName": self.name,
                    "Key": primary_key(link_id, f"DAY#{installed_at[:10]}"),
                    "UpdateExpression": "ADD installs :one, #platform :one",
                    "ExpressionAttributeNames": {"#platform": f"install:{install['platform']}"},
                    "ExpressionAttributeValues": {":one": {"N": "1"}},
                }
            },
        ]
        try:
            transact_once(self._client, actions, claim)
        except TransactionCancelled as cancelled:
            if cancelled.refused[0]:
                return False
            raise InternalError from cancelled
        return True
