"""The links of the ``links`` table, one at a time or a page of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from functions.aws.calls import ConditionFailed, TransactionCancelled, call
from functions.aws.codec import to_item
from functions.aws.dynamodb import Table, transact
from functions.domain.errors import InternalError
from functions.domain.link import Link
from functions.repositories.link_items import (
    IS_LIVE,
    code_key,
    decode_link,
    delete_pointer,
    encode_link,
    external_id_key,
    is_live,
    link_key,
)

if TYPE_CHECKING:
    from functions.repositories.link_batches import LinkBatches
    from functions.repositories.link_erasures import LinkErasures
    from functions.repositories.link_names import LinkNames
    from functions.repositories.live_index import LiveIndex


class ExternalIdTaken(Exception):
    """The external id belongs to another link of the workspace."""


class Registered(Enum):
    """Whether the key of a QR image was registered."""

    YES = 1
    NO_ROOM = 2
    NOT_LIVE = 3


class LinksTable(Table):
    """Reads and writes of links. What concerns many links at once is in its parts.

    The parts are imported when they are used: the redirect needs none of them.
    """

    @cached_property
    def names(self) -> LinkNames:
        """Short codes and external ids."""
        from functions.repositories.link_names import LinkNames

        return LinkNames(self._client, self.name)

    @cached_property
    def live_index(self) -> LiveIndex:
        """The index of live links."""
        from functions.repositories.live_index import LiveIndex

        return LiveIndex(self._client, self.name)

    @cached_property
    def batches(self) -> LinkBatches:
        """Soft deletes and restores of many links."""
        from functions.repositories.link_batches import LinkBatches

        return LinkBatches(self._client, self.name)

    @cached_property
    def erasures(self) -> LinkErasures:
        """Transactions that erase links."""
        from functions.repositories.link_erasures import LinkErasures

        return LinkErasures(self._client, self.name)

    def get(self, workspace_id: str, link_id: str) -> Link | None:
        """A link, live or soft-deleted, strongly consistent; None when there is none."""
        item = self._read_item(link_key(workspace_id, link_id))
        return decode_link(item) if item else None

    def get_many(self, workspace_id: str, link_ids: Sequence[str]) -> dict[str, Link]:
        """Links, live or soft-deleted, by id; strongly consistent."""
        found = self._read_items(
            link_ids,
            keys=lambda batch: [link_key(workspace_id, link_id) for link_id in batch],
            decode=decode_link,
        )
        return {link.id: link for link in found}

    def resolve_code(self, code: str) -> tuple[str, str] | None:
        """``(workspace_id, link_id)`` behind a short code, strongly consistent."""
        item = self._read_item(code_key(code))
        # A code that is reserved or in quarantine is taken, but does not redirect.
        return (
            (item["workspaceId"]["S"], item["linkId"]["S"]) if item and "linkId" in item else None
        )

    def create(
        self, links: Sequence[Link], *, token: str, made: dict[str, Any] | None = None
    ) -> list[str]:
        """Create up to 33 links with their codes in one transaction, all or none.

        Returns [] when all were created, else for each link what prevents it: ``""``, ``"code"``
        or ``"externalId"``. ``token`` makes a repeated call (after a lost response) harmless.
        ``made`` is an action that goes with them; raises ``KeyTaken`` when it is refused.
        """
        # Imported here: the redirect creates no link.
        from functions.domain import code_release
        from functions.repositories.idempotency import transact_once

        actions: list[dict[str, Any]] = []
        #: What each action claims, and for which link.
        claims: list[tuple[int, str]] = []
        for position, link in enumerate(links):
            pointer = {"workspaceId": {"S": link.workspace_id}, "linkId": {"S": link.id}}
            code = {
                "TableName": self.name,
                "Item": code_key(link.short_code) | pointer,
                "ConditionExpression": code_release.IS_FREE,
                **code_release.is_free_parameters(link.workspace_id, time.time()),
            }
            actions.append({"Put": code})
            claims.append((position, "code"))
            if link.external_id is not None:
                actions.append(self._put_external_id(link, link.external_id))
                claims.append((position, "externalId"))
            actions.append(self._create_action(encode_link(link)))
            claims.append((position, "id"))
        try:
            transact_once(self._client, actions, made, token=token)
        except TransactionCancelled as cancelled:
            obstacles = [""] * len(links)
            for (position, what), reason in zip(claims, cancelled.reasons, strict=False):
                if reason.get("Code") == "ConditionalCheckFailed" and what != "id":
                    obstacles[position] = what
            if not any(obstacles):
                raise InternalError from cancelled
            return obstacles
        return []

    def update(self, workspace_id: str, link_id: str, changes: dict[str, Any]) -> Link | None:
        """Set (or, for None, remove) these attributes of a live link; returns the changed link.

        ``changes`` has the names of the API. None when the link is not live, or has a change that
        is not older than ``changes["updatedAt"]``.
        """
        try:
            response = call(
                self._client.update_item,
                TableName=self.name,
                Key=link_key(workspace_id, link_id),
                ConditionExpression=f"{IS_LIVE}{_is_newest(changes)}",
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **_change(changes),
            )
        except ConditionFailed as failed:
            return decode_link(failed.item) if _has(failed.item, changes) else None
        return decode_link(response["Attributes"])

    def update_external_id(self, link: Link, changes: dict[str, Any]) -> bool:
        """As :meth:`update`, for changes with an external id: its own item changes with it.

        All in one transaction. False when the link is no longer live, or was changed since
        ``link`` was read. Raises :class:`ExternalIdTaken`.
        """
        old, new = link.external_id, changes["externalId"]
        update = _change(changes)
        update["ExpressionAttributeNames"]["#old"] = "externalId"
        if old is None:
            # Of two concurrent updates that both read no external id, only one may set one.
            as_it_was_read = "attribute_not_exists(#old)"
        else:
            as_it_was_read = "#old=:old"
            update["ExpressionAttributeValues"][":old"] = {"S": old}
        actions: list[dict[str, Any]] = [
            {
                "Update": {
                    "TableName": self.name,
                    "Key": link_key(link.workspace_id, link.id),
                    "ConditionExpression": f"{IS_LIVE} AND {as_it_was_read}{_is_newest(changes)}",
                    **update,
                }
            }
        ]
        if new is not None:
            actions.append(self._put_external_id(link, new))
        if old is not None:
            key = external_id_key(link.workspace_id, old)
            actions.append(delete_pointer(self.name, key, link.id))
        try:
            transact(self._client, actions)
        except TransactionCancelled as cancelled:
            if cancelled.refused[0]:
                return False
            if new is not None and cancelled.refused[1]:
                raise ExternalIdTaken from None
            raise InternalError from cancelled
        return True

    def register_qr_key(
        self, workspace_id: str, link_id: str, key: str, *, maximum: int
    ) -> Registered:
        """Add the key of a QR image to its link, which has at most ``maximum`` of them.

        This comes before the image is stored: a delete finds the image by this key.
        """
        # Only on a live link: the old image of a delete's stream record has every key, or the
        # image is never stored. A key that is there already may always be added again.
        live_with_room = (
            f"{IS_LIVE} AND (attribute_not_exists(qrKeys)"
            " OR size(qrKeys)<:maximum OR contains(qrKeys,:key))"
        )
        refused_by = self._update_item(
            link_key(workspace_id, link_id),
            "ADD qrKeys :keys",
            condition=live_with_room,
            values={":keys": {"SS": [key]}, ":key": {"S": key}, ":maximum": {"N": str(maximum)}},
        )
        if refused_by is not None:
            return Registered.NO_ROOM if is_live(refused_by) else Registered.NOT_LIVE
        return Registered.YES

    def _put_external_id(self, link: Link, external_id: str) -> dict[str, Any]:
        key = external_id_key(link.workspace_id, external_id)
        return self._create_action(key | {"linkId": {"S": link.id}})


def _is_newest(changes: dict[str, Any]) -> str:
    """The condition that no later update has changed the link, by the aliases of `_change`.

    A call that was given up and repeated may still be carried out seconds later. It must not
    replace what was changed since.
    """
    if "updatedAt" not in changes:
        return ""
    place = list(changes).index("updatedAt")
    return f" AND #{place}<:{place}"


def _has(item: dict[str, Any], changes: dict[str, Any]) -> bool:
    """Whether a live link has these changes: those of a call whose response was lost."""
    expected = to_item({name: value for name, value in changes.items() if value is not None})
    cleared = [name for name, value in changes.items() if value is None]
    return (
        is_live(item)
        and all(item.get(name) == value for name, value in expected.items())
        and not any(name in item for name in cleared)
    )


def _change(changes: dict[str, Any]) -> dict[str, Any]:
    """The parameters of an update that sets these attributes and removes those that are None."""
    names = {f"#{position}": name for position, name in enumerate(changes)}
    values: dict[str, Any] = {}
    sets, removes = [], []
    for position, value in enumerate(changes.values()):
        if value is None:
            removes.append(f"#{position}")
        else:
            sets.append(f"#{position}=:{position}")
            values |= to_item({f":{position}": value})
    return {
        "UpdateExpression": f"SET {','.join(sets)}"
        + (f" REMOVE {','.join(removes)}" if removes else ""),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }
