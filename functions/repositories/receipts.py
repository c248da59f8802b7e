"""The ``deletions`` table's signed receipts, and the public keys that verify them.

Items (``pk``, ``sk``):

- signed receipt: ``{workspaceId}#{deletionId}``, ``RECEIPT`` → ``jws``, ``keyId``, ``signedAt``.
  The first signature is kept.
- public key: ``JWKS``, ``{keyId}`` → ``jwk`` (JSON). Put before the key signs anything, and never
  removed: receipts outlive the key in KMS.

A completed erasure whose receipt is to be signed has ``openPk`` (``UNSIGNED#{0..3}``) and
``openSk``, the keys of the sparse index ``open``, until it is.
"""

import json
from typing import Any, NamedTuple

from functions.aws.calls import TransactionCancelled
from functions.aws.codec import primary_key, to_item
from functions.aws.dynamodb import transact
from functions.domain.clock import now_iso
from functions.repositories.open_index import OpenIndex, open_shard

#: The partition of the public keys.
JWKS = "JWKS"

UNSIGNED = "UNSIGNED"


class Unsigned(NamedTuple):
    """A receipt to be signed, and when its erasure was complete."""

    workspace_id: str
    deletion_id: str
    since: str


class ReceiptsTable(OpenIndex):
    """Reads and stores signatures; ``name`` is the ``deletions`` table."""

    def unsigned(self, *, limit: int) -> list[Unsigned]:
        """Receipts to be signed, at most ``limit`` a shard, and the oldest ones of each."""
        return [
            Unsigned(item["pk"]["S"], item["sk"]["S"], item["openSk"]["S"].partition("#")[0])
            for item in self._open_items(UNSIGNED, limit=limit)
        ]

    def awaits_signature(self, workspace_id: str, deletion_id: str) -> bool:
        """Whether the receipt of a completed erasure is still to be signed."""
        key = primary_key(workspace_id, deletion_id)
        item = self._read_item(key, ProjectionExpression="openPk")
        return bool(item and item["openPk"]["S"].startswith(UNSIGNED))

    def find(self, workspace_id: str, deletion_id: str) -> str | None:
        """The compact JWS of a receipt, strongly consistent; None when it is not signed."""
        item = self._read_item(_receipt_key(workspace_id, deletion_id))
        return item["jws"]["S"] if item else None

    def store(self, workspace_id: str, deletion_id: str, *, jws: str, key_id: str) -> None:
        """Keep a signature and mark the record; the first one stands."""
        item = _receipt_key(workspace_id, deletion_id) | to_item(
            {"jws": jws, "keyId": key_id, "signedAt": now_iso()}
        )
        still_unsigned = "openPk=:unsigned"
        actions = [
            self._create_action(item),
            self._update_action(
                primary_key(workspace_id, deletion_id),
                "SET receipt.#signed=:true REMOVE openPk, openSk",
                condition=still_unsigned,
                values=to_item({":true": True, ":unsigned": unsigned_shard(deletion_id)}),
            ),
        ]
        try:
            transact(self._client, actions)
        except TransactionCancelled as cancelled:
            # Another worker signed it, or this one, in a call whose response was lost.
            if not any(cancelled.refused):
                raise

    def put_public_key(self, jwk: dict[str, str]) -> None:
        """Publish a public key, permanently."""
        item = to_item({"pk": JWKS, "sk": jwk["kid"], "jwk": json.dumps(jwk), "since": now_iso()})
        self._create_item(item)

    def public_keys(self) -> list[dict[str, str]]:
        """Every public key that has ever signed a receipt, as JWKs (RFC 7517), oldest first."""
        items = sorted(self._items_of(JWKS), key=lambda each: each["since"]["S"])
        return [json.loads(item["jwk"]["S"]) for item in items]


def unsigned_shard(deletion_id: str) -> str:
    """Where the index has an unsigned receipt."""
    return open_shard(UNSIGNED, deletion_id)


def _receipt_key(workspace_id: str, deletion_id: str) -> dict[str, Any]:
    return primary_key(f"{workspace_id}#{deletion_id}", "RECEIPT")
