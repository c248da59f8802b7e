"""``GET /{code}``: the redirect. Imports little, because its cold start is a visitor's wait."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from aws_lambda_powertools import Logger

from functions.unlink.clock import Deadline, now_iso
from functions.unlink.codes import SHORT_CODE
from functions.unlink.settings import setting
from functions.unlink.stores.clicks import ClicksTable
from functions.unlink.stores.client import client
from functions.unlink.stores.links import LinksTable

#: Seconds that a visitor may wait for the link, and for its click to be recorded.
LINK_PATIENCE = 8.0
CLICK_PATIENCE = 1.0

#: Codes that this process remembers. A code item never changes, so a remembered pointer can only
#: lead to a link that is gone, never to a wrong one.
REMEMBERED = 10_000

log = Logger()
_pointers: dict[str, tuple[str, str]] = {}


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """302 to the destination, or the one 404 page of all that does not redirect."""
    started = time.perf_counter()
    code = (event.get("pathParameters") or {}).get("code", "")
    link = _live_link(code) if SHORT_CODE.fullmatch(code) else None
    if link is None or not _redirects(link):
        answer = _not_found(event)
    else:
        _record_click(link, event)
        answer = {
            "statusCode": 302,
            "headers": {"Location": link["originalUrl"], "Cache-Control": "no-store"},
            "body": "",
        }
    answer["headers"]["X-Request-Id"] = event["requestContext"]["requestId"]
    log.info(
        "redirect",
        extra={
            "status": answer["statusCode"],
            "linkId": link["id"] if link else None,
            "durationMs": round((time.perf_counter() - started) * 1000, 1),
        },
    )
    return answer


def _live_link(code: str) -> dict[str, Any] | None:
    """The link behind a code: one strongly consistent read when the code is remembered."""
    links = LinksTable(client("dynamodb"), setting("LINKS_TABLE"))
    deadline = Deadline(LINK_PATIENCE)
    remembered = _pointers.get(code)
    if remembered is not None:
        link = links.get(*remembered, deadline=deadline)
        if link is not None:
            return link
        # Erased: the code may have a new link by now.
        del _pointers[code]
    pointer = links.resolve_code(code, deadline=deadline)
    if pointer is None:
        return None
    link = links.get(*pointer, deadline=deadline)
    if link is not None:
        if len(_pointers) >= REMEMBERED:
            _pointers.pop(next(iter(_pointers)))
        _pointers[code] = pointer
    return link


def _redirects(link: dict[str, Any]) -> bool:
    expires_at = link.get("expiresAt")
    return (
        "livePk" in link
        and bool(link["isActive"])
        and (expires_at is None or expires_at > now_iso())
    )


def _record_click(link: dict[str, Any], event: dict[str, Any]) -> None:
    """Record before answering, bounded in time; a visitor never pays for our failure."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    try:
        ClicksTable(client("dynamodb"), setting("CLICKS_TABLE")).put(
            {
                "id": str(uuid.uuid4()),
                "linkId": link["id"],
                "workspaceId": link["workspaceId"],
                "clickedAt": now_iso(),
                "ipAddress": event["requestContext"].get("identity", {}).get("sourceIp"),
                "userAgent": headers.get("user-agent", "")[:500] or None,
                "referrer": headers.get("referer", "")[:500] or None,
            },
            deadline=Deadline(CLICK_PATIENCE),
        )
    except Exception:
        log.exception("a click was not recorded", extra={"linkId": link["id"]})


def _not_found(event: dict[str, Any]) -> dict[str, Any]:
    """HTML for browsers, JSON for programs; the same for unknown, inactive, expired, deleted."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    common = {"Cache-Control": "no-store"}
    if "text/html" in headers.get("accept", ""):
        return {
            "statusCode": 404,
            "headers": common | {"Content-Type": "text/html; charset=utf-8"},
            "body": _PAGE,
        }
    body = {"statusCode": 404, "error": "Not Found", "message": "Link not found"}
    return {
        "statusCode": 404,
        "headers": common | {"Content-Type": "application/json"},
        "body": json.dumps(body, separators=(",", ":")),
    }


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Link not found</title>
<style>
body { font: 1.1rem/1.6 system-ui, sans-serif; margin: 0; display: grid; place-items: center;
       min-height: 100vh; color: #1f2933; background: #f7f8fa; }
main { text-align: center; padding: 2rem; }
p { margin: .3rem; }
</style>
</head>
<body>
<main>
<h1>This link does not exist</h1>
<p>It may have been deleted, have expired, or never have been there.</p>
<p lang="ar" dir="rtl">هذا الرابط غير موجود</p>
</main>
</body>
</html>
"""
