"""Which Idempotency-Keys were used to create links: there is no deletion record to tell.

Items live in the ``links`` table: ``IDEM#{workspaceId}#{sha256(key)}``, ``IDEM`` → ``requestHash``,
``claim`` and ``leaseUntil``, then ``answered``: how many links were made. Nothing of the links
themselves is kept: they may be erased, and their erasure must be complete. Removed by TTL after
24 hours.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from functions.unlink.clock import Deadline
from functions.unlink.errors import KeyReused, StillRunning, UnlinkError
from functions.unlink.stores.client import ConditionFailed, call, update
from functions.unlink.stores.deletions import IDEMPOTENCY_SECONDS, IdempotencyKey, key_of

#: Seconds after which a request that never answered is taken for dead: more than the timeout of
#: any function behind the gateway (29 s). Whoever repeats it then runs it anew.
LEASE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run a request, or the trace of the one that ran.

    ``id`` is drawn at random; the ids of the links that the request makes follow from it, so that
    the item names none of them and nothing of a link outlives its erasure here. ``made`` is how
    many there are once the request was answered, None while it is to be run.
    """

    id: str
    made: int | None = None

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
        now, claim = int(time.time()), str(uuid.uuid4())
        # Of two racing requests one must run. A key is free again after its day, and when the
        # same request died without an answer.
        key_is_free = (
            "attribute_not_exists(pk) OR #ttl<:now "
            "OR (requestHash=:hash AND attribute_not_exists(answered) AND leaseUntil<:now)"
        )
        try:
            call(
                self._client.put_item,
                deadline=deadline,
                TableName=self.name,
                Item=key_of(workspace_id, key)
                | {
                    "requestHash": {"S": key.request_hash},
                    "claim": {"S": claim},
                    "leaseUntil": {"N": str(now + LEASE_SECONDS)},
                    "ttl": {"N": str(now + IDEMPOTENCY_SECONDS)},
                },
                ConditionExpression=key_is_free,
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues={
                    ":now": {"N": str(now)},
                    ":hash": {"S": key.request_hash},
                },
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionFailed as failed:
            item = failed.item
            if item.get("claim", {}).get("S") == claim:
                # Our own, put by a call whose answer was lost.
                return Claim(claim)
            if item.get("requestHash", {}).get("S") != key.request_hash:
                raise KeyReused from None
            if "answered" not in item:
                raise StillRunning from None
            return Claim(item["claim"]["S"], int(item["answered"]["N"]))
        return Claim(claim)

    def answered(
        self, workspace_id: str, key: IdempotencyKey, claim: Claim, made: int, *, deadline: Deadline
    ) -> None:
        """Note that the request was answered, having made so many links."""
        self._update(
            workspace_id,
            key,
            claim,
            "SET answered=:made",
            values={":made": {"N": str(made)}},
            deadline=deadline,
        )

    def release(
        self, workspace_id: str, key: IdempotencyKey, claim: Claim, *, deadline: Deadline
    ) -> None:
        """Let the same request run again at once: this one changed nothing, or nobody knows."""
        self._update(
            workspace_id,
            key,
            claim,
            "SET leaseUntil=:never",
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
        with suppress(UnlinkError):
            update(
                self._client,
                self.name,
                key_of(workspace_id, key),
                expression,
                condition=claim_is_ours,
                values=values | {":claim": {"S": claim.id}},
                deadline=deadline,
            )
