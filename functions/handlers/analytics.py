"""Analytics of links, their export, and the installs that they led to, over HTTP."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from functions.api.app import Api, Request, Response, idempotency_table
from functions.aws.client import client
from functions.aws.sqs import Queue
from functions.config import setting
from functions.domain.clock import iso
from functions.domain.errors import NotFound
from functions.domain.ids import parse_link_id
from functions.domain.query_params import parse_int_param
from functions.repositories.exports import ExportRecords, ExportsBucket, object_key
from functions.repositories.idempotency import IdempotencyRecord
from functions.repositories.installs import InstallsTable
from functions.repositories.links import LinksTable
from functions.repositories.open_exports import OpenExports
from functions.repositories.rollups import RollupsTable
from functions.services.analytics import analytics
from functions.services.export import GIVEN_UP
from functions.services.export_request import begin_export, begun_export, state_of
from functions.services.installs import (
    parse_new_install,
    record_install,
    recorded_install,
)
from functions.services.link_lookup import find_link

if TYPE_CHECKING:
    from functions.schemas.analytics_responses import Analytics, Export, Install

#: How many days ``GET /api/analytics/links/{id}`` looks back.
DEFAULT_DAYS = 30
MAX_DAYS = 365

api = Api()


def _links() -> LinksTable:
    return LinksTable(client("dynamodb"), setting("LINKS_TABLE"))


def _tables() -> dict[str, str]:
    return {"clicks": setting("CLICKS_TABLE"), "links": setting("LINKS_TABLE")}


@api.route("GET", "/api/analytics/links/<link>", scope="analyticsRead", query=("days",))
def read(request: Request) -> Response[Analytics]:
    """What was counted of a link, live or soft-deleted, by id or short code."""
    asked = request.query.get("days")
    days = parse_int_param(asked, "days", default=DEFAULT_DAYS, maximum=MAX_DAYS)
    answer = analytics(
        _find(request)["id"],
        days=days,
        today=datetime.fromtimestamp(time.time(), UTC).date(),
        rollups=RollupsTable(client("dynamodb"), **_tables()),
    )
    return Response(200, answer, log_fields={"days": days})


def _export_again(request: Request, record: IdempotencyRecord) -> Response[Export]:
    begun = begun_export(
        record,
        workspace_id=request.caller.workspace_id,
        records=_records(),
        queue=_queue(),
    )
    return _begun(request, begun)


@api.route(
    "POST", "/api/analytics/links/<link>/export", scope="analyticsRead", replay=_export_again
)
def export(request: Request) -> Response[Export]:
    """Begin to write a link and every click of it to a file; a job."""
    link = _find(request)
    record = begin_export(
        link,
        base_url=request.base_url,
        plan=request.caller.plan,
        key=request.idempotency_key,
        keys=idempotency_table(),
        records=_records(),
        opened=OpenExports(client("dynamodb"), setting("CLICKS_TABLE")),
        queue=_queue(),
    )
    return _begun(request, record)


def _begun(request: Request, record: dict[str, Any]) -> Response[Export]:
    path = f"/api/analytics/links/{record['linkId']}/export/{record['id']}"
    return Response(202, _view(record), request.location(path), {"exportId": record["id"]})


@api.route("GET", "/api/analytics/links/<link>/export/<exportId>", scope="analyticsRead")
def read_export(request: Request) -> Response[Export]:
    """How far an export is, and, once it is complete, where it can be fetched for a while."""
    link = _find(request)
    export_id = parse_link_id(request.path["exportId"])
    record = _records().get(link["id"], export_id) if export_id else None
    if record is None:
        raise NotFound("Export not found")
    return Response(200, _view(record), log_fields={"state": state_of(record)})


def _queue() -> Queue:
    return Queue(client("sqs"), setting("EXPORT_QUEUE_URL"))


def _records() -> ExportRecords:
    return ExportRecords(client("dynamodb"), **_tables())


def _view(record: dict[str, Any]) -> Export:
    """An export as the API shows it; its URL is signed anew each time."""
    url = expires_at = None
    state = state_of(record)
    if state == "complete":
        bucket = ExportsBucket(client("s3"), setting("EXPORTS_BUCKET"))
        url, until = bucket.url(object_key(record["workspaceId"], record["id"]))
        expires_at = iso(until)
    return {
        "id": record["id"],
        "linkId": record["linkId"],
        "state": state,
        # What a dead letter that was sent again goes on with is no failure any more.
        "failure": record.get("failure", GIVEN_UP) if state == "failed" else None,
        "url": url,
        "expiresAt": expires_at,
        "createdAt": record["createdAt"],
    }


def _install_again(request: Request, record: IdempotencyRecord) -> Response[Install]:
    recorded = recorded_install(
        parse_new_install(request.json()),
        record,
        installs=_installs(),
    )
    return Response(201, recorded, log_fields={"linkId": recorded["linkId"]})


@api.route("POST", "/api/installs", scope="linksWrite", replay=_install_again)
def install(request: Request) -> Response[Install]:
    """Record an install, attributed to a live link."""
    recorded = record_install(
        parse_new_install(request.json()),
        workspace_id=request.caller.workspace_id,
        key=request.idempotency_key,
        keys=idempotency_table(),
        links=_links(),
        installs=_installs(),
    )
    return Response(201, recorded, log_fields={"linkId": recorded["linkId"]})


def _installs() -> InstallsTable:
    return InstallsTable(client("dynamodb"), **_tables())


def _find(request: Request) -> dict[str, Any]:
    return find_link(
        request.path["link"],
        workspace_id=request.caller.workspace_id,
        links=_links(),
        deleted=True,
    )


handler = api.handle
