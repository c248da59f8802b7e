"""Types of error bodies, in the formats of the two contracts and of the gateway.

Only annotations use this module: import it under ``TYPE_CHECKING``.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from typing_extensions import TypedDict

from functions.domain.error_texts import NAMED_IDS
from functions.domain.json_types import (
    Count,
    JsonSchema,
    NamedIds,
    Time,
    TimeOrderedUuid,
    Uuid,
)


class Bilingual(TypedDict):
    """The same text in English and Arabic."""

    en: str
    ar: str


class Taken(TypedDict):
    """What has a requested name, in the caller's own workspace."""

    shortCode: NotRequired[str]
    externalId: NotRequired[str]
    takenBy: Literal["live", "trash", "quarantine"]
    linkId: NotRequired[Uuid]
    deletionId: NotRequired[TimeOrderedUuid]
    """The soft delete, or the erasure that freed the code."""
    availableFrom: NotRequired[Time]
    """When the quarantine ends."""


class ErrorMembers(TypedDict, total=False):
    """What an error may contain in addition to its text, in either format."""

    details: list[str]
    """What is wrong, field by field."""
    invalidIds: NamedIds
    """Ids that are not UUIDs."""
    invalidCount: Count
    unknownIds: NamedIds
    """Ids that are not live links of the workspace."""
    unknownCount: Count
    limit: Count
    """The maximum that the request may carry."""
    missingScopes: list[str]
    """The scopes that the API key lacks."""
    takenCodes: NamedIds
    takenExternalIds: NamedIds
    taken: Annotated[list[Taken], JsonSchema(maxItems=2 * NAMED_IDS)]
    """Those of the taken names that the workspace itself has, for a key with ``linksRead``."""
    lastAdmin: bool
    """True when a key that is to be revoked is the workspace's last admin credential."""
    retryAfter: Count
    """Seconds, as in Retry-After."""


class HokoError(ErrorMembers):
    """An error of the routes that answer in Hoko's format."""

    error: Bilingual


class LinkFortyError(ErrorMembers):
    """An error of the routes that answer in LinkForty's format."""

    statusCode: int
    error: str
    """The status in words (RFC 9110)."""
    message: str


class LinkNotFoundError(TypedDict):
    """Unknown, of another workspace, soft-deleted or erased: the same response for all."""

    statusCode: Literal[404]
    error: Literal["Not Found"]
    message: Literal["Link not found"]


class GatewayError(TypedDict):
    """An error that was found before a route ran: one body for both formats."""

    statusCode: int
    error: Bilingual
    message: str
    retryAfter: NotRequired[Count]
    """Seconds, as in Retry-After."""


ErrorBody = HokoError | LinkFortyError | LinkNotFoundError | GatewayError
