"""The queue message about removed links, whose clicks and images must be removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from functions.domain.camel_case import camel_case
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
    qr_keys: Sequence[str] = ()
    one_partition: bool = False
    fencing_token: str = NO_RESTORE


#: Field -> its name in a message, which has only what differs from the defaults.
_MEMBERS = {field.name: camel_case(field.name) for field in fields(Removed)}


def message_of(workspace_id: str, removed: Sequence[Removed]) -> dict[str, Any]:
    """The queue message for links of one workspace, at most :data:`LINKS_A_MESSAGE`."""
    return {
        "workspaceId": workspace_id,
        "links": [
            {
                _MEMBERS[field.name]: value
                for field in fields(link)
                if (value := getattr(link, field.name)) != field.default
            }
            for link in removed
        ],
    }


def read_message(message: dict[str, Any]) -> tuple[str, list[Removed]]:
    """The inverse of :func:`message_of`."""
    return message["workspaceId"], [
        Removed(**{name: link[member] for name, member in _MEMBERS.items() if member in link})
        for link in message["links"]
    ]
