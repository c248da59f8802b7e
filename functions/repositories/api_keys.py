"""The ``access`` table's API keys: issued, listed and revoked by operators and by the API.

Items (``pk``, ``sk``):

- key: ``KEY#{sha256}``, ``KEY`` → ``keyId, workspaceId, userId, scopes, name, createdAt, createdBy,
  expiresAt, revokedAt, lastUsedAt``. The secret itself is never stored.
- its place in the workspace's list: ``KEYS#{workspaceId}``, ``{keyId}`` → ``hash``. A key id starts
  with its time, so the list is in the order of creation.
- the number of keys that were issued over the API: ``KEYS#{workspaceId}#ISSUED``, ``ISSUED`` →
  ``issued``. Two requests that counted the same active keys cannot both raise it.

Separate partitions for the list and the number: the role that may write there cannot touch the
workspace.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from functions.aws.calls import TransactionCancelled
from functions.aws.codec import from_item, primary_key, to_item
from functions.aws.dynamodb import Table
from functions.domain.api_keys import hash_api_key
from functions.domain.clock import now_iso
from functions.repositories.idempotency import transact_once


class UnknownKey(Exception):
    """The workspace has no such key."""


@dataclass(frozen=True, slots=True)
class Witness:
    """Another credential that must still have ``admin`` when a key with it is revoked.

    A key or a member, as it was read.
    """

    record: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The key id, or the user id of a member."""
        return str(self.record.get("keyId", self.record["userId"]))


class WitnessLost(Exception):
    """The witness is not an admin credential any more; nothing was changed."""


class IssuedMeanwhile(Exception):
    """The workspace got another key since the number was read; nothing was changed."""


def new_key_id() -> str:
    """``key-`` and 20 hexadecimal digits: the time in milliseconds, and 32 random bits."""
    return f"key-{time.time_ns() // 1_000_000:012x}{secrets.token_hex(4)}"


