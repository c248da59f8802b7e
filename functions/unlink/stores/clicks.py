"""The ``clicks`` table: click events, eight shards a link.

Items: click ``pk={linkId}#{shard}``, ``sk=CLICK#{clickedAt}#{clickId}``; rollups and installs of
a link stand under ``pk={linkId}``.

Whoever writes here has read the link strongly in the same invocation: together with the delay of
an erasure's queue that is why nothing can arrive after its receipt.
"""

from __future__ import annotations

from typing import Any

from functions.unlink.clock import Deadline
from functions.unlink.ids import shard_of
from functions.unlink.stores.client import call
from functions.unlink.stores.items import to_item


class ClicksTable:
    """Writes and reads of click events."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def put(self, click: dict[str, Any], *, deadline: Deadline) -> None:
        """Record one click; a repeated call replaces it with itself."""
        shard = shard_of(click["id"])
        call(
            self._client.put_item,
            deadline=deadline,
            TableName=self.name,
            Item=to_item(
                {
                    "pk": f"{click['linkId']}#{shard}",
                    "sk": f"CLICK#{click['clickedAt']}#{click['id']}",
                }
                | click
            ),
        )
