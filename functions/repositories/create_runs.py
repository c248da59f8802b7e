"""Runs of creates with an ``Idempotency-Key``: several transactions, applied once.

A run is claimed before its first transaction, in the item of its key
(:mod:`~functions.repositories.idempotency`): a random ``run``, ``createdAt`` and ``userId``,
``draws`` (how often the code of a link was generated again), ``leaseUntil``, ``earlierRuns`` (those
that were killed before they responded) and ``answered``.

``MADE#{run}#{group}`` records for each transaction that it was applied (``made``), or that it is
barred.

No data of a link is kept: ids and codes are derived from the run and the key, and the table has
only a hash of the key.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from functions.aws.calls import ConditionFailed, call
from functions.aws.codec import to_item
from functions.aws.dynamodb import Table
from functions.domain.clock import now_iso
from functions.domain.errors import StillRunning, UnlinkError
from functions.domain.idempotency import IdempotencyKey
from functions.powertools import Logger
from functions.repositories.idempotency import (
    IDEMPOTENCY_SECONDS,
    IdempotencyTable,
    item_key,
    read_record,
)

#: Seconds after which a run without a response counts as killed: more than the timeout of any
#: function behind the gateway (29 s). A retry then takes over.
LEASE_SECONDS = 60

#: How long ago the record of a freed key has expired: more than clocks differ. With a TTL of more
#: than five years ago DynamoDB would keep it forever (Developer Guide, "Using time to live (TTL)").
FREED_SECONDS = 3_600

log = Logger()


@dataclass(frozen=True, slots=True)
class CreateRun:
    """One run of a request that creates links, or the one that was ``answered``.

    ``earlier`` are the runs that were killed before they responded. ``draws`` has, by the position
    of a link, how often its code was generated again.
    """

    id: str
    created_at: str
    user_id: str
    draws: Mapping[int, int] = field(default_factory=dict)
    answered: bool = False
    earlier: tuple[CreateRun, ...] = ()

    @classmethod
    def read(cls, details: Mapping[str, Any]) -> CreateRun:
        """The run in a create's record."""
        return cls(
            id=details["run"],
            created_at=details["createdAt"],
            user_id=details["userId"],
            draws={int(place[1:]): times for place, times in details["draws"].items()},
            answered="answered" in details,
            earlier=tuple(cls.read(each) for each in details.get("earlierRuns", [])),
        )

    def stored(self) -> dict[str, Any]:
        """The inverse of :meth:`read`, but for ``answered`` and ``earlier``."""
        return {
            "run": self.id,
            "createdAt": self.created_at,
            "userId": self.user_id,
            "draws": {f"p{place}": times for place, times in self.draws.items()},
        }


