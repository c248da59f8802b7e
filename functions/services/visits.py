"""Visits of short links: finding the link of a code, and recording the click."""

from __future__ import annotations

import time
from typing import Any

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
from functions.domain.clock import iso
from functions.domain.ids import new_click_id
from functions.domain.link import Link
from functions.domain.prefetch import is_prefetch
from functions.domain.user_agent import Visitor
from functions.log import logger
from functions.repositories.clicks import ClicksTable
from functions.repositories.links import LinksTable

#: Codes that this process remembers. A code item never changes, so a remembered pointer can only
#: lead to a link that is gone, never to a wrong one.
REMEMBERED = 10_000


log = logger()


_pointers: dict[str, tuple[str, str]] = {}


def forget() -> None:
    """Forget the remembered codes, for tests."""
    _pointers.clear()


def link_of(code: str, links: LinksTable) -> Link | None:
    """The link behind a code: one strongly consistent read when the code is remembered."""
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


def record_click(
    link: Link,
    event: dict[str, Any],
    headers: dict[str, str],
    visitor: Visitor,
    campaign: dict[str, str],
    *,
    clicks: ClicksTable,
    origin_secret: str,
) -> None:
    """Record before answering; a visitor never pays for our failure.

    ``origin_secret`` is what CloudFront sends to show that the viewer's headers come from it.
    """
    milliseconds = int(time.time() * 1000)
    trusted = from_distribution(headers, origin_secret)
    source_ip = event["requestContext"].get("identity", {}).get("sourceIp")
    try:
        clicks.put(
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
