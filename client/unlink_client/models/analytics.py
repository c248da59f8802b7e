"""The counts of a link, exports and installs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


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
    """The counts of a link; every list except the dates has the most frequent first.

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
