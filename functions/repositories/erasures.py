"""Erased links in the ``deletions`` table: what was removed, and what is still to be removed.

Items (``pk``, ``sk``):

- a link's erasure: ``LINK#{workspaceId}#{linkId}``, ``ERASURE``. Written by the transaction that
  erases the link. A stream record, which has only the link, finds its deletion by it. It counts
  what is removed (``clicks``, ``rollups``, ``installs``, and ``codes`` unless it is 1) and the
  installs that stay without their link (``installsKept``). While work is left it has a cursor for
  each partition of the link's clicks (``cursor0``…``cursor8``) and ``qrKeys``. ``onePartition``,
  ``fencingToken`` (unless it was never restored) and ``softDeletedBy`` (the soft delete, if it was
  not live) are the link's last values. By them a killed worker of that soft delete or restore
  learns what it had done (docs/decisions/233-what-an-erasure-remembers.md).
- sums over finished links: ``{workspaceId}#{deletionId}``, ``TALLY#{0..7}``. A link's counts are
  added in the transaction that finishes its erasure, so they are added exactly once. There are
  eight tallies to reduce conflicts between workers.

No method deletes or replaces an item: an erasure is created once and updated.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from functions.aws.calls import TransactionCancelled, backoff
from functions.aws.codec import from_item, primary_key, runs, to_item
from functions.aws.dynamodb import transact
from functions.domain.clock import now_iso
from functions.domain.errors import Unavailable
from functions.domain.ids import NO_RESTORE, shard_of
from functions.repositories.clicks import PARTITIONS
from functions.repositories.erasing_deletions import KINDS, SUMS, ErasingDeletions

#: Several threads count pages of one link's erasure.
_counting = threading.Lock()

#: Links finished in one transaction: one of its 100 actions each, and one for the tally.
FINISHED_AT_ONCE = 99


@dataclass(slots=True)
class Erasure:
    """One link's erasure. ``cursors`` maps a partition's number to the last counted ``sk``.

    ``codes`` is how many codes are removed with the link: 0 if its code belongs to another link.
    ``soft_deleted_by`` is the soft delete of a link that was not live.
    """

    workspace_id: str
    link_id: str
    deletion_id: str
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    cursors: dict[int, str] = field(default_factory=dict)
    qr_keys: Sequence[str] = ()
    codes: int = 1
    one_partition: bool = False
    soft_deleted_by: str | None = None
    fencing_token: str = NO_RESTORE
    finished_at: str | None = None


class ErasuresTable(ErasingDeletions):
    """Creates, reads and updates erasures; ``name`` is the ``deletions`` table."""

    # -- create -----------------------------------------------------------------------------

    def create_action(self, erasure: Erasure) -> dict[str, Any]:
        """The transaction action that ties an erased link to its deletion."""
        never_restored = erasure.fencing_token == NO_RESTORE
        item = to_item(
            {
                "deletionId": erasure.deletion_id,
                **erasure.counts,
                "codes": None if erasure.codes == 1 else erasure.codes,
                "onePartition": erasure.one_partition or None,
                "softDeletedBy": erasure.soft_deleted_by,
                "fencingToken": None if never_restored else erasure.fencing_token,
                "qrKeys": set(erasure.qr_keys) or None,
            }
        )
        # A link is erased once, by one deletion: ids are never reused.
        return self._create_action(_key(erasure.workspace_id, erasure.link_id) | item)

    # -- read -------------------------------------------------------------------------------

    def find(self, workspace_id: str, link_ids: Sequence[str]) -> dict[str, Erasure]:
        """The erasures of those links that have one, by link id; strongly consistent."""
        found = self._read_items(
            link_ids,
            keys=lambda batch: [_key(workspace_id, link_id) for link_id in batch],
            decode=_erasure,
        )
        return {erasure.link_id: erasure for erasure in found}

    # -- advance ----------------------------------------------------------------------------

    def count_page(
        self,
        erasure: Erasure,
        partition: int,
        *,
        through: str,
        counts: dict[str, int],
    ) -> bool:
        """Count a page before it is deleted: all items after the cursor, up to ``through``.

        The same write moves the cursor, on the condition that it has not moved since the page was
        read. So each item is counted once, despite kills and redelivery. False if another worker
        moved it; ``erasure`` then has the current cursor.
        """
        cursor = f"cursor{partition}"
        before = erasure.cursors.get(partition)
        counted = {kind: number for kind, number in counts.items() if number}
        values = {":through": {"S": through}}
        values |= {f":{kind}": {"N": str(number)} for kind, number in counted.items()}
        expression = f"SET #{cursor}=:through"
        if counted:
            expression += " ADD " + ", ".join(f"{kind} :{kind}" for kind in counted)
        # The erasure must not be finished: then it has no cursors, and this worker is too late.
        cursor_has_not_moved = "attribute_exists(pk) AND attribute_not_exists(finishedAt) AND "
        if before is None:
            cursor_has_not_moved += f"attribute_not_exists(#{cursor})"
        else:
            cursor_has_not_moved += f"#{cursor}=:before"
            values[":before"] = {"S": before}
        current = self._update_item(
            _key(erasure.workspace_id, erasure.link_id),
            expression,
            condition=cursor_has_not_moved,
            values=values,
        )
        if current is None:
            erasure.cursors[partition] = through
            with _counting:
                for kind, number in counted.items():
                    erasure.counts[kind] += number
            return True
        # The current cursor: this worker's after a lost response, or another worker's.
        if cursor in current:
            erasure.cursors[partition] = current[cursor]["S"]
        elif "finishedAt" in current:
            erasure.finished_at = current["finishedAt"]["S"]
        # The counts are not taken from it: other partitions may be counted at the same time.
        # `finish` is refused then, and reads them.
        return False

    def finish(
        self,
        workspace_id: str,
        deletion_id: str,
        erasures: Sequence[Erasure],
        *,
        looked_at: str,
    ) -> None:
        """Mark links without remaining items as finished, and add them to the deletion's sums,
        once.

        ``looked_at`` is when the last query, which found nothing, started. The transaction applies
        only to the counts of ``erasures``, and is repeated with those of the table if they differ.
        """
        unfinished = list(erasures)
        # Of the first link, also when others are read again: `late_look` needs an item that exists.
        tally = primary_key(
            f"{workspace_id}#{deletion_id}", f"TALLY#{shard_of(erasures[0].link_id)}"
        )
        attempt = 0
        late_look = False
        while True:
            for group in runs(unfinished, FINISHED_AT_ONCE):
                actions = [self._finish_action(each) for each in group]
                actions.append(self._tally_action(tally, group, None if late_look else looked_at))
                try:
                    transact(self._client, actions)
                except TransactionCancelled as cancelled:
                    if cancelled.refused[-1]:
                        # The sums have the latest time; only a later one replaces it.
                        late_look = True
                        break
                    # Another worker finished one of them, or moved a cursor: read again.
                    attempt += 1
                    if not backoff(attempt):
                        raise Unavailable from cancelled
                    break
            else:
                return
            found = self.find(workspace_id, [each.link_id for each in unfinished])
            unfinished = [each for each in found.values() if each.finished_at is None]

    def _finish_action(self, erasure: Erasure) -> dict[str, Any]:
        # Once, and with exactly the counts that are added to the sums.
        still_as_read = "attribute_not_exists(finishedAt)"
        values: dict[str, Any] = {":now": {"S": now_iso()}}
        for kind in KINDS:
            still_as_read += f" AND {kind}=:{kind}"
            values[f":{kind}"] = {"N": str(erasure.counts[kind])}
        cursors = ", ".join(f"cursor{number}" for number in range(PARTITIONS))
        return self._update_action(
            _key(erasure.workspace_id, erasure.link_id),
            f"SET finishedAt=:now REMOVE qrKeys, {cursors}",
            condition=still_as_read,
            values=values,
        )

    def _tally_action(
        self, key: dict[str, Any], group: Sequence[Erasure], looked_at: str | None
    ) -> dict[str, Any]:
        """Add the counts of a group to the sums; with ``looked_at`` None the time is not
        changed.
        """
        sums = {
            "links": len(group),
            "codes": sum(each.codes for each in group),
            **{kind: sum(each.counts[kind] for each in group) for kind in KINDS},
            "qrObjects": sum(len(each.qr_keys) for each in group),
        }
        values: dict[str, Any] = {f":{name}": {"N": str(sums[name])} for name in SUMS}
        changes = "ADD " + ", ".join(f"{name} :{name}" for name in SUMS)
        # This does not create the item: without a time, one exists already.
        may_be_added = "attribute_exists(verifiedEmptyAt)"
        if looked_at is not None:
            # Workers commit in any order; the receipt has the latest time.
            may_be_added = "attribute_not_exists(verifiedEmptyAt) OR verifiedEmptyAt<=:looked"
            changes = f"SET verifiedEmptyAt=:looked {changes}"
            values[":looked"] = {"S": looked_at}
        return self._update_action(key, changes, condition=may_be_added, values=values)


def _key(workspace_id: str, link_id: str) -> dict[str, Any]:
    return primary_key(f"LINK#{workspace_id}#{link_id}", "ERASURE")


def _erasure(item: dict[str, Any]) -> Erasure:
    record = from_item(item)
    workspace_id, _, link_id = record["pk"].removeprefix("LINK#").rpartition("#")
    return Erasure(
        workspace_id=workspace_id,
        link_id=link_id,
        deletion_id=record["deletionId"],
        counts={kind: record[kind] for kind in KINDS},
        cursors={
            int(name.removeprefix("cursor")): value
            for name, value in record.items()
            if name.startswith("cursor")
        },
        qr_keys=sorted(record.get("qrKeys", ())),
        codes=record.get("codes", 1),
        one_partition="onePartition" in record,
        soft_deleted_by=record.get("softDeletedBy"),
        fencing_token=record.get("fencingToken", NO_RESTORE),
        finished_at=record.get("finishedAt"),
    )
