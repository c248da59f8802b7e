"""What a link's own item holds of its clicks: ``clickCount``, ``lastClickAt``, ``countedDays``,
``onePartition``.

``countedDays`` says how many clicks of each recent day ``clickCount`` includes. So the total is
computed from the days, which count each click once, and adding it up can be repeated, late or out
of order, without a transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from functions.aws.calls import backoff
from functions.aws.codec import to_item
from functions.aws.dynamodb import Table
from functions.domain.errors import Unavailable
from functions.domain.link import Link
from functions.repositories.link_items import EXISTS, decode_link, link_key
from functions.repositories.visitors import VISIT_DAYS


class ClickTotals(Table):
    """Advances the totals of links; ``name`` is the ``links`` table."""

    def spread(self, workspace_id: str, link_id: str) -> bool:
        """Let clicks and visitors of a link be written to its shards; False if the link is erased.

        Call this before the first of them is written: an erasure searches the shards only of links
        without the attribute.
        """
        # An erased link stays erased.
        link_exists = EXISTS
        key = link_key(workspace_id, link_id)
        current = self._update_item(key, "REMOVE onePartition", condition=link_exists, values={})
        return current is None

    def advance(
        self,
        workspace_id: str,
        link: Link,
        days: Mapping[str, tuple[int, int]],
        *,
        last_click_at: str,
    ) -> bool:
        """Include what the days have counted; False if the link is erased.

        ``link`` is the link as it was read. ``days`` has for each day its clicks, and how many of
        them this run counted.
        """
        attempt = 0
        while True:
            included: Mapping[str, Any] = link.counted_days or {}
            kept, added = include(included, days)
            newest = max(last_click_at, link.last_click_at or "")
            if not added and newest == link.last_click_at:
                return True
            values = to_item({":added": added, ":kept": kept, ":newest": newest})
            # An erased link stays erased. Of two concurrent counts, the second adds up again: also
            # if the first only set a later click, or that would be replaced by an earlier one.
            unchanged = EXISTS
            if link.counted_days is not None:
                unchanged += " AND #countedDays=:included"
                values |= to_item({":included": included})
            else:
                unchanged += " AND attribute_not_exists(#countedDays)"
            if link.last_click_at is not None:
                unchanged += " AND #lastClickAt=:last"
                values |= to_item({":last": link.last_click_at})
            else:
                unchanged += " AND attribute_not_exists(#lastClickAt)"
            current = self._update_item(
                link_key(workspace_id, link.id),
                "ADD #clickCount :added SET #countedDays=:kept, #lastClickAt=:newest",
                condition=unchanged,
                values=values,
            )
            if current is None:
                return True
            if not current:
                return False
            link = decode_link(current)
            attempt += 1
            if not backoff(attempt):
                raise Unavailable


def include(
    included: Mapping[str, Any], days: Mapping[str, tuple[int, int]]
) -> tuple[dict[str, int], int]:
    """The days to store on the link, and the number of clicks that it does not include yet.

    A day is stored for as long as a click of it may be delivered again. For an older day the clicks
    of this run are added.
    """
    kept = dict(included)
    newest = date.fromisoformat(max([*kept, *days]))
    oldest = (newest - timedelta(days=VISIT_DAYS)).isoformat()
    added = 0
    for day, (clicks, counted_now) in days.items():
        if day < oldest:
            added += counted_now
        elif clicks > kept.get(day, 0):
            added += clicks - kept.get(day, 0)
            kept[day] = clicks
    return {day: clicks for day, clicks in kept.items() if day >= oldest}, added
