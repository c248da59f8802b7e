"""Responses about clicks, exports and installs."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from functions.domain.json_types import Count, Date, Time, Uuid

ExportState = Literal["pending", "running", "complete", "failed"]


class DayClicks(TypedDict):
    """Clicks of one UTC day."""

    date: Date
    clicks: Count


class CountryClicks(TypedDict):
    """Clicks from a country (ISO 3166-1 alpha-2), or ``unknown`` or ``other``."""

    country: str
    clicks: Count


class RegionClicks(TypedDict):
    """Clicks from a region, or ``unknown`` or ``other``."""

    region: str
    clicks: Count


class CityClicks(TypedDict):
    """Clicks from a city, or ``unknown`` or ``other``."""

    city: str
    clicks: Count


class TimezoneClicks(TypedDict):
    """Clicks from a timezone, or ``unknown`` or ``other``."""

    timezone: str
    clicks: Count


class DeviceClicks(TypedDict):
    """Clicks by kind of device: mobile, tablet, desktop, other."""

    device: str
    clicks: Count


class PlatformClicks(TypedDict):
    """Clicks by operating system."""

    platform: str
    clicks: Count


class ReferrerClicks(TypedDict):
    """Clicks by the host of the referring page; ``direct`` for none."""

    referrer: str
    clicks: Count


class PlatformInstalls(TypedDict):
    """Installs by operating system."""

    platform: str
    installs: Count


class Analytics(TypedDict):
    """The counts of a link. Every list except ``clicksByDate`` starts with the largest count."""

    linkId: Uuid
    days: Count
    totalClicks: Count
    uniqueClicks: Count
    """The sum of each day's visitors: a visitor on two days counts twice."""
    totalInstalls: Count
    clicksByDate: list[DayClicks]
    clicksByCountry: list[CountryClicks]
    clicksByRegion: list[RegionClicks]
    clicksByCity: list[CityClicks]
    clicksByTimezone: list[TimezoneClicks]
    clicksByDevice: list[DeviceClicks]
    clicksByPlatform: list[PlatformClicks]
    clicksByReferrer: list[ReferrerClicks]
    installsByPlatform: list[PlatformInstalls]


class Export(TypedDict):
    """A job that writes a link and every click of it, one JSON object per line."""

    id: Uuid
    linkId: Uuid
    state: ExportState
    failure: str | None
    """Why the export failed. It is not tried again."""
    url: str | None
    """Signed again at each request; null until the export is complete."""
    expiresAt: Time | None
    """Until when the URL can be used. It ends earlier when the credentials that signed it do."""
    createdAt: Time
    """Later clicks are not in the export."""


class Install(TypedDict):
    """An app install, attributed to the click that led to it."""

    id: Uuid
    linkId: Uuid
    clickId: str | None
    """The id that the click has in exports. Null only in a repeated response, when the link was
    erased after the first response."""
    platform: Literal["iOS", "Android", "other"]
    deviceId: str | None
    appVersion: str | None
    installedAt: Time
    createdAt: Time
