"""Parses a batch of stream records. A bad record must not block the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from functions.domain.errors import UnlinkError
from functions.powertools import Logger
from functions.repositories.failed_records import FailuresBucket

log = Logger()

_Meaning = TypeVar("_Meaning")


def parse_records(
    records: Sequence[dict[str, Any]],
    meaning: Callable[[dict[str, Any]], _Meaning | None],
    *,
    failures: FailuresBucket | None,
) -> tuple[list[_Meaning], set[str]]:
    """The parsed records without the ignored ones (None), and the sequence numbers of the records
    to retry.

    A record that ``meaning`` cannot parse (``KeyError``, ``TypeError``, ``ValueError``,
    ``AttributeError``) would fail every time and block its shard. It is stored in ``failures``,
    from which an operator can replay it. Without ``failures`` (during a replay) it fails.
    """
    understood: list[_Meaning] = []
    failed: set[str] = set()
    for record in records:
        try:
            parsed = meaning(record)
        except (KeyError, TypeError, ValueError, AttributeError):
            log.exception("a record could not be parsed")
            if not _dead_letter(record, failures):
                failed.add(sequence_number(record))
        else:
            if parsed is not None:
                understood.append(parsed)
    return understood, failed


def _dead_letter(record: Any, failures: FailuresBucket | None) -> bool:
    if failures is None:
        return False
    try:
        failures.dead_letter(record)
    except UnlinkError:
        return False
    return True


def sequence_number(record: Any) -> str:
    """The sequence number of a record; ``unknown`` if it has none."""
    try:
        return str(record["dynamodb"]["SequenceNumber"])
    except (KeyError, TypeError):
        # An unknown number: Lambda then retries the whole batch.
        return "unknown"
