"""The policies of a workspace; the defaults are those of a new workspace.

They are stored on the workspace's item in ``access`` and passed to the functions as text in the
authorizer's context. A deletion's header has a copy, because the functions that finish a deletion
may not read ``access``.
"""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Self

from functions.domain.camel_case import camel_case
from functions.domain.click_retention import (
    CLICK_RETENTION,
    DEFAULT_CLICK_RETENTION_DAYS,
    click_retention_of,
)

#: How long after a soft delete the one who made it may undo it, in minutes.
DEFAULT_UNDO_MINUTES = 15

#: Printed links still have the code of an erased link: other workspaces cannot get it for this many
#: days.
DEFAULT_CODE_RESERVATION_DAYS = 90

#: The earliest TTL of a link, in seconds before now. DynamoDB does not remove an item whose TTL is
#: more than five years in the past (Developer Guide, "Using time to live (TTL)").
OLDEST_TTL_SECONDS = 4 * 365 * 86_400


class Policies(NamedTuple):
    """Days are whole; None means never.

    ``retention_days``: after how long a soft-deleted link is erased. ``purge_expired_after_days``:
    after how long an expired link is. ``quarantine_days``: how long the short code of an erased
    link stays taken. ``code_reservation_days``: how long other workspaces may not use it.
    ``cascade_installs``: whether installs go with their link or stay as platform and day.
    ``link_events``: whether events are also sent for each link. ``app_schemes``: the schemes that
    ``iosUrl`` and ``androidUrl`` may have besides http and https. ``click_retention_days``: after
    how long a click is removed; its day's counts stay. ``undo_minutes``: for how many minutes the
    key or user that soft-deleted links may undo that without ``linksRestore``; 0 is never.
    """

    retention_days: int | None = None
    purge_expired_after_days: int | None = None
    quarantine_days: int = 0
    code_reservation_days: int = DEFAULT_CODE_RESERVATION_DAYS
    cascade_installs: bool = False
    link_events: bool = False
    app_schemes: tuple[str, ...] = ()
    click_retention_days: int | None = DEFAULT_CLICK_RETENTION_DAYS
    undo_minutes: int = DEFAULT_UNDO_MINUTES

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Self:
        """From an item, an authorizer's context or a header: camelCase names, numbers or text."""
        values = {name: record.get(camel) for name, camel in NAMES.items()}
        return cls(
            retention_days=_days(values["retention_days"]),
            purge_expired_after_days=_days(values["purge_expired_after_days"]),
            quarantine_days=_days(values["quarantine_days"]) or 0,
            cascade_installs=_flag(values["cascade_installs"]),
            link_events=_flag(values["link_events"]),
            app_schemes=tuple(str(values["app_schemes"] or "").split()),
            click_retention_days=click_retention_of(record.get(CLICK_RETENTION)),
            code_reservation_days=_number(
                values["code_reservation_days"], DEFAULT_CODE_RESERVATION_DAYS
            ),
            undo_minutes=_number(values["undo_minutes"], DEFAULT_UNDO_MINUTES),
        )

    def record(self) -> dict[str, int | bool]:
        """The values that differ from the defaults, by camelCase name, as a deletion records
        them.
        """
        return {
            camel: getattr(self, name)
            for name, camel in NAMES.items()
            if name not in _NOT_FOR_DELETIONS
            and getattr(self, name) != getattr(DEFAULT_POLICIES, name)
        }

    def stored(self) -> dict[str, int | bool | str]:
        """As :meth:`record`, plus the policies that deletions do not need: for the workspace's
        item.
        """
        schemes = {NAMES["app_schemes"]: " ".join(self.app_schemes)} if self.app_schemes else {}
        undo = {} if self.undo_minutes == DEFAULT_UNDO_MINUTES else {_UNDO: self.undo_minutes}
        return self.restore_record() | schemes | undo

    def restore_record(self) -> dict[str, int | bool]:
        """As :meth:`record`, with the copy of ``clickRetentionDays`` that a restored link gets."""
        days = self.of_clicks()[CLICK_RETENTION]
        return self.record() | ({} if days is None else {CLICK_RETENTION: days})

    def of_a_purge(self, expires_at: str | None, *, not_before: int = 0) -> dict[str, Any]:
        """The attributes that make DynamoDB remove a live link some days after it expires.

        ``ttl`` is when DynamoDB may remove it, at the earliest ``not_before`` (Unix seconds).
        ``policies`` is a copy for the erasure that follows, whose functions may not read
        ``access``. None means that the link has no such attribute. Every write that sets
        ``expiresAt`` or makes a link live must set both.
        """
        days = self.purge_expired_after_days
        if expires_at is None or days is None:
            return {"ttl": None, "policies": None}
        expiry = int(datetime.fromisoformat(expires_at).timestamp())
        oldest = int(time.time()) - OLDEST_TTL_SECONDS
        return {"ttl": max(expiry + days * 86_400, oldest, not_before), "policies": self.record()}

    def of_clicks(self) -> dict[str, int | None]:
        """The link's copy of ``clickRetentionDays``; None for the default.

        The redirect reads it from the link, because it may not read the ``access`` table.
        """
        days = self.click_retention_days
        return {CLICK_RETENTION: None if days == DEFAULT_CLICK_RETENTION_DAYS else days or 0}

    def full(self) -> dict[str, int | bool | list[str] | None]:
        """Every policy by camelCase name."""
        found = {camel: getattr(self, name) for name, camel in NAMES.items()}
        return found | {NAMES["app_schemes"]: list(self.app_schemes)}


#: Attribute name -> the name under which it is stored and shown.
NAMES = {name: camel_case(name) for name in Policies._fields}

DEFAULT_POLICIES = Policies()

#: Policies that the functions that finish a deletion do not need.
_NOT_FOR_DELETIONS = ("app_schemes", "click_retention_days", "undo_minutes")

_UNDO = NAMES["undo_minutes"]


def _days(value: Any) -> int | None:
    return None if value is None or value == "" else int(value)


def _number(value: Any, default: int) -> int:
    return default if (number := _days(value)) is None else number


def _flag(value: Any) -> bool:
    return value is True or str(value).lower() == "true"
