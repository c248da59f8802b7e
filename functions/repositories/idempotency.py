"""The request and the response of each ``Idempotency-Key`` of a workspace, for all routes.

Items of the ``deletions`` table, kept 24 hours (``ttl``):

- ``IDEM#{workspaceId}#{sha256(key)}``, ``IDEM``: ``requestHash`` (method, path, reason, body) and a
  reference to the response. A delete names its ``deletionId``, a restore also its ``restoreId``, an
  install and an export their ids and their ``linkId``, a dry run its numbers, a create its run
  (:mod:`~functions.repositories.create_runs`).

One item per key and workspace: the same key on another route is another request. No item has data
that an erasure must remove. The response is built from the referenced record and from the repeated
request, which is identical.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from functions.aws.calls import ConditionFailed, TransactionCancelled, call
from functions.aws.codec import from_item, primary_key, to_item
from functions.aws.dynamodb import Table, transact
from functions.domain.idempotency import IdempotencyKey, IdempotencyRecord, KeyTaken

#: How long an Idempotency-Key is kept, in seconds.
IDEMPOTENCY_SECONDS = 24 * 3600


class IdempotencyTable(Table):
    """Finds and claims keys; ``name`` is the ``deletions`` table."""

    def find(self, workspace_id: str, key: IdempotencyKey) -> IdempotencyRecord | None:
        """The record of this key, strongly consistent; None if it was not used in the last day.

        Raises ``KeyReused`` if it was used for another request.
        """
        item = self._read_item(item_key(workspace_id, key))
        # TTL removal may lag by days.
        if item is None or int(item["ttl"]["N"]) <= time.time():
            return None
        record = read_record(item)
        record.check(key)
        return record

    def claim_action(
        self, workspace_id: str, key: IdempotencyKey, details: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The transaction action that claims a free key for a request.

        It is part of the transaction that commits the request, so both exist or neither does.
        """
        now = int(time.time())
        # Of two parallel requests with one key only one is accepted; TTL removal may lag. A key is
        # free from the second on in which `find` no longer finds it.
        key_is_free = "attribute_not_exists(pk) OR #ttl<=:now"
        return {
            "Put": {
                "TableName": self.name,
                "Item": item_key(workspace_id, key)
                | to_item(dict(details))
                | {
                    "requestHash": {"S": key.request_hash},
                    "ttl": {"N": str(now + IDEMPOTENCY_SECONDS)},
                },
                "ConditionExpression": key_is_free,
                "ExpressionAttributeNames": {"#ttl": "ttl"},
                "ExpressionAttributeValues": {":now": {"N": str(now)}},
            }
        }

    def claim(self, workspace_id: str, key: IdempotencyKey, details: Mapping[str, Any]) -> None:
        """Claim a key for a request that writes nothing else.

        Raises :class:`KeyTaken`, also if this claim was applied and its response lost. Then the
        caller finds its own record.
        """
        put = self.claim_action(workspace_id, key, details)["Put"]
        try:
            call(self._client.put_item, **put)
        except ConditionFailed:
            raise KeyTaken from None


def transact_once(
    client: Any,
    actions: Sequence[dict[str, Any]],
    claim: dict[str, Any] | None,
    *,
    token: str | None = None,
) -> None:
    """``transact`` with ``claim``, the action that claims the Idempotency-Key of a request that has
    one.

    Raises :class:`KeyTaken` if the claim is refused, whatever else is refused: a repeated request
    gets its first response.
    """
    try:
        transact(client, [*actions, *([claim] if claim else [])], token=token)
    except TransactionCancelled as cancelled:
        if claim is not None and cancelled.refused[-1]:
            raise KeyTaken from None
        raise


def item_key(workspace_id: str, key: IdempotencyKey) -> dict[str, Any]:
    """The item key of an idempotency key."""
    digest = hashlib.sha256(key.key.encode()).hexdigest()
    return primary_key(f"IDEM#{workspace_id}#{digest}", "IDEM")


def read_record(item: dict[str, Any]) -> IdempotencyRecord:
    """The record of an item."""
    record = from_item(item)
    details = {
        name: value
        for name, value in record.items()
        if name not in ("pk", "sk", "ttl", "requestHash")
    }
    return IdempotencyRecord(record["requestHash"], details)
