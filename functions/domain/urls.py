"""Where this service is, as a request shows it; and whether an address leads to it."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from typing import Any

from functions.config import optional_setting
from functions.domain.uris import is_web, split


def short_url_base(event: Mapping[str, Any]) -> str:
    """Where short links start: as configured, else where the request came to."""
    return optional_setting("PUBLIC_BASE_URL") or _called(event)


def api_base(event: Mapping[str, Any]) -> str:
    """Where the API is: CloudFront in front of short links does not pass it on."""
    return optional_setting("API_BASE_URL") or _called(event)


def own_hosts(event: Mapping[str, Any]) -> frozenset[tuple[str, int]]:
    """The hosts and ports at which short links are found: the configured ones, the names of the
    custom domain and of the distribution, that which was called, and the one that API Gateway gives
    every API beside its custom domains."""
    context = event["requestContext"]
    region = optional_setting("AWS_REGION")
    known = {
        optional_setting("PUBLIC_BASE_URL"),
        optional_setting("API_BASE_URL"),
        *(f"https://{host}" for host in optional_setting("OWN_HOSTS").split()),
        # The local engine does not say.
        f"https://{context['domainName']}" if "domainName" in context else "",
        f"https://{context.get('apiId', '')}.execute-api.{region}.amazonaws.com",
    }
    return frozenset(_place(address) for address in known if address)


def points_to_own_host(address: str, places: Collection[tuple[str, int]]) -> bool:
    """Whether an address is at one of these places, in any spelling.

    This keeps a link from leading back to itself by mistake. A loop over somebody else's redirect
    is out of reach; browsers end each after 20 steps.
    """
    # Imported here, as in _place: only creating and changing links needs it.
    from functions.domain.app_links import web_urls_in

    if not is_web(address):
        return any(points_to_own_host(url, places) for url in web_urls_in(address))
    return _place(address) in places


def _called(event: Mapping[str, Any]) -> str:
    """The address that was called, up to the resource: a stage or a base path may precede it.

    Counted in segments: the path may have another spelling than the resource (``%61`` for ``a``, a
    slash at its end, which the gateway passes over).
    """
    context = event["requestContext"]
    segments = context["path"].rstrip("/").split("/")
    before = segments[: len(segments) - event["resource"].count("/")]
    return f"https://{context['domainName']}{'/'.join(before)}"


def _place(address: str) -> tuple[str, int]:
    """Host and port; http and https of one host lead to each other."""
    # Imported here: it costs a cold start, and only creating and changing links needs it.
    from functions.domain.hosts import InvalidHost, canonical_host, split_authority

    parts = split(address)
    authority = (parts.authority if parts else None) or ""
    try:
        host, port = split_authority(authority)
        host = canonical_host(host)
    except InvalidHost:
        host, port = authority.lower(), ""
    host = _usual_address(host.rstrip("."))
    number = int(port[1:] or 80)
    return host, 80 if number == 443 else number


def _usual_address(host: str) -> str:
    """One name for one machine: ``localhost`` for this one, the IPv4 form of a mapped address.

    This machine: RFC 6761, section 6.3, the loopback addresses, and the unspecified ones, which
    systems connect to themselves.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return "localhost"
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host
    address = getattr(address, "ipv4_mapped", None) or address
    return "localhost" if address.is_loopback or address.is_unspecified else str(address)
