"""Creates deletion records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from functions.aws.calls import TransactionCancelled
from functions.aws.codec import runs, to_item
from functions.aws.dynamodb import create_action, transact
from functions.domain.deletion import Deletion
from functions.domain.idempotency import IdempotencyKey, KeyTaken
from functions.domain.ids import pack_ids
from functions.repositories import deletion_items
from functions.repositories.deletion_items import chunk_key, header_item
from functions.repositories.deletion_reader import DeletionReader
from functions.repositories.idempotency import IdempotencyTable


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
        Raises :class:`KeyTaken` if another request used the key, and :class:`SlotTaken` if one of
        ``claims``, the actions that claim slots, was refused.
        """
        chunks = self._chunks(deletion)
        actions = self.accept_actions(deletion, key=key)
        first = len(actions)
        actions += claims
        last = len(actions)
        actions += [{"Put": chunk} for chunk in chunks]
        try:
            self._create(actions)
        except TransactionCancelled as cancelled:
            if key is not None and cancelled.reasons[1].get("Code") == "ConditionalCheckFailed":
                raise KeyTaken from None
            if any(refused := cancelled.refused[first:last]):
                raise SlotTaken(refused) from None
            raise

    def accept_actions(
        self, deletion: Deletion, *, key: IdempotencyKey | None
    ) -> list[dict[str, Any]]:
        """The transaction actions that create the header and claim the idempotency key."""
        actions = [create_action(self.name, header_item(deletion))]
        if key is not None:
            actions.append(
                self.keys.claim_action(deletion.workspace_id, key, {"deletionId": deletion.id})
            )
        return actions

    def _create(self, actions: list[dict[str, Any]]) -> None:
        if len(actions) > 1:
            transact(self._client, actions)
            return
        # A deletion id is unique: an existing header was written by this call, whose response was
        # lost.
        self._create_item(actions[0]["Put"]["Item"])

    def _chunks(self, deletion: Deletion) -> list[dict[str, Any]]:
        """The writes of the ids that do not fit the header; sets ``deletion.id_chunks``."""
        if len(deletion.link_ids) <= deletion_items.INLINE_IDS:
            return []
        chunks = [
            {
                "TableName": self.name,
                "Item": {
                    **chunk_key(deletion, number),
                    "ids": {"B": pack_ids(list(ids))},
                    **to_item({"ttl": deletion.ttl}),
                },
            }
            for number, ids in enumerate(runs(deletion.link_ids, deletion_items.CHUNK_IDS))
        ]
        deletion.id_chunks = len(chunks)
        return chunks
