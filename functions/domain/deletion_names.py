"""The modes, states and outcomes of deletions and restores, by their names in the API."""

from __future__ import annotations

from typing import Literal

Mode = Literal["soft", "erase"]
DeletionState = Literal["accepted", "exporting", "deleting", "erasing", "complete", "failed"]
OutcomeName = Literal["deleted", "erased", "notFound", "pending", "failed", "restored"]
RestoreState = Literal["restoring", "complete"]
RefusalReason = Literal["erased", "expired", "deletedAgain", "notDeleted", "notInDeletion"]
