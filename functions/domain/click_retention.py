"""How long a click is kept, by the policy of its workspace and link.

A separate module, because the redirect needs none of the other policies.
"""

from __future__ import annotations

#: Its name in stored items.
CLICK_RETENTION = "clickRetentionDays"

#: Days that a click is kept when its workspace has no policy: as long as analytics look
#: back (docs/decisions/102-clicks-are-kept-for-a-year.md).
DEFAULT_CLICK_RETENTION_DAYS = 365

#: The minimum: a failed click record may be replayed for 14 days.
MIN_CLICK_RETENTION_DAYS = 15


def click_retention_of(stored: object) -> int | None:
    """Days that clicks are kept, from the value in a workspace's or a link's record.

    None means forever. Stored is 0 for that, and nothing for the default. An authorizer's context
    has text.
    """
    if stored is None or stored == "":
        return DEFAULT_CLICK_RETENTION_DAYS
    return int(str(stored)) or None