class CreateRuns(Table):
    """Starts and ends the runs of one key; ``name`` is the ``deletions`` table."""

    def __init__(self, client: Any, name: str, workspace_id: str, key: IdempotencyKey) -> None:
        super().__init__(client, name)
        self.workspace_id = workspace_id
        self.key = key
        self._keys = IdempotencyTable(client, name)

    def begin(self, user_id: str) -> CreateRun:
        """A run to create the links, or the one that was answered.

        Raises ``KeyReused`` (another request has this key) and ``StillRunning``.
        """
        now = int(time.time())
        run = CreateRun(str(uuid.uuid4()), now_iso(), user_id)
        lease = {"leaseUntil": now + LEASE_SECONDS}
        put = self._keys.claim_action(self.workspace_id, self.key, run.stored() | lease)["Put"]
        put["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        try:
            call(self._client.put_item, **put)
        except ConditionFailed as failed:
            record = read_record(failed.item)
        else:
            return run
        record.check(self.key)
        found = CreateRun.read(record.details)
        if found.id == run.id or found.answered:
            # It may be this request's own run, written by a call whose response was lost.
            return found
        if not lease_has_expired(record.details):
            raise StillRunning
        # The same request was killed before it responded. Its run tells what it created.
        earlier = (*found.earlier, replace(found, earlier=()))
        unchanged = "#run=:dead AND leaseUntil=:expired AND attribute_not_exists(answered)"
        current = self._update(
            f"SET {_RUN}, leaseUntil=:lease, earlierRuns=:earlier",
            condition=unchanged,
            values=_run_values(run)
            | {
                ":lease": lease["leaseUntil"],
                ":earlier": [each.stored() for each in earlier],
                ":dead": found.id,
                ":expired": record.details["leaseUntil"],
            },
        )
        # After a lost response of this call, the item has this run.
        if current is not None and current.get("run", {}).get("S") != run.id:
            raise StillRunning
        return replace(run, earlier=earlier)

    def end(self, run: CreateRun, *, made_by: CreateRun) -> None:
        """Record that the response has the links of this run or of an earlier one."""
        changes = f"SET answered=:true, {_RUN} REMOVE earlierRuns"
        values = _run_values(made_by) | {":true": True}
        self._note(run, changes, values)

    def free(self, run: CreateRun) -> None:
        """Free the key: the request was refused and changed nothing."""
        self._note(run, "SET #ttl=:past", {":past": int(time.time()) - FREED_SECONDS})

    def abandon(self, run: CreateRun) -> None:
        """Let a retry take over at once and find out what this run created."""
        self._note(run, "SET leaseUntil=:past", {":past": 0})

    def _note(self, run: CreateRun, changes: str, values: dict[str, Any]) -> None:
        """The response is decided; a failure here must not change it."""
        try:
            self._update(
                changes,
                condition=_RUN_IS_CURRENT,
                values=values | {":current": run.id},
            )
        except UnlinkError as error:
            log.warning(
                "the response to a request was not recorded",
                extra={"workspaceId": self.workspace_id, "cause": repr(error.__cause__ or error)},
            )

    def save_draw(self, run: CreateRun, place: int, times: int) -> None:
        """Record how often the code of the link at this position was generated again.

        Raises ``StillRunning`` when another run has taken over.
        """
        # A call that was given up and repeated may be carried out after the next draw of this link.
        draw = f"draws.#p{place}"
        no_later_draw = f"(attribute_not_exists({draw}) OR {draw}<=:times)"
        current = self._update(
            f"SET {draw}=:times",
            condition=f"{_RUN_IS_CURRENT} AND {no_later_draw}",
            values={":times": times, ":current": run.id},
        )
        if current is not None:
            raise StillRunning

    def made_action(self, run: CreateRun, group: int) -> dict[str, Any]:
        """The transaction action that records that its transaction was applied."""
        # A run that counts as killed must not continue after its successor has checked.
        return self._create_action(self._mark(run, group, made=True))

    def bar(self, run: CreateRun, group: int) -> bool:
        """Whether this transaction of a run was applied; if not, it is barred from now on."""
        mark = self._mark(run, group, made=False)
        existing = self._create_item(mark)
        return existing is not None and bool(existing["made"]["BOOL"])

    def _mark(self, run: CreateRun, group: int, *, made: bool) -> dict[str, Any]:
        ttl = int(time.time()) + 2 * IDEMPOTENCY_SECONDS
        return item_key(self.workspace_id, self.key) | to_item(
            {"sk": f"MADE#{run.id}#{group:03d}", "made": made, "ttl": ttl}
        )

    def _update(
        self, expression: str, *, condition: str, values: dict[str, Any]
    ) -> dict[str, Any] | None:
        key = item_key(self.workspace_id, self.key)
        return self._update_item(key, expression, condition=condition, values=to_item(values))


#: Otherwise the lease has expired and another run has taken over.
_RUN_IS_CURRENT = "#run=:current"

_RUN = "#run=:run, createdAt=:createdAt, userId=:userId, draws=:draws"


def _run_values(run: CreateRun) -> dict[str, Any]:
    return {f":{name}": value for name, value in run.stored().items()}


def lease_has_expired(details: Mapping[str, Any]) -> bool:
    """Whether the run in a create's record counts as killed."""
    return bool(details["leaseUntil"] < time.time())
