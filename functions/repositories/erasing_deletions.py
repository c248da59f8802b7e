"""Deletions whose links are erased, until their receipt is written."""

import time
from typing import Any, NamedTuple

from functions.aws.codec import from_item, primary_key, to_item
from functions.domain.clock import iso, now_iso
from functions.repositories.open_index import OpenIndex
from functions.repositories.receipts import unsigned_shard

#: Seconds between two writes of an erasure's progress time.
POSTPONED_SECONDS = 60.0

#: The counters of a page, by attribute name.
KINDS = ("clicks", "rollups", "installs", "installsKept")

#: The sums of a tally, by their names in the receipt.
SUMS = ("links", "codes", *KINDS, "qrObjects")


class DeletionHeader(NamedTuple):
    """The parts of a deletion's header that its erasure needs. ``links`` is how many it erased,
    ``looked_at`` the time of the last progress.
    """

    state: str
    links: int
    policies: dict[str, Any]
    looked_at: str = ""


class Erasing(NamedTuple):
    """A deletion without a receipt, and the time of its last progress."""

    looked_at: str
    workspace_id: str
    deletion_id: str


class ErasingDeletions(OpenIndex):
    """Reads and closes the headers of erasures; ``name`` is the ``deletions`` table.

    With ``sign_receipts`` a completed erasure is left in the index, to be signed.
    """

    def __init__(self, client: Any, name: str, *, sign_receipts: bool = False) -> None:
        super().__init__(client, name)
        self._sign_receipts = sign_receipts
        self._link_events: dict[tuple[str, str], bool] = {}

    def header(self, workspace_id: str, deletion_id: str) -> DeletionHeader | None:
        """The current deletion, strongly consistent, without its ids."""
        item = self._read_item(
            primary_key(workspace_id, deletion_id),
            ProjectionExpression="#state, counts, policies, openSk",
            ExpressionAttributeNames={"#state": "state"},
        )
        if item is None:
            return None
        header = from_item(item)
        return DeletionHeader(
            state=header["state"],
            links=header["counts"]["deleted"],
            policies=header.get("policies", {}),
            looked_at=header.get("openSk", "").partition("#")[0],
        )

    def wants_link_events(self, workspace_id: str, deletion_id: str) -> bool:
        """Whether the workspace had link events enabled when it requested this deletion."""
        # The header's copy of the policies never changes, so it can be cached.
        key = (workspace_id, deletion_id)
        if key not in self._link_events:
            header = self.header(workspace_id, deletion_id)
            self._link_events[key] = header is not None and bool(header.policies.get("linkEvents"))
        return self._link_events[key]

    def erasing(self) -> list[Erasing]:
        """Every erasure without a receipt, sorted by the time of the last progress, oldest first.

        All are read, because the index is not sorted by age. 7,000 fit one call (1 MB of keys).
        """
        return sorted(
            Erasing(item["openSk"]["S"].partition("#")[0], item["pk"]["S"], item["sk"]["S"])
            for item in self._open_items("ERASING")
        )

    def receipt(self, workspace_id: str, deletion_id: str) -> dict[str, Any]:
        """The sums over the links finished so far, with ``verifiedEmptyAt`` of the last of them."""
        sums: dict[str, Any] = dict.fromkeys(SUMS, 0)
        last = ""
        for item in self._items_of(f"{workspace_id}#{deletion_id}", "TALLY#"):
            for name in SUMS:
                sums[name] += int(item[name]["N"])
            last = max(last, item["verifiedEmptyAt"]["S"])
        return sums | {"verifiedEmptyAt": last or None}

    def complete(self, workspace_id: str, deletion_id: str, receipt: dict[str, Any]) -> bool:
        """Close the deletion with its receipt; False if it was closed before."""
        now = now_iso()
        changes = "SET #state=:complete, completedAt=:now, receipt=:receipt"
        values: dict[str, Any] = {
            ":complete": "complete",
            ":now": now,
            ":receipt": receipt | {"signed": False},
        }
        if self._sign_receipts:
            # In the write that completes the erasure, so the receipt is signed even if this
            # function is killed afterwards.
            changes += ", openPk=:unsigned, openSk=:since"
            values |= {
                ":unsigned": unsigned_shard(deletion_id),
                ":since": f"{now}#{deletion_id}",
            }
        else:
            changes += " REMOVE openPk, openSk"
        # The first receipt counts: two workers that finished the last links may both try.
        return self._advance(workspace_id, deletion_id, changes, to_item(values))

    def postpone_stall_check(self, workspace_id: str, deletion_id: str, *, seen: str = "") -> None:
        """Record progress of an erasure, so that it does not count as stalled.

        Written at most once in :data:`POSTPONED_SECONDS`, for any number of workers. ``seen``
        is ``looked_at`` of a header read before, which saves most of the writes.
        """
        before = iso(time.time() - POSTPONED_SECONDS)
        if seen > before:
            return
        # Only one of parallel workers writes, because all of them use the same header item.
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
        current = self._update_item(
            primary_key(workspace_id, deletion_id),
            expression,
            condition=still_erasing,
            values=values | {":erasing": {"S": "erasing"}},
        )
        return current is None
