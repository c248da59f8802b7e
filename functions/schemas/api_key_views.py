"""API keys as responses show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from functions.domain.api_keys import key_state

if TYPE_CHECKING:
    from functions.schemas.account_responses import ApiKey


def key_view(record: Mapping[str, Any]) -> ApiKey:
    """What is known of a key; never the key itself, nor its hash."""
    return {
        "keyId": record["keyId"],
        "name": record["name"],
        "userId": record["userId"],
        "scopes": list(record["scopes"]),
        "state": key_state(record),
        "createdAt": record["createdAt"],
        "createdBy": record.get("createdBy"),
        "expiresAt": record.get("expiresAt"),
        "revokedAt": record.get("revokedAt"),
        "lastUsedAt": record.get("lastUsedAt"),
    }
