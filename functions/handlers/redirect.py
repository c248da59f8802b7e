"""``GET /{code}``: the redirect. Imports little, because its cold start is a visitor's wait."""

from __future__ import annotations

import os
import time
from typing import Any

from functions.api.html_pages import page_or_json
from functions.api.security_headers import REDIRECT
from functions.aws.client import low_latency_client
from functions.config import optional_setting, setting
from functions.domain.click_fields import (
    MAX_CAMPAIGN,
    MAX_USER_AGENT,
    address_of,
    clean_text,
    from_distribution,
    place_of,
    referrer_of,
)
from functions.domain.click_retention import click_retention_of
from functions.domain.clock import deadline, iso, now_iso
from functions.domain.errors import UnlinkError
from functions.domain.ids import new_click_id
from functions.domain.link import Link
from functions.domain.prefetch import is_prefetch
from functions.domain.query_forwarding import query_of, with_query
from functions.domain.redirect_target import campaign_of, target_of, with_campaign
from functions.domain.short_codes import SHORT_CODE
from functions.domain.user_agent import Visitor, describe
from functions.log import logger, set_gateway_request_id
from functions.repositories.clicks import ClicksTable
from functions.repositories.links import LinksTable

#: Seconds within which the link must be found, and within which its click may be tried again.
#: The last call of each may hang as long as a brief client lets it; the function's timeout is 10.
LINK_TIMEOUT = 6.0
CLICK_TIMEOUT = 0.5

#: Codes that this process remembers. A code item never changes, so a remembered pointer can only
#: lead to a link that is gone, never to a wrong one.
REMEMBERED = 10_000

log = logger()
_pointers: dict[str, tuple[str, str]] = {}

#: What the log line of a process's first request has beside the others': Lambda's own report of a
#: cold start is not written for this function.
_first_request = {"coldStart": True}


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """302 to the destination, or the one 404 page of all that does not redirect.

    HEAD is answered with GET's body: the gateway takes Content-Length from it and does not send it.
    """
    started = time.perf_counter()
    request_id = event["requestContext"]["requestId"]
    set_gateway_request_id(request_id)
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    code = (event.get("pathParameters") or {}).get("code", "")
    link = None
    try:
        with deadline(LINK_TIMEOUT):
            link = _link_of(code) if SHORT_CODE.fullmatch(code) else None
        if link is None or not link.redirects(now_iso()):
            answer = _not_found(headers)
        else:
            answer = _redirect(link, event, headers)
    except UnlinkError:
        log.exception("the link could not be read")
        answer = _answer(headers, 503, "Service Unavailable", "Please try again in a moment")
        answer["headers"]["Retry-After"] = "5"
    answer["headers"]["X-Request-Id"] = request_id
    log.info(
        "redirect",
        extra={
            "status": answer["statusCode"],
            "linkId": link.id if link else None,
            "durationMs": round((time.perf_counter() - started) * 1000, 1),
            **_first_request,
        },
    )
    _first_request.clear()
    return answer


def _dynamodb() -> Any:
    return low_latency_client("dynamodb")


def _link_of(code: str) -> Link | None:
    """The link behind a code: one strongly consistent read when the code is remembered."""
    links = LinksTable(_dynamodb(), setting("LINKS_TABLE"))
    remembered = _pointers.get(code)
    if remembered is not None:
        link = links.get(*remembered)
        if link is not None:
            return link
        # Erased: the code may have a new link by now.
        _pointers.pop(code, None)
    pointer = links.resolve_code(code)
    if pointer is None:
        return None
    link = links.get(*pointer)
    if link is not None:
        if len(_pointers) >= REMEMBERED:
            _pointers.pop(next(iter(_pointers)))
        _pointers[code] = pointer
    return link


def _redirect(link: Link, event: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    """302 for the visitor's device and campaign; its click is recorded first."""
    visitor = describe(clean_text(headers.get("user-agent"), MAX_USER_AGENT) or "")
    query = query_of(event)
    campaign = campaign_of(link, {name: values[0] for name, values in query.items() if values})
    with deadline(CLICK_TIMEOUT):
        _record_click(link, event, headers, visitor, campaign)
    location = with_campaign(target_of(link, visitor.platform), campaign_of(link, {}))
    if link.forward_query:
        location = with_query(location, query)
    return {
        "statusCode": 302,
        "headers": {
            "Location": location,
            "Cache-Control": "no-store",
            **REDIRECT,
        },
        "body": "",
    }


def _record_click(
    link: Link,
    event: dict[str, Any],
    headers: dict[str, str],
    visitor: Visitor,
    campaign: dict[str, str],
) -> None:
    """Record before answering; a visitor never pays for our failure."""
    milliseconds = int(time.time() * 1000)
    trusted = from_distribution(headers, optional_setting("ORIGIN_SECRET"))
    source_ip = event["requestContext"].get("identity", {}).get("sourceIp")
    try:
        ClicksTable(_dynamodb(), setting("CLICKS_TABLE")).put(
            {
                "id": new_click_id(link.id, milliseconds),
                "linkId": link.id,
                "workspaceId": link.workspace_id,
                "ttl": _ttl(link, milliseconds // 1000),
                "clickedAt": iso(milliseconds / 1000),
                "ipAddress": address_of(headers, source_ip, trusted=trusted),
                "userAgent": clean_text(headers.get("user-agent"), MAX_USER_AGENT),
                "deviceType": visitor.device_type,
                "platform": visitor.platform,
                "referrer": referrer_of(headers.get("referer")),
                # Recorded and not counted: HEAD is how programs check a link, and a prefetch
                # is no visit yet.
                "isBot": visitor.is_bot or event["httpMethod"] == "HEAD" or is_prefetch(headers),
            }
            | place_of(headers, trusted=trusted)
            | {
                f"utm{name.capitalize()}": clean_text(value, MAX_CAMPAIGN)
                for name, value in campaign.items()
            },
        )
    except Exception:
        log.exception("a click was not recorded", extra={"linkId": link.id})


def _ttl(link: Link, now: int) -> int | None:
    """When DynamoDB is to remove a click of ``now`` (Unix seconds); None for not by itself."""
    days = click_retention_of(link.click_retention_days)
    return None if days is None else now + days * 86_400


def _not_found(headers: dict[str, str]) -> dict[str, Any]:
    """The same for unknown, inactive, expired and deleted."""
    return _answer(headers, 404, "Not Found", "Link not found")


def _answer(headers: dict[str, str], status: int, error: str, message: str) -> dict[str, Any]:
    return page_or_json(headers, status, {"statusCode": status, "error": error, "message": message})


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # The one warm-up at import: there a function has more processor than its size gives it later,
    # by others' measurements (AWS documents none), and the first visit has less to wait for.
    _dynamodb()
