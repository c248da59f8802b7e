"""Slots of a workspace that a deletion claims when it is accepted.

A deletion whose filter is resolved in the background claims one kind, a deletion that exports its
links first another. The claims are part of the transaction that creates the record, so parallel
requests cannot exceed a limit, and a refused request writes nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from functions.domain.deletion import Deletion
from functions.domain.errors import LimitReached
from functions.domain.idempotency import IdempotencyKey
from functions.repositories.deletion_creator import SlotTaken
from functions.repositories.deletions import DeletionsTable
from functions.repositories.filter_slots import FilterSlots
from functions.repositories.open_exports import OpenExports

#: Seconds until the next attempt for a slot: few resolutions and exports take longer.
SLOT_RETRY_SECONDS = 60


class SlotKind(NamedTuple):
    """One kind of slot: the free numbers, and the error when there is none.

    ``claim`` returns the transaction action that claims a slot, and sets its number on the
    deletion.
    """

    free: list[int]
    claim: Callable[[int], dict[str, Any]]
    refusal: LimitReached


def waiting_filters(deletion: Deletion, slots: FilterSlots, maximum: int) -> SlotKind:
    """Deletions by filter that wait in the background for their links."""

    def claim(number: int) -> dict[str, Any]:
        if deletion.filter_request is None:
            raise ValueError("not a deletion by filter")
        deletion.filter_request = deletion.filter_request._replace(slot=number)
        return slots.claim_action(deletion.workspace_id, number, deletion.id)

    says = f"The limit of a workspace's deletions by filter that wait for their links is {maximum}"
    refusal = LimitReached(says, limit=maximum, retry_after=SLOT_RETRY_SECONDS)
    return SlotKind(slots.free(deletion.workspace_id, maximum), claim, refusal)


def export_slots(deletion: Deletion, opened: OpenExports, maximum: int) -> SlotKind:
    """Unfinished exports: those of single links and those that belong to deletions."""

    def claim(number: int) -> dict[str, Any]:
        deletion.export = (deletion.export or {}) | {"slot": number}
        return opened.claim_action(deletion.workspace_id, number, deletion.id)

    says = f"At most {maximum} exports of a workspace can be unfinished at a time"
    refusal = LimitReached(says, limit=maximum, retry_after=SLOT_RETRY_SECONDS)
    return SlotKind(opened.free(deletion.workspace_id, maximum), claim, refusal)


def accept_in_slots(
    deletion: Deletion,
    kinds: Sequence[SlotKind],
    *,
    key: IdempotencyKey | None,
    deletions: DeletionsTable,
) -> None:
    """Write the record of a deletion and claim one slot of each kind, in one transaction.

    Raises ``LimitReached`` if a kind has no free slot, and ``KeyTaken`` like
    :meth:`DeletionsTable.accept`.
    """
    while all(kind.free for kind in kinds):
        claims = [kind.claim(kind.free[0]) for kind in kinds]
        try:
            deletions.accept(deletion, key=key, claims=claims)
        except SlotTaken as taken:
            for kind, refused in zip(kinds, taken.refused, strict=True):
                if refused:
                    kind.free.pop(0)
        else:
            return
    raise next(kind for kind in kinds if not kind.free).refusal
