"""Which Idempotency-Keys were used to create links: there is no deletion record to tell.

Items live in the ``links`` table: ``IDEM#{workspaceId}#{sha256(key)}``, ``IDEM`` →
``requestHash``, ``claim`` and ``leaseUntil``, ``before`` (the claims of runs that never answered),
then ``answered``: how many links were made. Nothing of the links themselves is kept: they may be
erased, and their erasure must be complete. Removed by TTL after 24 hours.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger

from functions.unlink.clock import Deadline
from functions.unlink.errors import KeyReused, StillRunning, UnlinkError
from functions.unlink.stores.client import ConditionFailed, call, update
from functions.unlink.stores.idempotency import IDEMPOTENCY_SECONDS, IdempotencyKey, item_key

#: Seconds after which a request that never answered is taken for dead: more than the timeout of
#: any function behind the gateway (29 s). Whoever repeats it then runs it anew.
LEASE_SECONDS = 60

log = Logger()


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run a request, or the trace of the one that ran.

    ``id`` is drawn at random; the ids of the links that the request makes follow from it, so that
    the item names none of them and nothing of a link outlives its erasure here. ``made`` is how
    many there are once the request was answered, None while it is to be run; ``before`` are the
    claims of earlier runs that never said what they made.
    """

    id: str
    made: int | None = None
    before: tuple[Claim, ...] = ()

    def link_ids(self, count: int) -> list[str]:
        """As :func:`~functions.unlink.ids.new_link_ids`, but always the same for this claim."""
        digests = [hashlib.sha256(f"{self.id} {n}".encode()).digest() for n in range(count)]
        return sorted(str(uuid.UUID(bytes=digest[:16], version=4)) for digest in digests)


class RequestsTable:
    """Claims keys and keeps answers."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def claim(self, workspace_id: str, key: IdempotencyKey, *, deadline: Deadline) -> Claim:
        """A claim to run the request with, or (``made`` is set) that of the one that ran.

        Raises ``KeyReused`` (another request has this key) and ``StillRunning``.
        """
        now, claim = int(time.time()), {"S": str(uuid.uuid4())}
        lease = {"N": str(now + LEASE_SECONDS)}
        # Of two racing requests one must run. A key is free again after its day.
        key_is_free = "attribute_not_exists(pk) OR #ttl<:now"
        try:
            call(
                self._client.put_item,
                deadline=deadline,
                TableName=self.name,
                Item=item_key(workspace_id, key)
                | {
                    "requestHash": {"S": key.request_hash},
                    "claim": claim,
                    "leaseUntil": lease,
                    "ttl": {"N": str(now + IDEMPOTENCY_SECONDS)},
                },
                ConditionExpression=key_is_free,
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues={":now": {"N": str(now)}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionFailed as failed:
            item = failed.item
        else:
            return Claim(claim["S"])
        if item["claim"] == claim:
            # Our own, put by a call whose answer was lost.
            return Claim(claim["S"])
        if item["requestHash"]["S"] != key.request_hash:
            raise KeyReused
        if "answered" in item:
            return Claim(item["claim"]["S"], int(item["answered"]["N"]))
        if int(item["leaseUntil"]["N"]) >= now:
            raise StillRunning
        # The same request died without an answer. What it made can be told from its claim.
        before = [*item.get("before", {"L": []})["L"], item["claim"]]
        still_dead = "claim=:dead AND leaseUntil=:lapsed AND attribute_not_exists(answered)"
        met = update(
            self._client,
            self.name,
            item_key(workspace_id, key),
            "SET claim=:claim, leaseUntil=:lease, #before=:before",
            condition=still_dead,
            values={
                ":claim": claim,
                ":lease": lease,
                ":before": {"L": before},
                ":dead": item["claim"],
                ":lapsed": item["leaseUntil"],
            },
            deadline=deadline,
        )
        if met is not None and met.get("claim") != claim:
            raise StillRunning
        return Claim(claim["S"], before=tuple(Claim(each["S"]) for each in before))

    def answered(
        self,
        workspace_id: str,
        key: IdempotencyKey,
        claim: Claim,
        made: int,
        *,
        by: Claim,
        deadline: Deadline,
    ) -> None:
        """Note that the request was answered with so many links, made by this claim or an earlier
        one."""
        self._update(
            workspace_id,
            key,
            claim,
            "SET answered=:made, claim=:by REMOVE #before",
            values={":made": {"N": str(made)}, ":by": {"S": by.id}},
            deadline=deadline,
        )

    def release(
        self, workspace_id: str, key: IdempotencyKey, claim: Claim, *, deadline: Deadline
    ) -> None:
        """Let the same request run again at once, now that what earlier runs made is settled."""
        self._update(
            workspace_id,
            key,
            claim,
            "SET leaseUntil=:never REMOVE #before",
            values={":never": {"N": "0"}},
            deadline=deadline,
        )

    def _update(
        self,
        workspace_id: str,
        key: IdempotencyKey,
        claim: Claim,
        expression: str,
        *,
        values: dict[str, Any],
        deadline: Deadline,
    ) -> None:
        # Else the claim lapsed and another took it: its answer is the one to keep. And what the
        # caller was promised is done by now: it must not fail because this did.
        claim_is_ours = "claim=:claim"
        try:
            update(
                self._client,
                self.name,
                item_key(workspace_id, key),
                expression,
                condition=claim_is_ours,
                values=values | {":claim": {"S": claim.id}},
                deadline=deadline,
            )
        except UnlinkError as error:
            log.warning(
                "the answer to a request was not noted",
                extra={"workspaceId": workspace_id, "cause": repr(error.__cause__ or error)},
            )
