"""How many live links a workspace has: one counter item for each, in the ``links`` table.

Item: ``COUNT#{workspaceId}``, ``COUNT`` → ``links``, ``changedAt``, ``countedAt`` (Unix seconds).

A create adds its links to the counter first, on the condition that they fit. The reader of the
table's stream counts deletes and restores, one write per workspace and batch. Lost updates leave
the counter too high, so no workspace gets too many links. At the limit, a counter that has not
changed for a minute is corrected from the index of live links
(docs/decisions/098-links-per-workspace.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from functions.aws.calls import call, call_at_most_once
from functions.aws.codec import primary_key
from functions.aws.dynamodb import Table
from functions.domain.errors import InvalidRequest
from functions.repositories.live_index import LiveIndex

#: Seconds between two recounts for one workspace, and how long its counter must be unchanged
#: before, because recent changes may still be in the stream.
RECOUNT_SECONDS = 3_600
QUIET_SECONDS = 60

#: Attempts of one reservation: the counter may have to be created and corrected.
_ATTEMPTS = 3


class Quota(NamedTuple):
    """How many live links a workspace may have under its plan."""

    counts: LinkCounts
    workspace_id: str
    limit: int
    plan: str

    def reserve(self, links: int) -> None:
        """Count links before they are created; raises ``InvalidRequest`` with the limit."""
        if not self.counts.reserve(self.workspace_id, links, limit=self.limit):
            raise InvalidRequest(
                f"A workspace can have at most {self.limit:,} links under the {self.plan} plan",
                limit=self.limit,
            )

    def release(self, links: int) -> None:
        """Subtract the links that were not created."""
        self.counts.add(self.workspace_id, -links)


class LinkCounts(Table):
    """Reads and changes the counters; ``name`` is the ``links`` table."""

    def reserve(self, workspace_id: str, links: int, *, limit: int) -> bool:
        """Add links if the sum is at most ``limit``; False if they do not fit.

        One write. The first one of a workspace counts its links and creates the counter.
        """
        # The condition is on the counter itself, so parallel creates cannot exceed the limit.
        counter_has_room = "attribute_exists(pk) AND #links<=:room"
        for _ in range(_ATTEMPTS):
            current = self._add(
                workspace_id,
                links,
                counter_has_room,
                {":room": {"N": str(limit - links)}},
            )
            if current is None:
                return True
            if not current:
                self._create(workspace_id)
            elif not self._correct(workspace_id, current):
                return False
        return False

    def add(self, workspace_id: str, links: int) -> None:
        """Add restored links, or (negative) subtract deleted ones.

        Without a counter this does nothing: the counter is created later from the index. Raises
        ``Unavailable`` if links were not subtracted, or if that is unknown.
        """
        # Subtracted twice, links would leave room for too many.
        send = call_at_most_once if links < 0 else call
        self._add(workspace_id, links, "attribute_exists(pk)", {}, send)

    def _add(
        self,
        workspace_id: str,
        links: int,
        condition: str,
        values: dict[str, Any],
        send: Callable[..., Any] = call,
    ) -> dict[str, Any] | None:
        """None if it applied, else the current item."""
        return self._update_item(
            _key(workspace_id),
            "ADD #links :links SET #changedAt=:now",
            condition=condition,
            values=values | {":links": {"N": str(links)}, ":now": _now()},
            send=send,
        )

    def _create(self, workspace_id: str) -> None:
        links = LiveIndex(self._client, self.name).count(workspace_id)
        item = _key(workspace_id) | {
            "links": {"N": str(links)},
            "changedAt": _now(),
            "countedAt": _now(),
        }
        # Of two parallel first creates, the second must not overwrite the counter of the first.
        self._create_item(item)

    def _correct(self, workspace_id: str, current: dict[str, Any]) -> bool:
        """Recount a full workspace; returns whether there may be room now."""
        now = time.time()
        seen, was = current["links"], current["countedAt"]
        if (
            float(was["N"]) > now - RECOUNT_SECONDS
            or float(current["changedAt"]["N"]) > now - QUIET_SECONDS
        ):
            return False
        links = LiveIndex(self._client, self.name).count(workspace_id)
        # Not if it has changed in the meantime, or if another request was faster.
        still_as_seen = "#links=:seen AND #countedAt=:was"
        self._update_item(
            _key(workspace_id),
            "SET #links=:links, #countedAt=:now",
            condition=still_as_seen,
            values={":links": {"N": str(links)}, ":now": _now(), ":seen": seen, ":was": was},
        )
        return True


def _key(workspace_id: str) -> dict[str, Any]:
    return primary_key(f"COUNT#{workspace_id}", "COUNT")


def _now() -> dict[str, str]:
    return {"N": str(int(time.time()))}
