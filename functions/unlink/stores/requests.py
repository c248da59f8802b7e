"""What was answered to an Idempotency-Key, for requests that have no deletion record to tell.

Items live in the ``links`` table: ``IDEM#{workspaceId}#{sha256(key)}``, ``IDEM`` → ``requestHash``,
``claim`` and ``leaseUntil`` while the request runs, then ``status``, ``headers`` and the compressed
``body``. They are removed by TTL after 24 hours.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
import zlib
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from functions.unlink.clock import Deadline
from functions.unlink.errors import KeyReused, StillRunning, UnlinkError
from functions.unlink.stores.client import ConditionFailed, call
from functions.unlink.stores.deletions import IDEMPOTENCY_SECONDS, IdempotencyKey

#: Seconds after which a request that never answered is taken for dead: more than the timeout of
#: any function behind the gateway (29 s). Whoever repeats it then runs it anew.
LEASE_SECONDS = 60

#: Largest compressed body that is kept, in bytes: DynamoDB takes items of 400 KB, and the answer
#: to 1,000 new links compresses to about 100 KB.
MOST_BODY = 380_000


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it was given: status, JSON text, the headers that belong to it."""

    status: int
    body: str
    headers: dict[str, str]


class RequestsTable:
    """Claims keys and keeps answers."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def claim(
        self, workspace_id: str, key: IdempotencyKey, *, deadline: Deadline
    ) -> tuple[str, Kept | None]:
        """``(claim, None)`` when the request is to be run now, else the answer that was given.

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
                Item=_key(workspace_id, key)
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
                return claim, None
            if item.get("requestHash", {}).get("S") != key.request_hash:
                raise KeyReused from None
            if "answered" not in item:
                raise StillRunning from None
            return "", Kept(
                int(item["answered"]["N"]),
                zlib.decompress(item["body"]["B"]).decode(),
                json.loads(item["headers"]["S"]),
            )
        return claim, None

    def keep(
        self, workspace_id: str, key: IdempotencyKey, claim: str, kept: Kept, *, deadline: Deadline
    ) -> None:
        """Keep the answer for whoever repeats the request; a body beyond the limit is not."""
        packed = zlib.compress(kept.body.encode(), 6)
        if len(packed) > MOST_BODY:
            return
        self._update(
            workspace_id,
            key,
            claim,
            "SET answered=:status, body=:body, headers=:headers",
            values={
                ":status": {"N": str(kept.status)},
                ":body": {"B": packed},
                ":headers": {"S": json.dumps(kept.headers)},
            },
            deadline=deadline,
        )

    def release(
        self, workspace_id: str, key: IdempotencyKey, claim: str, *, deadline: Deadline
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
        claim: str,
        expression: str,
        *,
        values: dict[str, Any],
        deadline: Deadline,
    ) -> None:
        # Else the claim lapsed and another took it: its answer is the one to keep. And what the
        # caller was promised is done by now: it must not fail because this did.
        claim_is_ours = "claim=:claim"
        with suppress(ConditionFailed, UnlinkError):
            call(
                self._client.update_item,
                deadline=deadline,
                TableName=self.name,
                Key=_key(workspace_id, key),
                UpdateExpression=expression,
                ConditionExpression=claim_is_ours,
                ExpressionAttributeValues=values | {":claim": {"S": claim}},
            )


def _key(workspace_id: str, key: IdempotencyKey) -> dict[str, Any]:
    digest = hashlib.sha256(key.key.encode()).hexdigest()
    return {"pk": {"S": f"IDEM#{workspace_id}#{digest}"}, "sk": {"S": "IDEM"}}
