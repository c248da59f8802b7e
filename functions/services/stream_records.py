"""Reading a batch of stream records, of which none may hold up the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from aws_lambda_powertools import Logger

from functions.domain.errors import UnlinkError
from functions.repositories.failed_records import FailuresBucket

log = Logger()

_Meaning = TypeVar("_Meaning")


def parse_records(
    records: Sequence[dict[str, Any]],
    meaning: Callable[[dict[str, Any]], _Meaning | None],
    *,
    failures: FailuresBucket | None,
) -> tuple[list[_Meaning], set[str]]:
    """What the records mean, without those that mean nothing (None); and the sequence numbers of
    those to be tried again.

    A record that ``meaning`` does not understand (``KeyError``, ``TypeError``, ``ValueError``,
    ``AttributeError``) would fail for ever and hold up its shard: it is put aside in ``failures``,
    from which an operator can replay it. Without (it comes from there) it fails.
    """
    understood: list[_Meaning] = []
    failed: set[str] = set()
    for record in records:
        try:
            found = meaning(record)
        except (KeyError, TypeError, ValueError, AttributeError):
            log.exception("a record was not understood")
            if not _dead_letter(record, failures):
                failed.add(sequence_number(record))
        else:
            if found is not None:
                understood.append(found)
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
    """What Lambda knows a record by; ``unknown`` for one that has no number."""
    try:
        return str(record["dynamodb"]["SequenceNumber"])
    except (KeyError, TypeError):
        # Nothing that Lambda knows: it takes the whole batch for failed.
        return "unknown"
