"""Analytics of links, their export, and the installs that they led to, over HTTP."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from functions.unlink.clock import iso
from functions.unlink.errors import NotFound
from functions.unlink.http import Answer, Api, Request
from functions.unlink.ids import parse_link_id
from functions.unlink.parameters import whole_number
from functions.unlink.procedures.analytics import analytics
from functions.unlink.procedures.export import begin_export
from functions.unlink.procedures.find import find_link
from functions.unlink.procedures.installs import parse_new_install, record_install
from functions.unlink.settings import setting
from functions.unlink.stores.client import client
from functions.unlink.stores.exports import ExportRecords, ExportsBucket, object_key
from functions.unlink.stores.installs import InstallsTable
from functions.unlink.stores.links import LinksTable
from functions.unlink.stores.queues import Queue
from functions.unlink.stores.rollups import RollupsTable

#: How many days ``GET /api/analytics/links/{id}`` looks back.
DEFAULT_DAYS = 30
MAX_DAYS = 365

api = Api()


def _links() -> LinksTable:
    return LinksTable(client("dynamodb"), setting("LINKS_TABLE"))


def _tables() -> dict[str, str]:
    return {"clicks": setting("CLICKS_TABLE"), "links": setting("LINKS_TABLE")}


@api.route("GET", "/api/analytics/links/<link>", scope="analyticsRead", query=("days",))
def read(request: Request) -> Answer:
    """What was counted of a link, live or soft-deleted, by id or short code."""
    asked = request.query.get("days")
    days = whole_number(asked, "days", default=DEFAULT_DAYS, most=MAX_DAYS)
    answer = analytics(
        _find(request)["id"],
        days=days,
        today=datetime.fromtimestamp(time.time(), UTC).date(),
        rollups=RollupsTable(client("dynamodb"), **_tables()),
        deadline=request.deadline,
    )
    return Answer(200, answer, noted={"days": days})


@api.route("POST", "/api/analytics/links/<link>/export", scope="analyticsRead")
def export(request: Request) -> Answer:
    """Begin to write a link and every click of it to a file; a job."""
    link = _find(request)
    record = begin_export(
        link,
        base_url=request.base_url,
        key=request.idempotency_key(),
        records=_records(),
        queue=Queue(client("sqs"), setting("EXPORT_QUEUE_URL")),
        deadline=request.deadline,
    )
    location = request.location(f"/api/analytics/links/{link['id']}/export/{record['id']}")
    return Answer(202, _view(record), location, {"exportId": record["id"]})


@api.route("GET", "/api/analytics/links/<link>/export/<exportId>", scope="analyticsRead")
def read_export(request: Request) -> Answer:
    """How far an export is, and, once it is complete, where it can be fetched for a while."""
    link = _find(request)
    export_id = parse_link_id(request.path["exportId"])
    record = _records().get(link["id"], export_id, deadline=request.deadline) if export_id else None
    if record is None:
        raise NotFound("Export not found")
    return Answer(200, _view(record), noted={"state": record["state"]})


def _records() -> ExportRecords:
    return ExportRecords(client("dynamodb"), **_tables())


def _view(record: dict[str, Any]) -> dict[str, Any]:
    """An export as the API shows it; its URL is signed anew each time."""
    url = expires_at = None
    if record["state"] == "complete":
        bucket = ExportsBucket(client("s3"), setting("EXPORTS_BUCKET"))
        url, until = bucket.url(object_key(record["workspaceId"], record["id"]))
        expires_at = iso(until)
    return {
        "id": record["id"],
        "linkId": record["linkId"],
        "state": record["state"],
        # What a dead letter that was sent again goes on with is no failure any more.
        "failure": record["failure"] if record["state"] == "failed" else None,
        "url": url,
        "expiresAt": expires_at,
        "createdAt": record["createdAt"],
    }


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


handler = api.handle
