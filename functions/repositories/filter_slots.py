"""Slots of a workspace for deletions by filter whose links are found in the background.

Items of the ``deletions`` table: ``FILTERS#{workspaceId}`` (:mod:`~functions.repositories.slots`).
"""

from __future__ import annotations

from functions.repositories.slots import Slots

#: Maximum seconds of holding a slot: a resolution takes minutes, and may wait in a backlog.
SLOT_SECONDS = 3_600


class FilterSlots(Slots):
    """Claims and releases slots; ``name`` is the ``deletions`` table."""

    partition, holder, seconds = "FILTERS", "deletionId", SLOT_SECONDS
