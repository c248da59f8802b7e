"""The queue message about removed links, whose clicks and images must be removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from functions.domain.ids import NO_RESTORE

#: Links per queue message: their erasures are read in one call and finished in one transaction.
LINKS_A_MESSAGE = 99


@dataclass(frozen=True, slots=True)
class Removed:
    """A removed link, from the stream's old image; all but the id may be missing.

    ``expired`` means that DynamoDB's TTL removed it; ``deletion_id`` is its soft delete, and
    ``fencing_token`` its last restore. ``one_partition``: :mod:`functions.repositories.clicks`.
    """

    id: str
    code: str | None = None
    external_id: str | None = None
    deletion_id: str | None = None
    policies: dict[str, Any] | None = None
    expired: bool = False
    qr_keys: tuple[str, ...] = ()
    one_partition: bool = False
    fencing_token: str = NO_RESTORE


def message_of(workspace_id: str, removed: Sequence[Removed]) -> dict[str, Any]:
    """The queue message for links of one workspace, at most :data:`LINKS_A_MESSAGE`."""
    return {
        "workspaceId": workspace_id,
        "links": [
            {
                name: value
                for name, value in (
                    ("id", link.id),
                    ("code", link.code),
                    ("externalId", link.external_id),
                    ("deletionId", link.deletion_id),
                    ("policies", link.policies),
                    ("expired", link.expired or None),
                    ("qrKeys", list(link.qr_keys) or None),
                    ("onePartition", link.one_partition or None),
                    (
                        "fencingToken",
                        None if link.fencing_token == NO_RESTORE else link.fencing_token,
                    ),
                )
                if value is not None
            }
            for link in removed
        ],
    }


def read_message(message: dict[str, Any]) -> tuple[str, list[Removed]]:
    """The inverse of :func:`message_of`."""
    return message["workspaceId"], [
        Removed(
            id=link["id"],
            code=link.get("code"),
            external_id=link.get("externalId"),
            deletion_id=link.get("deletionId"),
            policies=link.get("policies"),
            expired=link.get("expired", False),
            qr_keys=tuple(link.get("qrKeys", ())),
            one_partition=link.get("onePartition", False),
            fencing_token=link.get("fencingToken", NO_RESTORE),
        )
        for link in message["links"]
    ]
