"""Creates deletion records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from functions.aws.calls import TransactionCancelled
from functions.aws.codec import runs, to_item
from functions.domain.deletion import Deletion
from functions.domain.idempotency import IdempotencyKey
from functions.domain.ids import pack_ids
from functions.repositories import deletion_items
from functions.repositories.deletion_items import chunk_key, header_item
from functions.repositories.deletion_reader import DeletionReader
from functions.repositories.idempotency import IdempotencyTable, transact_once

#: Seconds that chunks outlive their header. DynamoDB removes expired items within days and in any
#: order, and a header without its ids would be a broken record.
CHUNKS_LINGER = 7 * 86_400


class SlotTaken(Exception):
    """Another request claimed a slot first; ``refused`` has for each claim whether it was taken."""

    def __init__(self, refused: Sequence[bool]) -> None:
        super().__init__("a slot was taken")
        self.refused = refused


class DeletionCreator(DeletionReader):
    """Creates deletion records, each with its idempotency key."""

    def __init__(self, client: Any, name: str) -> None:
        super().__init__(client, name)
        self.keys = IdempotencyTable(client, name)

    def accept(
        self,
        deletion: Deletion,
        *,
        key: IdempotencyKey | None,
        claims: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Write the record: its header, and its chunks of ids in the same transaction.

        From then on the deletion always completes. Chunks have no TTL, so
        none may stay without a header (docs/decisions/211-ids-and-header-in-one-transaction.md).
        Raises ``KeyTaken`` if another request used the key, and :class:`SlotTaken` if one of
        ``claims``, the actions that claim slots, was refused.
        """
        chunks = self._chunks(deletion)
        header, *key_claim = self.accept_actions(deletion, key=key)
        if not (chunks or claims or key_claim):
            # A deletion id is unique: an existing header was written by this call, whose response
            # was lost.
            self._create_item(header["Put"]["Item"])
            return
        actions = [header, *claims, *({"Put": chunk} for chunk in chunks)]
        try:
            transact_once(self._client, actions, key_claim[0] if key_claim else None)
        except TransactionCancelled as cancelled:
            if any(refused := cancelled.refused[1 : 1 + len(claims)]):
                raise SlotTaken(refused) from None
            raise

    def accept_actions(
        self, deletion: Deletion, *, key: IdempotencyKey | None
    ) -> list[dict[str, Any]]:
        """The transaction actions that create the header and claim the idempotency key."""
        actions = [self._create_action(header_item(deletion))]
        if key is not None:
            actions.append(
                self.keys.claim_action(deletion.workspace_id, key, {"deletionId": deletion.id})
            )
        return actions

    def _chunks(self, deletion: Deletion) -> list[dict[str, Any]]:
        """The writes of the ids that do not fit the header; sets ``deletion.id_chunks``."""
        if len(deletion.link_ids) <= deletion_items.INLINE_IDS:
            return []
        expires = None if deletion.ttl is None else deletion.ttl + CHUNKS_LINGER
        chunks = [
            {
                "TableName": self.name,
                "Item": {
                    **chunk_key(deletion, number),
                    "ids": {"B": pack_ids(list(ids))},
                    **to_item({"ttl": expires}),
                },
            }
            for number, ids in enumerate(runs(deletion.link_ids, deletion_items.CHUNK_IDS))
        ]
        deletion.id_chunks = len(chunks)
        return chunks
