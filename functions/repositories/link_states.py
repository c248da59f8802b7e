"""The parts of a link item that deletions, dry runs and restores read."""

from typing import Any, NamedTuple

from functions.repositories.link_items import is_live


class LinkState(NamedTuple):
    """What an erasure or a dry run must know of a link before it touches it.

    ``deletion_id`` is its soft delete; None while it is live.
    """

    id: str
    is_live: bool
    fencing_token: str
    short_code: str
    external_id: str | None
    click_count: int
    last_click_at: str | None
    qr_keys: tuple[str, ...] = ()
    one_partition: bool = False
    deletion_id: str | None = None


class DeletedState(NamedTuple):
    """What a restore must know of a link. ``ttl`` is when DynamoDB may remove it (Unix seconds)."""

    id: str
    is_live: bool
    fencing_token: str
    deletion_id: str | None
    created_at: str
    expires_at: str | None
    ttl: int | None


#: The attributes to read.
DELETED = ("id", "livePk", "fencingToken", "deletionId", "createdAt", "expiresAt", "ttl")
STATE = (
    "id",
    "livePk",
    "fencingToken",
    "shortCode",
    "externalId",
    "clickCount",
    "lastClickAt",
    "qrKeys",
    "onePartition",
    "deletionId",
)


def decode_state(item: dict[str, Any]) -> LinkState:
    """The state of an item that was read with :data:`STATE`."""
    return LinkState(
        id=item["id"]["S"],
        is_live=is_live(item),
        fencing_token=item["fencingToken"]["S"],
        short_code=item["shortCode"]["S"],
        external_id=item["externalId"]["S"] if "externalId" in item else None,
        click_count=int(item["clickCount"]["N"]) if "clickCount" in item else 0,
        last_click_at=item["lastClickAt"]["S"] if "lastClickAt" in item else None,
        qr_keys=tuple(item["qrKeys"]["SS"]) if "qrKeys" in item else (),
        one_partition="onePartition" in item,
        deletion_id=item["deletionId"]["S"] if "deletionId" in item else None,
    )


def decode_deleted_state(item: dict[str, Any]) -> DeletedState:
    """The state of an item that was read with :data:`DELETED`."""
    return DeletedState(
        id=item["id"]["S"],
        is_live=is_live(item),
        fencing_token=item["fencingToken"]["S"],
        deletion_id=item["deletionId"]["S"] if "deletionId" in item else None,
        created_at=item["createdAt"]["S"],
        expires_at=item["expiresAt"]["S"] if "expiresAt" in item else None,
        ttl=int(item["ttl"]["N"]) if "ttl" in item else None,
    )
