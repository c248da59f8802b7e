"""Undo: the caller of a soft delete may restore it for a few minutes, without ``linksRestore``.

The caller is the same API key, or the same signed-in user. An undo is recorded like every other
restore. It does not restore links that were erased or deleted again since.
"""

from __future__ import annotations

import time
from datetime import datetime

from functions.domain.clock import iso
from functions.domain.deletion import Deletion
from functions.domain.errors import DeletionOpen, MissingScopes


def undo_until(deletion: Deletion, key_id: str, minutes: int) -> str | None:
    """Until when this key or session may undo the deletion; None if it never may.

    Counted from the completion, because a deletion that exports first takes long.
    """
    if not _is_own(deletion, key_id, minutes) or deletion.completed_at is None:
        return None
    return iso(_end(deletion.completed_at, minutes))


def check_undo(deletion: Deletion, key_id: str, minutes: int) -> None:
    """Raises ``MissingScopes`` unless this key or session may undo the deletion now.

    Raises ``DeletionOpen`` for its own deletion that still runs.
    """
    if _is_own(deletion, key_id, minutes):
        if deletion.completed_at is None:
            raise DeletionOpen
        if time.time() <= _end(deletion.completed_at, minutes):
            return
    raise MissingScopes(["linksRestore"])


def _is_own(deletion: Deletion, key_id: str, minutes: int) -> bool:
    own = deletion.actor.get("keyId") == key_id
    return own and minutes > 0 and deletion.mode == "soft" and deletion.state != "failed"


def _end(completed_at: str, minutes: int) -> float:
    return datetime.fromisoformat(completed_at).timestamp() + 60 * minutes
