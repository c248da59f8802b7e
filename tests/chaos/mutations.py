"""Changes of the code that break one promise each, and how the checker must find each of them.

A mutation is an exact replacement in a copy of the packaged functions. It is deployed to the
functions that it concerns, and a directed load with the faults that make it dangerous runs
against it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.chaos.faults import FaultRates
from tests.chaos.run_data import Fault
from tests.chaos.scenarios import (
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
    """``old`` occurs once in ``file``; ``handlers`` are the functions that get the change.

    ``fault`` and ``text`` are what the checker must say.
    """

    name: str
    file: str
    old: str
    new: str
    handlers: tuple[str, ...]
    scenario: type[Scenario]
    rates: FaultRates
    fault: Fault
    text: str
    #: Repetitions of the scenario, by each client.
    most: int = 5


MUTATIONS = (
    Mutation(
        name="the fence of a restored link",
        file="functions/repositories/link_batches.py",
        old='AND "livePk" IS NOT MISSING AND "fencingToken"<?',
        new='AND "livePk" IS NOT MISSING AND "fencingToken"<>?',
        handlers=("deletions", "deletion_worker", "scheduler"),
        scenario=RestoreAtOnce,
        rates=FaultRates.only(operations=("BatchExecuteStatement",), late=0.5, late_seconds=3.2),
        fault="lost",
        text="it is not live in the end",
    ),
    Mutation(
        name="the condition of a lease",
        file="functions/repositories/deletions.py",
        old='condition=f"{nobody_holds_it} AND {nobody_held_it_since}"',
        new='condition=f"attribute_exists(pk) OR {nobody_holds_it} AND {nobody_held_it_since}"',
        handlers=("deletion_worker",),
        scenario=ExportThenErase,
        rates=FaultRates.only(
            operations=("UpdateItem",),
            delay=0.5,
            delay_seconds=2.5,
            duplicate=1.0,
            again_seconds=0.3,
        ),
        fault="lost",
        text="its export",
    ),
    Mutation(
        name="the claim of an Idempotency-Key",
        file="functions/repositories/idempotency.py",
        old='key_is_free = "attribute_not_exists(pk) OR #ttl<=:now"',
        new='key_is_free = "attribute_not_exists(pk) OR #ttl<=:now OR attribute_exists(pk)"',
        handlers=("links",),
        scenario=RepeatAtOnce,
        rates=FaultRates.only(),
        fault="other",
        text="one create made 2 links",
    ),
    Mutation(
        name="the strong read of a redirect",
        file="functions/aws/dynamodb.py",
        old="Key=key, ConsistentRead=True, **more",
        new="Key=key, ConsistentRead=False, **more",
        handlers=("redirect",),
        scenario=VisitAfterDelete,
        rates=FaultRates.only(stale=1.0, stale_seconds=3.0),
        fault="stale redirect",
        text="still redirected after its delete was answered",
    ),
    Mutation(
        name="the queue's delay before a purge",
        file="functions/aws/sqs.py",
        old='own = {} if delay is None else {"DelaySeconds": delay}',
        new='own = {"DelaySeconds": delay or 0}',
        handlers=("link_stream",),
        scenario=VisitDuringErasure,
        rates=FaultRates.only(operations=("PutItem",), late=0.6, late_seconds=4.0),
        fault="residue",
        text="erased, and still in clicks",
    ),
    Mutation(
        name="the condition of an update",
        file="functions/repositories/links.py",
        old='ConditionExpression=IS_LIVE,\n                ReturnValues="ALL_NEW",',
        new='ReturnValues="ALL_NEW",',
        handlers=("links",),
        scenario=UpdateDuringErasure,
        rates=FaultRates.only(operations=("UpdateItem",), delay=1.0, delay_seconds=1.5),
        fault="residue",
        text="erased, and still in links",
    ),
    Mutation(
        name="the condition that counts a page once",
        file="functions/repositories/erasures.py",
        old="condition=cursor_has_not_moved,",
        new='condition=f"attribute_exists(pk) OR {cursor_has_not_moved}",',
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
