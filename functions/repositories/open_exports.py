"""Claims of unfinished exports: one per link, and as many per workspace as its plan allows.

Items of the ``clicks`` table, claimed in the transaction that creates the export's record:

- ``{linkId}``, ``EXPORT#OPEN``: the link's unfinished export. An erasure removes it with the link.
- ``EXPORTS#{workspaceId}``: the slots of the workspace (:mod:`~functions.repositories.slots`). They
  do not name the link, so an erased link leaves nothing here. An export that belongs to a deletion
  claims only a slot, in the transaction that accepts the deletion; its ``exportId`` is the
  deletion's id.
"""

from __future__ import annotations

import time
from typing import Any

from functions.aws.codec import primary_key
from functions.repositories.slots import Slots

#: Seconds that a claim is held without progress. The queue's backlog may delay the first run. An
#: export without progress for so long counts as failed.
HELD_SECONDS = 6 * 3600

#: The sort key of a link's unfinished export. It has the prefix of export records.
OPEN = "EXPORT#OPEN"


class OpenExports(Slots):
    """Claims and releases; ``name`` is the ``clicks`` table."""

    partition, holder, seconds = "EXPORTS", "exportId", HELD_SECONDS

    def of_link(self, link_id: str) -> str | None:
        """The id of the link's unfinished export, strongly consistent; None without a claim."""
        item = self._read_item(_link_key(link_id))
        if item is None or int(item["until"]["N"]) <= time.time():
            return None
        return str(item["exportId"]["S"])

    def claim_actions(self, record: dict[str, Any], *, ended: str | None) -> list[dict[str, Any]]:
        """The transaction actions that claim the record's link and its ``slot``.

        ``ended`` is a finished export that still has the claim of the link.
        """
        return [
            self._claim(_link_key(record["linkId"]), record["id"], ended=ended),
            self.claim_action(record["workspaceId"], record["slot"], record["id"]),
        ]

    def renew(self, message: dict[str, Any]) -> None:
        """Extend the claims of an export, by its queue message; claims that another export has by
        now are not changed.
        """
        for key in self._claims(message):
            self._extend(key, message["exportId"])

    def release(self, message: dict[str, Any]) -> None:
        """Release the claims of an export, by its queue message; safe to repeat."""
        for key in self._claims(message):
            self._free(key, message["exportId"])

    def _claims(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        slot = self._slot_key(message["workspaceId"], message["slot"])
        return [_link_key(message["linkId"]), slot]


def _link_key(link_id: str) -> dict[str, Any]:
    return primary_key(link_id, OPEN)
