"""What the API takes and answers, as frozen dataclasses.

Each field is a member of the API's JSON, in snake case. Timestamps are ``datetime`` in UTC. A test
compares the fields with the OpenAPI document.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Mode = Literal["soft", "erase"]
State = Literal["accepted", "exporting", "deleting", "erasing", "complete", "failed"]
Outcome = Literal["deleted", "erased", "notFound", "pending", "failed", "restored"]


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
    """What a request changed of a link, for a key without ``linksRead``.

    A field that was not sent is None here, whatever the link has.
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
class DayClicks:
    """One day of UTC, as ``2026-12-31``."""

    date: str
    clicks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountryClicks:
    """Clicks from a country (ISO 3166-1 alpha-2); ``unknown`` and ``other`` are values too."""

    country: str
    clicks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionClicks:
    """Clicks from a region."""

    region: str
    clicks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CityClicks:
    """Clicks from a city."""

    city: str
    clicks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimezoneClicks:
    """Clicks from a time zone."""

    timezone: str
    clicks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceClicks:
    """Clicks by kind of device: mobile, tablet, desktop, other."""

    device: str
    clicks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformClicks:
    """Clicks by operating system."""

    platform: str
    clicks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferrerClicks:
    """Clicks by the host that they came from; ``direct`` for none."""

    referrer: str
    clicks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformInstalls:
    """Installs by operating system."""

    platform: str
    installs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Analytics:
    """What was counted of a link; every list but the dates has the most frequent first.

    ``unique_clicks`` is the sum of each day's visitors: a person on two days counts twice.
    """

    link_id: str
    days: int
    total_clicks: int
    unique_clicks: int
    total_installs: int
    clicks_by_date: tuple[DayClicks, ...]
    clicks_by_country: tuple[CountryClicks, ...]
    clicks_by_region: tuple[RegionClicks, ...]
    clicks_by_city: tuple[CityClicks, ...]
    clicks_by_timezone: tuple[TimezoneClicks, ...]
    clicks_by_device: tuple[DeviceClicks, ...]
    clicks_by_platform: tuple[PlatformClicks, ...]
    clicks_by_referrer: tuple[ReferrerClicks, ...]
    installs_by_platform: tuple[PlatformInstalls, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A job that writes a link and every click of it, a JSON object a line."""

    id: str
    link_id: str
    state: Literal["pending", "running", "complete", "failed"]
    failure: str | None
    url: str | None
    expires_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """An app install, attributed to the click that led to it."""

    id: str
    link_id: str
    click_id: str | None
    platform: Literal["iOS", "Android", "other"]
    device_id: str | None
    app_version: str | None
    installed_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedLinks:
    """The answer of ``DELETE /api/links``: ids in request order, duplicates once.

    ``not_found_ids`` were deleted by another request at the same moment. ``pending_ids`` are
    deleted in the background; ``deletion_id`` names the record of it all.
    """

    deleted_ids: tuple[str, ...]
    not_found_ids: tuple[str, ...] = ()
    pending_ids: tuple[str, ...] = ()
    _deletion_id: str | None = None

    @property
    def deletion_id(self) -> str | None:
        return self._deletion_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedLinks:
    """The answer of ``POST /api/links/bulk-delete``: what became of each id.

    ``failed_ids`` are still there, and then ``success`` is False.
    """

    success: bool
    deleted_ids: tuple[str, ...]
    not_found_ids: tuple[str, ...]
    failed_ids: tuple[str, ...] = ()
    pending_ids: tuple[str, ...] = ()
    _deletion_id: str | None = None

    @property
    def deletion_id(self) -> str | None:
        return self._deletion_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asked: a key and its user, or a part of the service (``retention``)."""

    key_id: str | None = None
    user_id: str | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionCounts:
    """Ids by outcome; ``deleted`` counts erased ones too."""

    requested: int
    deleted: int
    not_found: int
    pending: int
    restored: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionResult:
    """What became of one id."""

    id: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionExport:
    """Where the export that came first can be fetched: for seven days, with ``analyticsRead``."""

    url: str | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreCounts:
    """How many ids a restore was asked for, and what became of them."""

    requested: int
    restored: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreSummary:
    """Who brought links of a deletion back, when and why."""

    id: str
    state: Literal["restoring", "complete"]
    reason: str | None
    actor: Actor
    source_ip: str | None
    created_at: datetime
    completed_at: datetime | None
    counts: RestoreCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionSummary:
    """The durable record of one delete request, without the outcome of each id.

    ``receipt`` is there once an erasure is complete: what was removed, by kind.
    """

    id: str
    mode: Mode
    state: State
    reason: str | None
    actor: Actor
    source_ip: str | None
    created_at: datetime
    completed_at: datetime | None
    counts: DeletionCounts
    filter: dict[str, Any] | None
    failure: str | None
    receipt: dict[str, Any] | None
    export: DeletionExport | None

    @property
    def is_open(self) -> bool:
        """Whether the service is still working on it."""
        return self.state not in ("complete", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionRecord(DeletionSummary):
    """A deletion with a page of its outcomes; ``next_cursor`` leads to the next page.

    ``not_found_ids`` are of a new erasure: ids that no link of the workspace has.
    """

    results: tuple[DeletionResult, ...]
    next_cursor: str | None
    restores: tuple[RestoreSummary, ...] = ()
    not_found_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionPage:
    """Deletions, newest first."""

    deletions: tuple[DeletionSummary, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewCounts:
    """How many ids there are of each kind."""

    requested: int
    deletable: int
    unknown: int
    invalid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a deletion would do. Nothing was written.

    ``clicks`` are those of all links together. At most 100 ids of each kind are named.
    """

    dry_run: bool
    mode: Mode
    counts: PreviewCounts
    clicks: int
    last_click_at: datetime | None
    unknown_ids: tuple[str, ...]
    invalid_ids: tuple[str, ...]
    confirmation_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRestore:
    """A link that stays as it is, and why."""

    id: str
    reason: Literal["erased", "expired", "deletedAgain", "notDeleted", "notInDeletion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgedLater:
    """A restored link whose workspace purges expired links, and when that will be."""

    id: str
    purge_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredLinks:
    """What became of each id of a restore; ``pending_ids`` are restored in the background."""

    restored_ids: tuple[str, ...]
    refused: tuple[RefusedRestore, ...]
    to_be_purged: tuple[PurgedLater, ...] = ()
    pending_ids: tuple[str, ...] = ()
