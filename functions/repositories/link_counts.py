"""How many live links a workspace has: one counter item for each, in the ``links`` table.

Item: ``COUNT#{workspaceId}``, ``COUNT`` → ``links``, ``changedAt``, ``countedAt`` (Unix seconds).

A create adds its links before it writes them, on the condition that they fit. What removes a live
link or brings one back is counted by the reader of the table's stream, one write for each
workspace in a batch. What is lost on the way leaves the counter too high, so it gives no workspace
too many links. At the limit, a counter that has not moved for a minute is corrected by the index
of live links (docs/decisions/098-links-per-workspace.md).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from functions.aws.calls import ConditionFailed, call
from functions.aws.dynamodb import update
from functions.domain.errors import InvalidRequest
from functions.repositories.live_index import LiveIndex

#: Seconds between two counts of the index for one workspace, and for which its counter must not
#: have moved: changes of the last moments may still be on their way through the stream.
RECOUNT_SECONDS = 3_600
QUIET_SECONDS = 60

#: Attempts of one reservation: the counter may have to be created, and to be corrected.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Quota:
    """How many live links a workspace may have under its plan."""

    counts: LinkCounts
    workspace_id: str
    limit: int
    plan: str

    def reserve(self, links: int) -> None:
        """Count links that are about to be created; raises ``InvalidRequest`` with the limit."""
        if not self.counts.reserve(self.workspace_id, links, limit=self.limit):
            raise InvalidRequest(
                f"A workspace can have at most {self.limit:,} links under the {self.plan} plan",
                limit=self.limit,
            )

    def release(self, links: int) -> None:
        """Give back what was reserved for links that were not created."""
        self.counts.add(self.workspace_id, -links)


class LinkCounts:
    """Reads and changes the counters; ``table`` is the name of ``links``."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def reserve(self, workspace_id: str, links: int, *, limit: int) -> bool:
        """Add links if no more than ``limit`` are live then; False when they do not fit.

        One write. A workspace's first one counts the links that it has, and creates the counter.
        """
        # The counter is the condition: parallel creates can never pass the limit together.
        counter_has_room = "attribute_exists(pk) AND #links<=:room"
        for _ in range(_ATTEMPTS):
            met = self._add(
                workspace_id,
                links,
                counter_has_room,
                {":room": {"N": str(limit - links)}},
            )
            if met is None:
                return True
            if not met:
                self._create(workspace_id)
            elif not self._correct(workspace_id, met):
                return False
        return False

    def add(self, workspace_id: str, links: int) -> None:
        """Add links that are live again, or (negative) take away ones that no longer are.

        Without a counter nothing is to do: it will be created from what is there then.
        """
        self._add(workspace_id, links, "attribute_exists(pk)", {})

    def _add(
        self,
        workspace_id: str,
        links: int,
        condition: str,
        values: dict[str, Any],
    ) -> dict[str, Any] | None:
        """None when it applied, else the item that was met."""
        return update(
            self._client,
            self._table,
            _key(workspace_id),
            "ADD #links :links SET #changedAt=:now",
            condition=condition,
            values=values | {":links": {"N": str(links)}, ":now": _now()},
        )

    def _create(self, workspace_id: str) -> None:
        links = LiveIndex(self._client, self._table).count(workspace_id)
        item = _key(workspace_id) | {
            "links": {"N": str(links)},
            "changedAt": _now(),
            "countedAt": _now(),
        }
        # Of two first creates, the second must not undo what the first has counted since.
        is_new = "attribute_not_exists(pk)"
        try:
            call(
                self._client.put_item,
                TableName=self._table,
                Item=item,
                ConditionExpression=is_new,
            )
        except ConditionFailed:
            return

    def _correct(self, workspace_id: str, met: dict[str, Any]) -> bool:
        """Count a full workspace again; whether there may be room now."""
        now = time.time()
        seen, was = met["links"], met["countedAt"]
        if (
            float(was["N"]) > now - RECOUNT_SECONDS
            or float(met["changedAt"]["N"]) > now - QUIET_SECONDS
        ):
            return False
        links = LiveIndex(self._client, self._table).count(workspace_id)
        # Not if it has moved meanwhile, or another request was faster.
        still_as_seen = "#links=:seen AND #countedAt=:was"
        update(
            self._client,
            self._table,
            _key(workspace_id),
            "SET #links=:links, #countedAt=:now",
            condition=still_as_seen,
            values={":links": {"N": str(links)}, ":now": _now(), ":seen": seen, ":was": was},
        )
        return True


def _key(workspace_id: str) -> dict[str, Any]:
    return {"pk": {"S": f"COUNT#{workspace_id}"}, "sk": {"S": "COUNT"}}


def _now() -> dict[str, str]:
    return {"N": str(int(time.time()))}
