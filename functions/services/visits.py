"""Visits of short links: finding the link of a code, and recording the click."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from functions.aws.calls import is_throttled
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
from functions.domain.clock import deadline, iso
from functions.domain.errors import Unavailable
from functions.domain.ids import new_click_id
from functions.domain.link import Link
from functions.domain.prefetch import is_prefetch
from functions.domain.user_agent import Visitor
from functions.log import logger
from functions.repositories.clicks import ClicksTable
from functions.repositories.links import LinksTable

if TYPE_CHECKING:
    from functions.repositories.click_totals import ClickTotals

#: Number of codes cached per process. A code item never changes, so a cached pointer can only lead
#: to a deleted link, never to a wrong one.
REMEMBERED = 10_000

log = logger()

_pointers: dict[str, tuple[str, str]] = {}


def forget() -> None:
    """Forget the remembered codes, for tests."""
    _pointers.clear()


def link_of(code: str, links: LinksTable) -> Link | None:
    """The link of a code: one strongly consistent read if the code is cached."""
    remembered = _pointers.get(code)
    if remembered is not None:
        link = links.get(*remembered)
        if link is not None:
            return link
        # The link was erased: the code may have a new link.
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
    totals: Callable[[], ClickTotals],
    origin_secret: str,
) -> None:
    """Record the click before the response; a failure never affects the visitor.

    ``totals`` is used for a link that becomes busy. ``origin_secret`` is what CloudFront sends to
    show that the viewer's headers come from it.
    """
    milliseconds = int(time.time() * 1000)
    trusted = from_distribution(headers, origin_secret)
    source_ip = event["requestContext"].get("identity", {}).get("sourceIp")
    try:
        _put(
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
                # Recorded but not counted: programs check links with HEAD, and a prefetch is not a
                # visit.
                "isBot": visitor.is_bot or event["httpMethod"] == "HEAD" or is_prefetch(headers),
            }
            | place_of(headers, trusted=trusted)
            | {
                f"utm{name.capitalize()}": clean_text(value, MAX_CAMPAIGN)
                for name, value in campaign.items()
            },
            link,
            clicks,
            totals,
        )
    except Exception:
        log.exception("a click was not recorded", extra={"linkId": link.id})


def _put(
    click: dict[str, Any],
    link: Link,
    clicks: ClicksTable,
    totals: Callable[[], ClickTotals],
) -> None:
    """Record a click in the partition of its link; if that is busy, spread the link's clicks.

    A partition takes 1,000 writes a second (DynamoDB Developer Guide, "Best practices for designing
    and using partition keys effectively").
    """
    if link.one_partition:
        try:
            # One attempt: while the partition is busy, another one would only wait.
            with deadline(0):
                clicks.put(click, one_partition=True)
        except Unavailable as error:
            if not is_throttled(error):
                clicks.put(click, one_partition=True)
                return
            if not totals().spread(link.workspace_id, link.id):
                return
        else:
            return
    clicks.put(click)


def _ttl(link: Link, now: int) -> int | None:
    """The TTL of a click at ``now`` (Unix seconds); None means that it is kept."""
    days = click_retention_of(link.click_retention_days)
    return None if days is None else now + days * 86_400
