"""The outcome of each id of a deletion: one byte per id, compressed, in the deletion's record."""

from __future__ import annotations

import zlib
from collections import Counter
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functions.domain.deletion_names import OutcomeName
    from functions.domain.record_types import DeletionCounts


class Outcome(IntEnum):
    """The outcome of one id. The value is stored; the label is shown by the API."""

    PENDING = 0
    DELETED = 1
    ERASED = 2
    NOT_FOUND = 3
    FAILED = 4
    RESTORED = 5

    @property
    def label(self) -> OutcomeName:
        """The name in the API."""
        return _LABELS[self]


_LABELS: dict[Outcome, OutcomeName] = {
    Outcome.PENDING: "pending",
    Outcome.DELETED: "deleted",
    Outcome.ERASED: "erased",
    Outcome.NOT_FOUND: "notFound",
    Outcome.FAILED: "failed",
    Outcome.RESTORED: "restored",
}


def pack_outcomes(outcomes: bytes | bytearray) -> bytes:
    """Compressed: 10,000 equal outcomes take 30 bytes, the worst mix under 4 KB."""
    return zlib.compress(bytes(outcomes), 6)


def unpack_outcomes(packed: bytes) -> bytearray:
    """The inverse of :func:`pack_outcomes`."""
    return bytearray(zlib.decompress(packed))


def count(outcomes: bytes | bytearray) -> DeletionCounts:
    """The number of ids by outcome."""
    seen = Counter(outcomes)
    return {
        "requested": len(outcomes),
        "deleted": seen[Outcome.DELETED] + seen[Outcome.ERASED],
        "notFound": seen[Outcome.NOT_FOUND],
        "pending": seen[Outcome.PENDING],
        "restored": seen[Outcome.RESTORED],
        "failed": seen[Outcome.FAILED],
    }
