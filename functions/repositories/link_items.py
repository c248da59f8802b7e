"""The items of the ``links`` table. Only this module knows their keys and encoding.

Items (``pk``, ``sk``):

- link: ``{workspaceId}#{linkId}``, ``LINK``. It has ``livePk`` and ``liveSk`` exactly while it is
  live.
- code: ``CODE#{code}``, ``CODE`` → ``workspaceId``, ``linkId``. Immutable; once its link is erased,
  it holds what :mod:`~functions.domain.code_release` leaves.
- external id: ``EXT#{workspaceId}#{externalId}``, ``EXT`` → ``linkId``.

The sparse index ``live`` (``livePk={workspaceId}#{shard}``, ``liveSk={createdAt}#{linkId}``,
keys only) lists the live links of a workspace in eight shards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.aws.codec import from_attribute, primary_key, to_item
from functions.domain.ids import shard_of
from functions.domain.link import FIELDS, Link

#: The sort key of every link item.
LINK = {"S": "LINK"}

LIVE_INDEX = "live"

#: Conditions of a write to a link item.
IS_LIVE = "attribute_exists(livePk)"
EXISTS = "attribute_exists(pk)"
IS_NEW = "attribute_not_exists(pk)"

#: Condition of a write to a code or external id: it is never taken from another link.
STILL_OURS = "linkId=:link"

_CODE_PREFIX = "CODE#"

#: What a link without the attribute has.
_DEFAULTS = {"forwardQuery": True, "onePartition": False}


def link_key(workspace_id: str, link_id: str) -> dict[str, Any]:
    """The key of a link item."""
    return {"pk": {"S": f"{workspace_id}#{link_id}"}, "sk": LINK}


def link_of_key(key: Mapping[str, Any]) -> tuple[str, str] | None:
    """``(workspace_id, link_id)`` of a link item's key; None for the key of another item.

    Raises ``KeyError`` or ``TypeError`` for what is not a key of this table, and ``ValueError``
    for a malformed one.
    """
    if key["sk"]["S"] != LINK["S"]:
        return None
    workspace_id, _, link_id = key["pk"]["S"].rpartition("#")
    if not workspace_id or not link_id:
        raise ValueError("not the key of a link")
    return workspace_id, link_id


def code_key(code: str) -> dict[str, Any]:
    """The key of a short code's item."""
    return primary_key(f"{_CODE_PREFIX}{code}", "CODE")


def code_of(item: Mapping[str, Any]) -> str:
    """The short code of a code item."""
    code: str = item["pk"]["S"]
    return code.removeprefix(_CODE_PREFIX)


def external_id_key(workspace_id: str, external_id: str) -> dict[str, Any]:
    """The key of an external id's item."""
    return primary_key(f"EXT#{workspace_id}#{external_id}", "EXT")


def external_id_of(workspace_id: str, item: Mapping[str, Any]) -> str:
    """The external id of an external id's item."""
    pk: str = item["pk"]["S"]
    return pk.removeprefix(f"EXT#{workspace_id}#")


def live_keys(workspace_id: str, link_id: str, created_at: str) -> dict[str, Any]:
    """The attributes that place a live link in the index: its shard, and its age within it."""
    return {
        "livePk": {"S": live_shard(workspace_id, shard_of(link_id))},
        "liveSk": {"S": f"{created_at}#{link_id}"},
    }


def live_shard(workspace_id: str, shard: int) -> str:
    """The partition key of one of the index's shards."""
    return f"{workspace_id}#{shard}"


def is_live(item: Mapping[str, Any]) -> bool:
    """Whether a link item, or a projection with ``livePk``, is that of a live link."""
    return "livePk" in item


def encode_link(link: Link) -> dict[str, Any]:
    """The whole item of a live link. Empty fields and the defaults of :data:`_DEFAULTS` are not
    stored.
    """
    fields: dict[str, Any] = {}
    for name, field in FIELDS.items():
        value = getattr(link, field)
        if value is None or value in ((), []) or name == "isLive":
            continue
        if _DEFAULTS.get(name) is value:
            continue
        fields[name] = value
    return (
        link_key(link.workspace_id, link.id)
        | to_item(fields)
        | live_keys(link.workspace_id, link.id, link.created_at)
    )


def decode_link(item: Mapping[str, Any]) -> Link:
    """The link of a whole item."""
    fields: dict[str, Any] = {}
    for name, value in item.items():
        field = FIELDS.get(name)
        if field is not None:
            # Most attributes are text.
            fields[field] = value["S"] if "S" in value else from_attribute(value)
    return Link(is_live=is_live(item), **fields)


def delete_pointer(
    table: str,
    key: dict[str, Any],
    link_id: str,
    condition: str = STILL_OURS,
) -> dict[str, Any]:
    """The action that deletes the item of a code or external id while it points to this link."""
    return {
        "Delete": {
            "TableName": table,
            "Key": key,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {":link": {"S": link_id}},
        }
    }
