"""Slots of a workspace for deletions by filter whose links are found in the background.

Items of the ``deletions`` table: ``FILTERS#{workspaceId}``, ``SLOT#{n}`` → ``deletionId``,
``until`` (Unix seconds). A slot is claimed in the transaction that accepts its deletion, so
parallel requests cannot exceed the limit. A released slot has ``until`` 0, because no role may
delete from this table. A slot whose deletion is never resolved is free again at ``until``.
"""

from __future__ import annotations

import time
from typing import Any

from functions.aws.codec import primary_key
from functions.aws.dynamodb import Table

#: Maximum seconds of holding a slot: a resolution takes minutes, and may wait in a backlog.
SLOT_SECONDS = 3_600


class FilterSlots(Table):
    """Claims and releases slots; ``name`` is the ``deletions`` table."""

    def free(self, workspace_id: str, maximum: int) -> list[int]:
        """The numbers of the free slots out of ``maximum``, strongly consistent."""
        now = time.time()
        items = self._query(
            KeyConditionExpression="pk=:pk",
            ExpressionAttributeValues={":pk": {"S": f"FILTERS#{workspace_id}"}},
            ConsistentRead=True,
        )
        taken = {item["sk"]["S"] for item in items if float(item["until"]["N"]) > now}
        return [number for number in range(maximum) if _slot(number) not in taken]

    def claim_action(self, workspace_id: str, number: int, deletion_id: str) -> dict[str, Any]:
        """The transaction action that claims a slot for a deletion."""
        now = int(time.time())
        # If two requests saw the slot free, one of them fails here and takes another.
        slot_is_free = "attribute_not_exists(pk) OR #until<=:now"
        return {
            "Put": {
                "TableName": self.name,
                "Item": {
                    **_key(workspace_id, number),
                    "deletionId": {"S": deletion_id},
                    "until": {"N": str(now + SLOT_SECONDS)},
                },
                "ConditionExpression": slot_is_free,
                "ExpressionAttributeNames": {"#until": "until"},
                "ExpressionAttributeValues": {":now": {"N": str(now)}},
            }
        }

    def release(self, workspace_id: str, number: int, deletion_id: str) -> None:
        """Free a slot that this deletion holds; safe to repeat."""
        still_held = "deletionId=:deletion"
        self._update_item(
            _key(workspace_id, number),
            "SET #until=:none",
            condition=still_held,
            values={":deletion": {"S": deletion_id}, ":none": {"N": "0"}},
        )


def _slot(number: int) -> str:
    return f"SLOT#{number:03d}"


def _key(workspace_id: str, number: int) -> dict[str, Any]:
    return primary_key(f"FILTERS#{workspace_id}", _slot(number))
