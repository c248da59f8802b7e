"""The transactions that erase links, and free their short codes and external ids."""

from __future__ import annotations

from typing import Any

from functions.aws.codec import to_item
from functions.aws.dynamodb import Table, transact
from functions.domain.code_release import CodeRelease
from functions.repositories.link_items import (
    EXISTS,
    IS_LIVE,
    IS_NEW,
    STILL_OURS,
    code_key,
    delete_pointer,
    external_id_key,
    link_key,
)
from functions.repositories.link_states import LinkState


class LinkErasures(Table):
    """Builds and applies the transactions of an erasure."""

    def apply(self, actions: list[dict[str, Any]]) -> None:
        """Apply :meth:`actions` (and the record's own action) in one transaction."""
        transact(self._client, actions)

    def actions(
        self,
        workspace_id: str,
        state: LinkState,
        *,
        live_only: bool = False,
        release: CodeRelease | None = None,
    ) -> list[dict[str, Any]]:
        """The transaction actions that remove a link, its code and its external id.

        The first action is the link's. ``release`` says for whom its code is reserved for a time.
        """
        # Only an existing link: of two concurrent erasures, one must report it and the other not.
        link_exists = IS_LIVE if live_only else EXISTS
        # Only as it was read. The erasure's record names its last restore and its soft delete, and
        # their workers rely on that. An external id that was set since then would stay taken. An
        # image that was registered since then would be missing in the erasure's record.
        values: dict[str, Any] = {":token": {"S": state.fencing_token}}
        link_exists += " AND fencingToken=:token"
        if state.deletion_id is None:
            link_exists += " AND attribute_not_exists(deletionId)"
        else:
            link_exists += " AND deletionId=:deletion"
            values[":deletion"] = {"S": state.deletion_id}
        if state.external_id is None:
            link_exists += " AND attribute_not_exists(externalId)"
        else:
            link_exists += " AND externalId=:external"
            values[":external"] = {"S": state.external_id}
        if state.qr_keys:
            link_exists += " AND qrKeys=:images"
            values[":images"] = {"SS": list(state.qr_keys)}
        else:
            link_exists += " AND attribute_not_exists(qrKeys)"
        if state.one_partition:
            # Clicks that were spread since then would stay. The attribute never comes back, so a
            # link that was read without it needs no condition.
            link_exists += " AND attribute_exists(onePartition)"
        link: dict[str, Any] = {
            "TableName": self.name,
            "Key": link_key(workspace_id, state.id),
            "ConditionExpression": link_exists,
            "ExpressionAttributeValues": values,
        }
        actions: list[dict[str, Any]] = [
            {"Delete": link},
            self._release_code(state.short_code, state.id, STILL_OURS, release),
        ]
        if state.external_id is not None:
            key = external_id_key(workspace_id, state.external_id)
            actions.append(delete_pointer(self.name, key, state.id))
        return actions

    def release_actions(
        self,
        workspace_id: str,
        link_id: str,
        *,
        code: str | None,
        external_id: str | None,
        release: CodeRelease | None,
    ) -> list[dict[str, Any]]:
        """The transaction actions that free the code and external id of a removed link."""
        actions = []
        # It is free already, or still this link's.
        not_another_links = f"{IS_NEW} OR {STILL_OURS}"
        if code is not None:
            actions.append(self._release_code(code, link_id, not_another_links, release))
        if external_id is not None:
            key = external_id_key(workspace_id, external_id)
            actions.append(delete_pointer(self.name, key, link_id, not_another_links))
        return actions

    def _release_code(
        self, code: str, link_id: str, still_ours: str, release: CodeRelease | None
    ) -> dict[str, Any]:
        if release is None:
            return delete_pointer(self.name, code_key(code), link_id, still_ours)
        # What is left says who may use the code, and from when on.
        left = release.left()
        return self._update_action(
            code_key(code),
            f"SET {', '.join(f'#{name}=:{name}' for name in left)} REMOVE linkId, workspaceId",
            condition=still_ours,
            values=to_item(
                {f":{name}": value for name, value in left.items()} | {":link": link_id}
            ),
        )