class ApiKeysTable(Table):
    """Creates, reads and ends API keys; ``name`` is the ``access`` table."""

    def create(
        self,
        secret: str,
        *,
        key_id: str,
        workspace_id: str,
        scopes: Sequence[str],
        user_id: str,
        name: str,
        expires_at: str | None = None,
        created_by: Mapping[str, str] | None = None,
        issued: int | None = None,
        claim: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Store the record of a new API key, and return it; the key itself is not stored.

        ``issued`` is the result of :meth:`issued` if the workspace's keys are limited; raises
        :class:`IssuedMeanwhile` if it has changed. ``claim`` is the action that claims an
        Idempotency-Key; raises ``KeyTaken`` when it is refused.
        """
        record = {
            "keyId": key_id,
            "workspaceId": workspace_id,
            "userId": user_id,
            "scopes": list(scopes),
            "name": name,
            "createdAt": now_iso(),
            "createdBy": dict(created_by) if created_by else None,
            "expiresAt": expires_at,
        }
        digest = hash_api_key(secret)
        items = (
            primary_key(f"KEY#{digest}", "KEY") | to_item(record),
            primary_key(_list_pk(workspace_id), key_id) | {"hash": {"S": digest}},
        )
        actions = [self._create_action(item) for item in items]
        if issued is not None:
            actions.append(self._raise_issued(workspace_id, issued))
        try:
            transact_once(self._client, actions, claim)
        except TransactionCancelled as cancelled:
            if issued is not None and cancelled.refused[len(items)]:
                raise IssuedMeanwhile from None
            raise
        return record

    def issued(self, workspace_id: str) -> int:
        """How many keys of a workspace were issued over the API, strongly consistent."""
        item = self._read_item(_issued_key(workspace_id))
        return 0 if item is None else int(item["issued"]["N"])

    def _raise_issued(self, workspace_id: str, issued: int) -> dict[str, Any]:
        # Not an update: the role may put items of these partitions only.
        not_changed = "issued=:issued" if issued else "attribute_not_exists(pk)"
        put = {
            "TableName": self.name,
            "Item": _issued_key(workspace_id) | to_item({"issued": issued + 1}),
            "ConditionExpression": not_changed,
        }
        if issued:
            put["ExpressionAttributeValues"] = to_item({":issued": issued})
        return {"Put": put}

    def get(self, workspace_id: str, key_id: str) -> dict[str, Any]:
        """One key of a workspace, strongly consistent; raises :class:`UnknownKey`."""
        listed = self._read_item(primary_key(_list_pk(workspace_id), key_id))
        item = None
        if listed is not None:
            key = primary_key(f"KEY#{listed['hash']['S']}", "KEY")
            item = self._read_item(key)
        if item is None:
            raise UnknownKey
        return from_item(item)

    def all(self, workspace_id: str) -> list[dict[str, Any]]:
        """Every key of a workspace, revoked and expired ones included, oldest first."""
        return self._read(self._items_of(_list_pk(workspace_id)))

    def page(
        self, workspace_id: str, *, limit: int, before: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Keys of a workspace, newest first, and the next ``before`` (None at the end)."""
        pk = _list_pk(workspace_id)
        start: dict[str, Any] = (
            {} if before is None else {"ExclusiveStartKey": primary_key(pk, before)}
        )
        # One more than the page: whether another page follows.
        newest = self._items_of(pk, ScanIndexForward=False, Limit=limit + 1, **start)
        listed = list(islice(newest, limit + 1))
        following = listed[limit - 1]["sk"]["S"] if len(listed) > limit else None
        return self._read(listed[:limit]), following

    def end(self, record: Mapping[str, Any], *, attribute: str, at: str) -> None:
        """Set ``revokedAt`` or ``expiresAt`` of a key that :meth:`get` gave; the earlier stays."""
        self._update_item(**_ended(record, attribute, at))

    def revoke(
        self,
        record: Mapping[str, Any],
        *,
        at: str,
        witness: Witness | None,
        claim: dict[str, Any] | None = None,
    ) -> None:
        """Revoke a key while ``witness`` (if given) has ``admin``; the first revocation stays.

        Raises :class:`WitnessLost`, having changed nothing, and ``KeyTaken`` for ``claim``.
        """
        actions = [self._update_action(**_ended(record, "revokedAt", at))]
        if witness is not None:
            # Of two admin credentials that revoke each other at once only one can succeed.
            actions.append({"ConditionCheck": self._still_admin(witness.record)})
        try:
            transact_once(self._client, actions, claim)
        except TransactionCancelled as cancelled:
            if witness is not None and cancelled.refused[1]:
                raise WitnessLost from None
            if not cancelled.refused[0]:
                raise
            if claim is not None:
                # Revoked before; the request still stands under its Idempotency-Key.
                transact_once(self._client, [], claim)

    def _still_admin(self, record: Mapping[str, Any]) -> dict[str, Any]:
        check: dict[str, Any] = {
            "TableName": self.name,
            "Key": primary_key(record["pk"], record["sk"]),
        }
        if "role" in record:
            return check | {
                "ConditionExpression": "workspaceId=:workspace AND #role=:role",
                "ExpressionAttributeNames": {"#role": "role"},
                "ExpressionAttributeValues": to_item(
                    {":workspace": record["workspaceId"], ":role": record["role"]}
                ),
            }
        return check | {
            "ConditionExpression": (
                "attribute_exists(pk) AND attribute_not_exists(revokedAt)"
                " AND (attribute_not_exists(expiresAt) OR expiresAt>:now)"
            ),
            "ExpressionAttributeValues": {":now": {"S": now_iso()}},
        }

    def _read(self, listed: Iterable[dict[str, Any]]) -> list[Any]:
        """The records of these keys of a list, in the same order."""
        digests = {item["sk"]["S"]: item["hash"]["S"] for item in listed}
        found = self._read_items(
            digests.values(),
            keys=lambda batch: [primary_key(f"KEY#{digest}", "KEY") for digest in batch],
            decode=from_item,
        )
        records = {record["keyId"]: record for record in found}
        return [records[key_id] for key_id in digests if key_id in records]


def _ended(record: Mapping[str, Any], attribute: str, at: str) -> dict[str, Any]:
    """The update that ends a key, unless it ended before."""
    not_ended_before = f"(attribute_not_exists(#{attribute}) OR #{attribute}>:at)"
    return {
        "key": primary_key(record["pk"], record["sk"]),
        "expression": f"SET #{attribute}=:at",
        "condition": f"attribute_exists(pk) AND {not_ended_before}",
        "values": {":at": {"S": at}},
    }


def _list_pk(workspace_id: str) -> str:
    return f"KEYS#{workspace_id}"


def _issued_key(workspace_id: str) -> dict[str, Any]:
    return primary_key(f"KEYS#{workspace_id}#ISSUED", "ISSUED")
