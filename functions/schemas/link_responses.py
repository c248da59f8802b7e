"""Responses about links."""

from __future__ import annotations

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from functions.domain.json_types import Count, Cursor, JsonSchema, Time, TimeOrderedUuid, Uuid
from functions.domain.record_types import Actor
from functions.domain.short_codes import SHORT_CODE


class UtmValues(TypedDict, total=False):
    """Campaign parameters that a redirect adds to the destination."""

    source: str
    medium: str
    campaign: str
    term: str
    content: str


class Link(TypedDict):
    """A live link. A field that the link does not have is null."""

    id: Uuid
    workspaceId: str
    userId: str | None
    shortCode: Annotated[str, JsonSchema(pattern=f"^{SHORT_CODE.pattern}$")]
    shortUrl: str
    originalUrl: str
    title: str | None
    description: str | None
    tags: list[str]
    iosUrl: str | None
    androidUrl: str | None
    webFallbackUrl: str | None
    utmParameters: UtmValues | None
    externalId: str | None
    expiresAt: Time | None
    forwardQuery: bool
    """Whether the query of a visit is added to the destination."""
    isActive: bool
    clickCount: Count
    """Clicks of people; bots are not counted."""
    createdAt: Time
    updatedAt: Time


class TrashedLink(Link):
    """A soft-deleted link that can be restored."""

    deletedAt: Time
    deletionId: TimeOrderedUuid
    deletedBy: Actor
    reason: str | None
    restorableUntil: Time | None
    """When its retention ends; null when it is kept without a limit."""


class TrashPage(TypedDict):
    """Soft-deleted links, newest deletion first. A page may be short or empty and still have a
    ``nextCursor``."""

    links: list[TrashedLink]
    nextCursor: Cursor


class WrittenLink(TypedDict):
    """The fields that a request changed, for a key without the scope ``linksRead``."""

    id: Uuid
    updatedAt: Time
    originalUrl: NotRequired[str]
    title: NotRequired[str | None]
    description: NotRequired[str | None]
    tags: NotRequired[list[str]]
    iosUrl: NotRequired[str | None]
    androidUrl: NotRequired[str | None]
    webFallbackUrl: NotRequired[str | None]
    utmParameters: NotRequired[UtmValues | None]
    externalId: NotRequired[str | None]
    expiresAt: NotRequired[Time | None]
    isActive: NotRequired[bool]
    forwardQuery: NotRequired[bool]


class LinkPage(TypedDict):
    """Live links, newest first. A page may be short or empty and still have a ``nextCursor``."""

    links: list[Link]
    nextCursor: Cursor
