"""What the redirect responds."""

from __future__ import annotations

from typing import Any

from functions import container
from functions.api.html_pages import page_or_json
from functions.api.security_headers import REDIRECT
from functions.domain.click_fields import (
    MAX_USER_AGENT,
    clean_text,
)
from functions.domain.clock import deadline
from functions.domain.link import Link
from functions.domain.query_forwarding import query_of, with_query
from functions.domain.redirect_target import campaign_of, target_of, with_campaign
from functions.domain.user_agent import describe
from functions.services.visits import record_click

CLICK_TIMEOUT = 0.5


def redirect_response(link: Link, event: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    """302 for the visitor's device and campaign; its click is recorded first."""
    visitor = describe(clean_text(headers.get("user-agent"), MAX_USER_AGENT) or "")
    query = query_of(event)
    campaign = campaign_of(link, {name: values[0] for name, values in query.items() if values})
    with deadline(CLICK_TIMEOUT):
        record_click(
            link,
            event,
            headers,
            visitor,
            campaign,
            clicks=container.low_latency_clicks(),
            totals=container.low_latency_click_totals,
            origin_secret=container.origin_secret(),
        )
    own_campaign = campaign_of(link, {}) if query else campaign
    location = with_campaign(target_of(link, visitor.platform), own_campaign)
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


def not_found_response(headers: dict[str, str]) -> dict[str, Any]:
    """The same for unknown, inactive, expired and deleted links."""
    return _respond(headers, 404, "Not Found", "Link not found")


def unavailable_response(headers: dict[str, str]) -> dict[str, Any]:
    """The link could not be read now."""
    response = _respond(headers, 503, "Service Unavailable", "Please try again in a moment")
    response["headers"]["Retry-After"] = "5"
    return response


def _respond(headers: dict[str, str], status: int, error: str, message: str) -> dict[str, Any]:
    return page_or_json(headers, status, {"statusCode": status, "error": error, "message": message})
