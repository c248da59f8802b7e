"""Links in requests and responses of the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class UtmParameters:
    """Campaign parameters that a redirect adds to its destination."""

    source: str | None = None
    medium: str | None = None
    campaign: str | None = None
    term: str | None = None
    content: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLink:
    """A link to create; ``short_code`` is generated unless given (4 to 30 of ``A-Za-z0-9-_``).

    ``custom_code`` is the API's other name of ``short_code``.
    """

    original_url: str
    short_code: str | None = None
    custom_code: str | None = None
    title: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    ios_url: str | None = None
    android_url: str | None = None
    web_fallback_url: str | None = None
    utm_parameters: UtmParameters | None = None
    external_id: str | None = None
    expires_at: datetime | None = None
    forward_query: bool = True
    is_active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A live link. A field that the link does not have is None."""

    id: str
    workspace_id: str
    user_id: str | None
    short_code: str
    short_url: str
    original_url: str
    title: str | None
    description: str | None
    tags: tuple[str, ...]
    ios_url: str | None
    android_url: str | None
    web_fallback_url: str | None
    utm_parameters: UtmParameters | None
    external_id: str | None
    expires_at: datetime | None
    forward_query: bool
    is_active: bool
    click_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenLink:
    """The changed fields of a link, for a key without ``linksRead``. A field that was not sent is
    None here, even if the link has a value.
    """

    id: str
    updated_at: datetime
    original_url: str | None = None
    title: str | None = None
    description: str | None = None
    tags: tuple[str, ...] | None = None
    ios_url: str | None = None
    android_url: str | None = None
    web_fallback_url: str | None = None
    utm_parameters: UtmParameters | None = None
    external_id: str | None = None
    expires_at: datetime | None = None
    is_active: bool | None = None
    forward_query: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPage:
    """Live links, newest first. A page may be short, even empty, and have a ``next_cursor``."""

    links: tuple[Link, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What uses a short code or external id in the caller's own workspace.

    ``deletion_id`` names the deletion that put its link in the trash or its code in quarantine,
    ``available_from`` when a code in quarantine is free again.
    """

    taken_by: Literal["live", "trash", "quarantine"]
    short_code: str | None = None
    external_id: str | None = None
    link_id: str | None = None
    deletion_id: str | None = None
    available_from: datetime | None = None
