"""Analytics of links, their export, and the installs that they led to, over HTTP."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from functions.unlink.errors import InvalidRequest
from functions.unlink.http import Answer, Api, Request
from functions.unlink.procedures.analytics import analytics
from functions.unlink.procedures.installs import parse_new_install, record_install
from functions.unlink.procedures.links import find_link
from functions.unlink.settings import setting
from functions.unlink.stores.client import client
from functions.unlink.stores.installs import InstallsTable
from functions.unlink.stores.links import LinksTable
from functions.unlink.stores.rollups import RollupsTable

#: How many days ``GET /api/analytics/links/{id}`` looks back.
DEFAULT_DAYS = 30
MAX_DAYS = 365

api = Api()


def _links() -> LinksTable:
    return LinksTable(client("dynamodb"), setting("LINKS_TABLE"))


def _tables() -> dict[str, str]:
    return {"clicks": setting("CLICKS_TABLE"), "links": setting("LINKS_TABLE")}


@api.route("GET", "/api/analytics/links/<link>", scope="analyticsRead")
def read(request: Request) -> Answer:
    """What was counted of a link, live or soft-deleted, by id or short code."""
    if unknown := set(request.query) - {"days"}:
        raise InvalidRequest(f"Unknown parameter: {min(unknown)}")
    days = _days(request.query.get("days"))
    answer = analytics(
        _find(request)["id"],
        days=days,
        today=datetime.fromtimestamp(time.time(), UTC).date(),
        rollups=RollupsTable(client("dynamodb"), **_tables()),
        deadline=request.deadline,
    )
    return Answer(200, answer, noted={"days": days})


@api.route("POST", "/api/installs", scope="linksWrite")
def install(request: Request) -> Answer:
    """Record an install, attributed to a live link."""
    recorded = record_install(
        parse_new_install(request.json()),
        workspace_id=request.caller.workspace_id,
        key=request.idempotency_key(),
        links=_links(),
        installs=InstallsTable(client("dynamodb"), **_tables()),
        deadline=request.deadline,
    )
    return Answer(201, recorded, noted={"linkId": recorded["linkId"]})


def _find(request: Request) -> dict[str, Any]:
    return find_link(
        request.path["link"],
        workspace_id=request.caller.workspace_id,
        links=_links(),
        deadline=request.deadline,
        deleted=True,
    )


def _days(text: str | None) -> int:
    if text is None:
        return DEFAULT_DAYS
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= MAX_DAYS:
        raise InvalidRequest(f"days must be a whole number from 1 to {MAX_DAYS}")
    return int(text)


handler = api.handle
