"""The ``deletions`` table: the durable record of every delete. Records are created and updated,
never removed; one that had nothing to delete expires.

Items (``pk``, ``sk``):

- header: ``{workspaceId}``, ``{deletionId}``. While work is left it carries ``openPk`` (four
  shards) and ``openSk`` (``{leaseUntil}#{deletionId}``), the keys of the sparse index ``open``.
- ids that do not fit the header: ``{workspaceId}#{deletionId}``, ``CHUNK#{n}``.
- outcome of one erasing transaction: the same ``pk``, ``DONE#{n}``, put by that transaction.
- a restore of this deletion, by :mod:`~functions.repositories.restores`: the same ``pk``,
  ``RESTORE#{restoreId}``.
- idempotency keys, by :mod:`~functions.repositories.idempotency`.
- a header of a deletion without matching links, and its chunks, have a ``ttl``.

No method deletes or replaces an item, and no role of the stack may delete one.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from functions.aws.calls import TransactionCancelled
from functions.aws.codec import primary_key, to_item
from functions.aws.dynamodb import transact
from functions.domain.clock import current_deadline, iso
from functions.domain.deletion import Deletion
from functions.domain.errors import InternalError, Unavailable
from functions.domain.outcomes import Outcome, unpack_outcomes
from functions.repositories.deletion_creator import DeletionCreator
from functions.repositories.deletion_items import (
    LEASE_UNTIL,
    PROGRESS,
    adopt,
    lease_values,
    milliseconds,
    progress_values,
    recorded_ids,
)
from functions.repositories.open_index import open_shard

if TYPE_CHECKING:
    from functions.domain.deletion_names import DeletionState


class DeletionsTable(DeletionCreator):
    """Creates and updates deletion records."""

    def done_action(self, deletion: Deletion, positions: Sequence[int]) -> dict[str, Any]:
        """The outcome item that an erasing transaction writes with its own deletes.

        It is named by its first position. If a second worker repeats an applied transaction, the
        item exists and cancels it, so nothing is counted twice.
        """
        key = primary_key(f"{deletion.workspace_id}#{deletion.id}", f"DONE#{positions[0]:05d}")
        return self._create_action(key | to_item({"positions": list(positions)}))

    def acquire_lease(self, deletion: Deletion, *, seconds: float) -> bool:
        """Take the lease of an open deletion whose lease has expired or was given up.

        False if another worker has or had the lease since the record was read, or if the deletion
        is closed. Sets ``lease`` and ``lease_until``.
        """
        now = time.time()
        lease, until = str(uuid.uuid4()), now + seconds
        # One worker at a time. Two would be safe, because every write is conditional, but wasteful.
        lease_has_expired = "attribute_exists(openPk) AND leaseUntil<=:now"
        # The position must be current: continuing from an older one would rewrite an export,
        # perhaps after its links were erased.
        lease_is_unchanged = "lease=:seen AND leaseUntil=:seenUntil"
        current = self._advance(
            deletion,
            f"SET lease=:lease, {LEASE_UNTIL}",
            condition=f"{lease_has_expired} AND {lease_is_unchanged}",
            values=lease_values(deletion, until)
            | {
                ":lease": {"S": lease},
                ":now": milliseconds(now),
                ":seen": {"S": deletion.lease or ""},
                ":seenUntil": milliseconds(deletion.lease_until),
            },
        )
        # After a lost response of this call, the record has this lease.
        if current is not None and current.get("lease", {}).get("S") != lease:
            return False
        deletion.lease, deletion.lease_until = lease, until
        return True

    def record_ids(self, deletion: Deletion) -> bool:
        """Record the ids that a filter was resolved to; from now on exactly these are deleted.

        False if the lease was lost: then another worker resolves the filter, and its set counts.
        The ids that do not fit the header, and ``deletion.ttl``, are recorded in the same
        transaction, so a lost lease leaves none.
        """
        chunks = self._chunks(deletion)
        [(attribute, ids)] = recorded_ids(deletion).items()
        state: DeletionState = "exporting" if deletion.export is not None else "deleting"
        not_yet_resolved = "#state=:accepted AND lease=:lease"
        changes = f"SET #state=:next, {PROGRESS}, {attribute}=:ids"
        values = progress_values(deletion) | {
            ":accepted": {"S": "accepted"},
            ":next": {"S": state},
            ":lease": {"S": deletion.lease or ""},
            ":ids": ids,
        }
        if deletion.ttl is not None:
            changes += ", #ttl=:ttl"
            values[":ttl"] = {"N": str(deletion.ttl)}
        header = self._update_action(
            primary_key(deletion.workspace_id, deletion.id),
            changes,
            condition=not_yet_resolved,
            values=values,
        )
        try:
            transact(self._client, [header, *({"Put": chunk} for chunk in chunks)])
        except TransactionCancelled as cancelled:
            if not cancelled.refused[0]:
                raise InternalError from cancelled
            return False
        deletion.state = state
        return True

    def save_progress(self, deletion: Deletion, *, lease_seconds: float) -> bool:
        """Record the outcomes so far and renew the lease; 0 seconds gives it up.

        False if another worker has the lease; its record counts.
        """
        return self._save(deletion, PROGRESS, progress_values(deletion), lease_seconds)

    def save_export(self, deletion: Deletion, *, lease_seconds: float) -> bool:
        """Record the progress of the export and the state, and renew the lease, like
        :meth:`save_progress`. ``deletion.export`` counts the saves.
        """
        export = deletion.export or {}
        saves = export.get("saves", 0) + 1
        deletion.export = export | {"saves": saves}
        values = to_item({":export": deletion.export, ":state": deletion.state, ":saves": saves})
        changes = "#state=:state, #export=:export"
        # A call that was given up and repeated may still be carried out seconds later. It must not
        # replace a newer position: the links of a complete export are deleted by then.
        no_newer_save = "(attribute_not_exists(#export.#saves) OR #export.#saves<:saves)"
        return self._save(deletion, changes, values, lease_seconds, no_newer_save)

    def _save(
        self,
        deletion: Deletion,
        changes: str,
        values: dict[str, Any],
        seconds: float,
        also: str = "",
    ) -> bool:
        until = time.time() + seconds if seconds else 0.0
        lease_is_ours = "attribute_exists(openPk) AND lease=:lease" + (also and f" AND {also}")
        lease = {"S": deletion.lease or ""}
        values = values | {":lease": lease} | lease_values(deletion, until)
        current = self._advance(
            deletion, f"SET {changes}, {LEASE_UNTIL}", condition=lease_is_ours, values=values
        )
        # After a lost response of this call, the record has this lease with this end.
        if current is not None and (
            current.get("lease") != lease or current.get("leaseUntil") != values[":until"]
        ):
            adopt(deletion, current)
            return False
        deletion.lease_until = until
        return True

    def mark_restored(self, deletion: Deletion, positions: Sequence[int]) -> None:
        """Record on a closed deletion which of its links were restored.

        All outcomes are one attribute, and several restores may update it at the same time.
        """
        while any(deletion.outcomes[position] != Outcome.RESTORED for position in positions):
            for position in positions:
                deletion.outcomes[position] = Outcome.RESTORED
            outcomes_are_as_read = "outcomes=:seen AND attribute_not_exists(openPk)"
            current = self._advance(
                deletion,
                f"SET {PROGRESS}",
                condition=outcomes_are_as_read,
                values=progress_values(deletion) | {":seen": {"B": deletion.packed_outcomes}},
            )
            if current is None:
                return
            if current_deadline().passed:
                raise Unavailable
            if not current:
                raise InternalError
            # Another restore was faster, or this call was applied and its response lost.
            deletion.packed_outcomes = current["outcomes"]["B"]
            deletion.outcomes = unpack_outcomes(deletion.packed_outcomes)

    def close(self, deletion: Deletion, *, state: DeletionState) -> None:
        """Record the final outcomes: ``complete``, ``failed`` (nothing was deleted), or
        ``erasing`` while the rest is cleaned up.

        The first close counts; a later worker of the same deletion changes nothing.
        """
        still_open = "attribute_exists(openPk) AND #state IN (:accepted,:exporting,:deleting)"
        finished = state in ("complete", "failed")
        now = iso(time.time())
        changes = f"SET #state=:state, {PROGRESS}"
        values = progress_values(deletion) | {
            f":{name}": {"S": name} for name in ("accepted", "exporting", "deleting")
        }
        values[":state"] = {"S": state}
        if deletion.failure is not None:
            changes += ", failure=:failure"
            values[":failure"] = {"S": deletion.failure}
        if finished:
            changes += ", completedAt=:now REMOVE openPk, openSk, lease, leaseUntil"
            values[":now"] = {"S": now}
        else:
            changes += ", openPk=:open, openSk=:since REMOVE lease, leaseUntil"
            values[":open"] = {"S": open_shard("ERASING", deletion.id)}
            values[":since"] = {"S": f"{now}#{deletion.id}"}
        current = self._advance(deletion, changes, condition=still_open, values=values)
        if current:
            # Closed already: by another worker, or by this call, whose response was lost.
            adopt(deletion, current)
            return
        deletion.state = state
        deletion.completed_at = now if finished else None

    def _advance(
        self, deletion: Deletion, changes: str, *, condition: str, values: dict[str, Any]
    ) -> dict[str, Any] | None:
        """None if the header was changed, else the current header."""
        return self._update_item(
            primary_key(deletion.workspace_id, deletion.id),
            changes,
            condition=condition,
            values=values,
        )
