"""Claims of unfinished exports: one per link, and as many per workspace as its plan allows.

Items of the ``clicks`` table, claimed in the transaction that creates the export's record:

- ``{linkId}``, ``EXPORT#OPEN``: the link's unfinished export. An erasure removes it with the link.
- ``EXPORTS#{workspaceId}``, ``SLOT#{n}``: one slot of the workspace. It does not name the link, so
  an erased link leaves nothing here. An export that belongs to a deletion claims only a slot, in
  the transaction that accepts the deletion; its ``exportId`` is the deletion's id.

Both have ``exportId`` and ``until`` (Unix seconds). The worker extends ``until`` while it works. At
the end it sets ``until`` to 0 and removes ``exportId``, so that a renewal that is carried out late
has no effect. A claim without a worker is free again at ``until``.
"""

from __future__ import annotations

import time
from typing import Any

from functions.aws.codec import primary_key
from functions.aws.dynamodb import Table

#: Seconds that a claim is held without progress. The queue's backlog may delay the first run. An
#: export without progress for so long counts as failed.
HELD_SECONDS = 6 * 3600

#: The sort key of a link's unfinished export. It has the prefix of export records.
OPEN = "EXPORT#OPEN"


class OpenExports(Table):
    """Claims and releases; ``name`` is the ``clicks`` table."""

    def of_link(self, link_id: str) -> str | None:
        """The id of the link's unfinished export, strongly consistent; None without a claim."""
        item = self._read_item(_link_key(link_id))
        if item is None or int(item["until"]["N"]) <= time.time():
            return None
        return str(item["exportId"]["S"])

    def free(self, workspace_id: str, maximum: int) -> list[int]:
        """The numbers of a workspace's free slots out of ``maximum``, strongly consistent."""
        items = self._query(
            KeyConditionExpression="pk=:pk",
            ExpressionAttributeValues={":pk": {"S": f"EXPORTS#{workspace_id}"}},
            ConsistentRead=True,
        )
        now = time.time()
        taken = {item["sk"]["S"] for item in items if int(item["until"]["N"]) > now}
        return [number for number in range(maximum) if f"SLOT#{number:03d}" not in taken]

    def claim_actions(self, record: dict[str, Any], *, ended: str | None) -> list[dict[str, Any]]:
        """The transaction actions that claim the record's link and its ``slot``.

        ``ended`` is a finished export that still has the claim of the link.
        """
        return [
            self._claim(_link_key(record["linkId"]), record["id"], ended),
            self.slot_action(record["workspaceId"], record["slot"], record["id"]),
        ]

    def slot_action(self, workspace_id: str, number: int, export_id: str) -> dict[str, Any]:
        """The transaction action that claims one slot of a workspace."""
        return self._claim(_slot_key(workspace_id, number), export_id, None)

    def renew(self, record: dict[str, Any]) -> None:
        """Extend the claims; claims that another export has by now are not changed.

        A ``record`` without ``linkId`` or ``slot`` has no claim of that kind.
        """
        self._move(record, "SET #until=:until", int(time.time()) + HELD_SECONDS)

    def release(self, record: dict[str, Any]) -> None:
        """Release the claims of the link and the workspace; safe to repeat."""
        self._move(record, "SET #until=:until REMOVE exportId", 0)

    def _claim(self, key: dict[str, Any], export_id: str, ended: str | None) -> dict[str, Any]:
        now = int(time.time())
        # Of two parallel requests one must fail on the claim of the other.
        is_free = "attribute_not_exists(pk) OR #until<=:now OR exportId=:ended"
        return {
            "Put": {
                "TableName": self.name,
                "Item": key
                | {
                    "exportId": {"S": export_id},
                    "until": {"N": str(now + HELD_SECONDS)},
                    # Much later: only so that removed workspaces leave no items.
                    "ttl": {"N": str(now + 30 * 86_400)},
                },
                "ConditionExpression": is_free,
                "ExpressionAttributeNames": {"#until": "until"},
                "ExpressionAttributeValues": {
                    ":now": {"N": str(now)},
                    ":ended": {"S": ended or ""},
                },
            }
        }

    def _move(self, record: dict[str, Any], changes: str, until: int) -> None:
        keys = [_link_key(record["linkId"])] if "linkId" in record else []
        if "slot" in record:
            keys.append(_slot_key(record["workspaceId"], record["slot"]))
        for key in keys:
            still_ours = "exportId=:export"
            self._update_item(
                key,
                changes,
                condition=still_ours,
                values={":export": {"S": record["id"]}, ":until": {"N": str(until)}},
            )


def _link_key(link_id: str) -> dict[str, Any]:
    return primary_key(link_id, OPEN)


def _slot_key(workspace_id: str, number: int) -> dict[str, Any]:
    return primary_key(f"EXPORTS#{workspace_id}", f"SLOT#{number:03d}")
