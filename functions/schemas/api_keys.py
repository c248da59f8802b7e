"""API keys: what a caller sends to get one, and how responses show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from functions.domain.api_keys import key_state
from functions.domain.clock import iso_moment
from functions.domain.errors import InvalidRequest
from functions.domain.plans import SCOPES, Scope
from functions.schemas.links import Moment, format_validation_errors

if TYPE_CHECKING:
    from functions.schemas.account_responses import ApiKey


class NewApiKey(BaseModel):
    """The body of ``POST /api/keys``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    """What the key is for."""
    scopes: Annotated[
        list[Scope],
        Field(min_length=1, max_length=len(SCOPES), json_schema_extra={"uniqueItems": True}),
    ]
    expiresAt: Moment | None = None

    @property
    def expires_at(self) -> str | None:
        """As records spell it."""
        return iso_moment(self.expiresAt) if self.expiresAt else None


def parse_new_api_key(body: object) -> NewApiKey:
    """Raises ``InvalidRequest`` with all errors."""
    try:
        new = NewApiKey.model_validate(body)
    except ValidationError as error:
        raise InvalidRequest(details=format_validation_errors(error)) from None
    if len(set(new.scopes)) < len(new.scopes):
        raise InvalidRequest(details=["scopes: each only once"])
    return new


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
