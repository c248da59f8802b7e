"""Types of what a deletion's record holds and the API shows unchanged.

Only annotations use this module: import it under ``TYPE_CHECKING``, so that no cold start pays
for it.
"""

from __future__ import annotations

from typing import Literal, NotRequired

# pydantic reads these types for the OpenAPI document, and needs this TypedDict on Python 3.11.
from typing_extensions import TypedDict

from functions.domain.json_types import Count, Time

Role = Literal["viewer", "editor", "owner"]


class Actor(TypedDict, total=False):
    """Who made the request: an API key and its user, or a part of the service (``retention``)."""

    keyId: str
    userId: str
    service: str


class DeletionCounts(TypedDict):
    """Number of ids by outcome."""

    requested: Count
    deleted: Count
    """Includes erased links."""
    notFound: Count
    pending: Count
    restored: Count
    failed: Count


class RestoreCounts(TypedDict):
    """Number of ids that a restore was asked for, and how many it restored and refused."""

    requested: Count
    restored: Count
    refused: Count


class RemovedByKind(TypedDict):
    """What an erasure removed, by kind."""

    links: Count
    codes: Count
    clicks: Count
    rollups: Count
    installs: Count
    installsKept: Count
    """Installs that the workspace's policy keeps without any personal data."""
    qrObjects: Count


class Receipt(RemovedByKind):
    """What an erasure removed, by kind."""

    verifiedEmptyAt: Time
    """When a strongly consistent read last found nothing left of the erased links."""
    signed: NotRequired[bool]
    """Whether ``GET /api/receipts/{id}`` has it as a signed document."""
