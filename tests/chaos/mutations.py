"""Changes of the code that break one promise each, and the violation that the checker must report.

A mutation is an exact replacement in a copy of the packaged functions. It is deployed to the
functions that it concerns, and a directed load with the faults that make it dangerous runs
against it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.chaos.faults import FaultRates
from tests.chaos.run_data import Fault
from tests.chaos.scenarios import (
    STALE_SECONDS,
    EraseClicks,
    ExportThenErase,
    RepeatAtOnce,
    RestoreAtOnce,
    Scenario,
    UpdateDuringErasure,
    VisitAfterDelete,
    VisitDuringErasure,
)


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """Each first text of ``changes`` occurs once in ``file``, and the second replaces it.
    ``handlers`` are the functions that get the change.

    ``fault`` and ``text`` are what the checker must say.
    """

    name: str
    file: str
    changes: tuple[tuple[str, str], ...]
    handlers: tuple[str, ...]
    scenario: type[Scenario]
    rates: FaultRates
    fault: Fault
    text: str
    #: Repetitions of the scenario in a round, by each client.
    most: int = 1


MUTATIONS = (
    Mutation(
        name="the fence of a restored link",
        file="functions/repositories/link_batches.py",
        changes=(
            (
                'AND "livePk" IS NOT MISSING AND "fencingToken"<?',
                'AND "livePk" IS NOT MISSING AND "fencingToken"<>?',
            ),
        ),
        handlers=("deletions", "deletion_worker", "scheduler"),
        scenario=RestoreAtOnce,
        rates=FaultRates.only(operations=("BatchExecuteStatement",), late=0.5, late_seconds=3.2),
        fault="lost",
        text="it is not live in the end",
    ),
    Mutation(
        name="the conditions of a lease",
        file="functions/repositories/deletions.py",
        changes=(
            (
                'condition=f"{lease_has_expired} AND {lease_is_unchanged}"',
                'condition=f"attribute_exists(pk) OR {lease_has_expired} AND {lease_is_unchanged}"',
            ),
            ("condition=lease_is_ours,", 'condition=f"attribute_exists(pk) OR {lease_is_ours}",'),
        ),
        handlers=("deletion_worker",),
        scenario=ExportThenErase,
        # While one worker exports, others read the record. One of them is held up when it takes
        # the lease, until the first has erased the links.
        rates=FaultRates.only(
            operations=("UpdateItem",),
            containing="leaseUntil",
            delay=0.4,
            delay_seconds=1.5,
            late=0.3,
            late_seconds=3.2,
            duplicate=1.0,
            again_seconds=0.3,
        ),
        fault="lost",
        text="its export",
        most=3,
    ),
    Mutation(
        name="the claim of an Idempotency-Key",
        file="functions/repositories/idempotency.py",
        changes=(
            (
                'key_is_free = "attribute_not_exists(pk) OR #ttl<=:now"',
                'key_is_free = "attribute_not_exists(pk) OR #ttl<=:now OR attribute_exists(pk)"',
            ),
        ),
        handlers=("links",),
        scenario=RepeatAtOnce,
        rates=FaultRates.only(),
        fault="other",
        text="one create made 2 links",
    ),
    Mutation(
        name="the strong read of a redirect",
        file="functions/aws/dynamodb.py",
        changes=(
            ("Key=key, ConsistentRead=True, **more", "Key=key, ConsistentRead=False, **more"),
        ),
        handlers=("redirect",),
        scenario=VisitAfterDelete,
        rates=FaultRates.only(stale=1.0, stale_seconds=STALE_SECONDS),
        fault="stale redirect",
        text="still redirected after its delete was answered",
    ),
    Mutation(
        name="the queue's delay before a purge",
        file="functions/aws/sqs.py",
        changes=(
            (
                'own = {} if delay is None else {"DelaySeconds": delay}',
                'own = {"DelaySeconds": delay or 0}',
            ),
        ),
        handlers=("link_stream",),
        scenario=VisitDuringErasure,
        rates=FaultRates.only(operations=("PutItem",), late=0.6, late_seconds=4.0),
        fault="residue",
        text="erased, and still in clicks",
    ),
    Mutation(
        name="the condition of an update",
        file="functions/repositories/links.py",
        changes=(
            ('f"{IS_LIVE}{_is_newest(changes)}"', 'f"attribute_not_exists(pk) OR {IS_LIVE}"'),
        ),
        handlers=("links",),
        scenario=UpdateDuringErasure,
        rates=FaultRates.only(operations=("UpdateItem",), delay=1.0, delay_seconds=1.5),
        fault="residue",
        text="erased, and still in links",
    ),
    Mutation(
        name="the condition that counts a page once",
        file="functions/repositories/erasures.py",
        changes=(
            (
                "condition=cursor_has_not_moved,",
                'condition=f"attribute_exists(pk) OR {cursor_has_not_moved}",',
            ),
        ),
        handlers=("erase_worker",),
        scenario=EraseClicks,
        rates=FaultRates.only(
            operations=("UpdateItem", "BatchWriteItem"),
            delay=1.0,
            delay_seconds=1.0,
            duplicate=1.0,
            again_seconds=0.2,
        ),
        fault="other",
        text="answered and 0 unanswered visits",
    ),
)
