"""Which deletions a caller means: the filter of the audit trail and of the trash."""

from datetime import datetime
from typing import NamedTuple


class DeletionFilter(NamedTuple):
    """The conditions of a filter; None matches any deletion.

    ``actor`` is a key id, a user id or the name of a service. ``created_after`` and
    ``created_before`` are exclusive, in the API's format.
    """

    state: str | None = None
    mode: str | None = None
    actor: str | None = None
    created_after: str | None = None
    created_before: str | None = None

    @property
    def empty(self) -> bool:
        """Whether every deletion matches."""
        return self == DeletionFilter()

    @property
    def reads_more_than_it_finds(self) -> bool:
        """Whether records are read that do not match. Times alone are a range of the key."""
        return (self.state, self.mode, self.actor) != (None, None, None)

    @property
    def matches_nothing(self) -> bool:
        """Whether its times exclude each other."""
        low, high = self.id_range()
        return low >= high

    def id_range(self) -> tuple[str, str]:
        """The bounds of matching ids in text order; no id equals a bound.

        A deletion id is a version 7 UUID: it starts with the Unix milliseconds of ``createdAt``.
        """
        low = _first_id(self.created_after, 1) if self.created_after is not None else "0"
        high = _first_id(self.created_before, 0) if self.created_before is not None else "g"
        return low, high


#: The last millisecond that 48 bits hold.
_LAST = (1 << 48) - 1


def _first_id(moment: str, later_ms: int) -> str:
    """The start of the ids of this millisecond, or of one ``later_ms`` after it."""
    seconds, _, milliseconds = moment.removesuffix("Z").partition(".")
    unix = int(datetime.fromisoformat(f"{seconds}+00:00").timestamp()) * 1000 + int(milliseconds)
    digits = f"{min(max(unix + later_ms, 0), _LAST):012x}"
    return f"{digits[:8]}-{digits[8:]}"


#: Matches all deletions.
EVERY_DELETION = DeletionFilter()

#: Matches all soft deletions.
SOFT_DELETIONS = DeletionFilter(mode="soft")
