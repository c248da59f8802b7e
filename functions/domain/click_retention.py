"""How long a click is kept, as a workspace's and a link's record say.

A module of its own, because the redirect reads it and needs none of the other policies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The name under which records hold it.
CLICK_RETENTION = "clickRetentionDays"

#: Days that a click is kept when its workspace has no policy of its own: as long as analytics look
#: back (docs/decisions/102-clicks-are-kept-for-a-year.md).
DEFAULT_CLICK_RETENTION_DAYS = 365

#: The least of them: a click that could not be counted may be replayed for fourteen days.
MIN_CLICK_RETENTION_DAYS = 15


def click_retention_of(record: Mapping[str, Any]) -> int | None:
    """Days that clicks are kept, from a workspace's or a link's record; None for never removed.

    Stored is 0 for never, and nothing for the default. An authorizer's context has text.
    """
    stored = record.get(CLICK_RETENTION)
    if stored is None or stored == "":
        return DEFAULT_CLICK_RETENTION_DAYS
    return int(stored) or None
