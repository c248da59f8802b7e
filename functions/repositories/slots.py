"""Slots: numbered claims of a workspace, which may have a limited number at a time.

Items: ``{partition}#{workspaceId}``, ``SLOT#{n}`` → the id of the holder and ``until`` (Unix
seconds). A slot is claimed in the transaction that creates its holder, so parallel requests cannot
exceed the limit. It is free again at ``until``, which a holder extends while it works. A released
slot has ``until`` 0 and no holder, so that a renewal that is carried out late has no effect. (No
role may delete from the ``deletions`` table.)
"""

from __future__ import annotations

import time
from typing import Any

from functions.aws.codec import primary_key, to_item
from functions.aws.dynamodb import Table


class Slots(Table):
    """Claims and releases slots; derived classes say which."""

    partition: str
    #: The attribute with the id of the holder.
    holder: str
    #: Seconds that a slot is held without progress.
    seconds: int

    def free(self, workspace_id: str, maximum: int) -> list[int]:
        """The numbers of the free slots out of ``maximum``, strongly consistent."""
        items = self._items_of(f"{self.partition}#{workspace_id}")
        now = time.time()
        taken = {item["sk"]["S"] for item in items if int(item["until"]["N"]) > now}
        return [number for number in range(maximum) if _slot(number) not in taken]

    def claim_action(self, workspace_id: str, number: int, holder_id: str) -> dict[str, Any]:
        """The transaction action that claims one slot."""
        return self._claim(self._slot_key(workspace_id, number), holder_id)

    def renew_slot(self, workspace_id: str, number: int, holder_id: str) -> None:
        """Extend a slot, unless another has it by now."""
        self._extend(self._slot_key(workspace_id, number), holder_id)

    def release_slot(self, workspace_id: str, number: int, holder_id: str) -> None:
        """Free a slot that this holder has; safe to repeat."""
        self._free(self._slot_key(workspace_id, number), holder_id)

    def _slot_key(self, workspace_id: str, number: int) -> dict[str, Any]:
        return primary_key(f"{self.partition}#{workspace_id}", _slot(number))

    def _claim(
        self, key: dict[str, Any], holder_id: str, *, ended: str | None = None
    ) -> dict[str, Any]:
        """The action of a claim; ``ended`` is a holder whose claim may be replaced."""
        now = int(time.time())
        # Of two parallel requests one must fail on the claim of the other.
        is_free = "attribute_not_exists(pk) OR #until<=:now OR #holder=:ended"
        # The TTL is much later: only so that removed workspaces leave no items.
        claim = {self.holder: holder_id, "until": now + self.seconds, "ttl": now + 30 * 86_400}
        return {
            "Put": {
                "TableName": self.name,
                "Item": key | to_item(claim),
                "ConditionExpression": is_free,
                "ExpressionAttributeNames": {"#until": "until", "#holder": self.holder},
                "ExpressionAttributeValues": to_item({":now": now, ":ended": ended or ""}),
            }
        }

    def _extend(self, key: dict[str, Any], holder_id: str) -> None:
        """Extend a claim, unless another has it by now."""
        self._move(key, holder_id, "SET #until=:until", int(time.time()) + self.seconds)

    def _free(self, key: dict[str, Any], holder_id: str) -> None:
        """Release a claim, unless another has it by now; safe to repeat."""
        self._move(key, holder_id, f"SET #until=:until REMOVE #{self.holder}", 0)

    def _move(self, key: dict[str, Any], holder_id: str, changes: str, until: int) -> None:
        still_held = f"#{self.holder}=:holder"
        self._update_item(
            key,
            changes,
            condition=still_held,
            values=to_item({":holder": holder_id, ":until": until}),
        )


def _slot(number: int) -> str:
    return f"SLOT#{number:03d}"
