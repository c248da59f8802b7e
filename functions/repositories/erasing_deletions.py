"""Deletions whose links are erased, until their receipt is written."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from functions.aws.codec import from_item, to_item
from functions.aws.dynamodb import query, read_item, update
from functions.domain.clock import iso, now_iso
from functions.repositories.open_index import OPEN_SHARDS
from functions.repositories.receipts import unsigned_shard

#: A worker's sign that an erasure is under way is written at most once in so many seconds.
POSTPONED_SECONDS = 60.0

#: What is counted page by page, by attribute name.
KINDS = ("clicks", "rollups", "installs", "installsKept")

#: What a tally sums, as the receipt names it.
SUMS = ("links", "codes", *KINDS, "qrObjects")


@dataclass(frozen=True, slots=True)
class DeletionHeader:
    """Of a deletion's header, what its erasure must know. ``links`` is how many it erased,
    ``looked_at`` when a worker last said that it works on it."""

    state: str
    links: int
    policies: dict[str, Any]
    looked_at: str = ""


class Erasing(NamedTuple):
    """A deletion whose receipt is not written yet, and when somebody last worked on it."""

    looked_at: str
    workspace_id: str
    deletion_id: str


class ErasingDeletions:
    """Reads and closes the headers of erasures; ``name`` is the ``deletions`` table.

    With ``sign_receipts`` a completed erasure is left in the index, to be signed.
    """

    def __init__(self, client: Any, name: str, *, sign_receipts: bool = False) -> None:
        self._client = client
        self.name = name
        self._sign_receipts = sign_receipts
        self._link_events: dict[tuple[str, str], bool] = {}

    def head(self, workspace_id: str, deletion_id: str) -> DeletionHeader | None:
        """The deletion as it stands, strongly consistent, without its ids."""
        item = read_item(
            self._client,
            self.name,
            _header_key(workspace_id, deletion_id),
            ProjectionExpression="#state, counts, policies, openSk",
            ExpressionAttributeNames={"#state": "state"},
        )
        if item is None:
            return None
        head = from_item(item)
        return DeletionHeader(
            state=head["state"],
            links=int(head["counts"]["deleted"]),
            policies=head.get("policies", {}),
            looked_at=head.get("openSk", "").partition("#")[0],
        )

    def wants_link_events(self, workspace_id: str, deletion_id: str) -> bool:
        """Whether the workspace wanted an event for each link when it asked for this deletion."""
        # Policies are copied into the header once: what was read stays true.
        key = (workspace_id, deletion_id)
        if key not in self._link_events:
            head = self.head(workspace_id, deletion_id)
            self._link_events[key] = head is not None and bool(head.policies.get("linkEvents"))
        return self._link_events[key]

    def erasing(self) -> list[Erasing]:
        """Every erasure without a receipt, first the one that was looked at longest ago.

        All of them, because how old the oldest is does not follow from when it was looked at.
        7,000 fit a call (1 MB of keys).
        """
        return sorted(
            Erasing(item["openSk"]["S"].partition("#")[0], item["pk"]["S"], item["sk"]["S"])
            for shard in range(OPEN_SHARDS)
            for item in query(
                self._client,
                self.name,
                IndexName="open",
                KeyConditionExpression="openPk=:shard",
                ExpressionAttributeValues={":shard": {"S": f"ERASING#{shard}"}},
            )
        )

    def receipt(self, workspace_id: str, deletion_id: str) -> dict[str, Any]:
        """The sums over the links finished so far, with ``verifiedEmptyAt`` of the last of them."""
        tallies = query(
            self._client,
            self.name,
            KeyConditionExpression="pk=:parts AND begins_with(sk,:tally)",
            ExpressionAttributeValues={
                ":parts": {"S": f"{workspace_id}#{deletion_id}"},
                ":tally": {"S": "TALLY#"},
            },
            ConsistentRead=True,
        )
        sums: dict[str, Any] = dict.fromkeys(SUMS, 0)
        last = ""
        for item in tallies:
            for name in SUMS:
                # A sum that an earlier release began has no kept installs.
                sums[name] += int(item[name]["N"]) if name in item else 0
            last = max(last, item["verifiedEmptyAt"]["S"])
        return sums | {"verifiedEmptyAt": last or None}

    def complete(self, workspace_id: str, deletion_id: str, receipt: dict[str, Any]) -> bool:
        """Close the deletion with its receipt; False when it was closed before."""
        now = now_iso()
        changes = "SET #state=:complete, completedAt=:now, receipt=:receipt"
        values: dict[str, Any] = {
            ":complete": "complete",
            ":now": now,
            ":receipt": receipt | {"signed": False},
        }
        if self._sign_receipts:
            # In the write that completes it: a receipt is signed whatever dies after this.
            changes += ", openPk=:unsigned, openSk=:since"
            values |= {
                ":unsigned": unsigned_shard(deletion_id),
                ":since": f"{now}#{deletion_id}",
            }
        else:
            changes += " REMOVE openPk, openSk"
        # The first receipt stands: of two workers that finished the last links both may try.
        return self._advance(workspace_id, deletion_id, changes, to_item(values))

    def postpone_stall_check(self, workspace_id: str, deletion_id: str, *, seen: str = "") -> None:
        """Note that an erasure is under way: it comes last among those that may have stalled.

        At most once in :data:`POSTPONED_SECONDS`, however many workers call this; ``seen`` is
        ``looked_at`` of a header that was read before, which saves most of the writes.
        """
        before = iso(time.time() - POSTPONED_SECONDS)
        if seen > before:
            return
        # Of parallel workers one writes: the header is one item, and all of them come back to it.
        not_postponed_lately = "openSk<:before"
        values = {
            ":now": {"S": f"{now_iso()}#{deletion_id}"},
            ":before": {"S": before},
        }
        self._advance(
            workspace_id,
            deletion_id,
            "SET openSk=:now",
            values,
            also=not_postponed_lately,
        )

    def _advance(
        self,
        workspace_id: str,
        deletion_id: str,
        expression: str,
        values: dict[str, Any],
        *,
        also: str = "",
    ) -> bool:
        still_erasing = "#state=:erasing" + (f" AND {also}" if also else "")
        met = update(
            self._client,
            self.name,
            _header_key(workspace_id, deletion_id),
            expression,
            condition=still_erasing,
            values=values | {":erasing": {"S": "erasing"}},
        )
        return met is None


def _header_key(workspace_id: str, deletion_id: str) -> dict[str, Any]:
    return {"pk": {"S": workspace_id}, "sk": {"S": deletion_id}}
