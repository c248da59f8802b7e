"""Analytics, exports and installs."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from unlink_client.calls import (
    Call,
    segment,
    to_json,
)
from unlink_client.models import (
    Analytics,
    Export,
    Install,
)
from unlink_client.operations.common import query_of, reader


def get_analytics(id: str, *, days: int | None = None) -> Call[Analytics]:
    """``GET /api/analytics/links/{id}``, also for soft-deleted links."""
    return Call(
        method="GET",
        path=f"/api/analytics/links/{segment(id)}",
        query=query_of(days=days),
        read=reader(Analytics),
    )


def create_export(id: str, *, idempotency_key: str | None = None) -> Call[Export]:
    """``POST …/links/{id}/export``: starts an export, or returns the unfinished one."""
    return Call(
        method="POST",
        path=f"/api/analytics/links/{segment(id)}/export",
        body={},
        idempotency_key=idempotency_key,
        read=reader(Export),
    )


def get_export(id: str, export_id: str) -> Call[Export]:
    """``GET /api/analytics/links/{id}/export/{exportId}``."""
    return Call(
        method="GET",
        path=f"/api/analytics/links/{segment(id)}/export/{segment(export_id)}",
        read=reader(Export),
    )


def create_install(
    *,
    link_id: str | None = None,
    click_id: str | None = None,
    platform: Literal["iOS", "Android", "other"] | None = None,
    device_id: str | None = None,
    app_version: str | None = None,
    installed_at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Call[Install]:
    """``POST /api/installs``: an install of a link's or a click's app."""
    given = {
        "linkId": link_id,
        "clickId": click_id,
        "platform": platform,
        "deviceId": device_id,
        "appVersion": app_version,
        "installedAt": to_json(installed_at),
    }
    return Call(
        method="POST",
        path="/api/installs",
        body={name: value for name, value in given.items() if value is not None},
        idempotency_key=idempotency_key,
        read=reader(Install),
    )
