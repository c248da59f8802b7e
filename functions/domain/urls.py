"""The URLs of this service, from the request, and whether a URL points to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from functions.config import optional_setting
from functions.domain.uris import is_web, split


def short_url_base(event: Mapping[str, Any]) -> str:
    """The base of short URLs: the configured one, else from the request."""
    return optional_setting("PUBLIC_BASE_URL") or _called(event)


def api_base(event: Mapping[str, Any]) -> str:
    """The base URL of the API. CloudFront does not forward API requests."""
    return optional_setting("API_BASE_URL") or _called(event)


def own_hosts(event: Mapping[str, Any]) -> frozenset[tuple[str, int]]:
    """The hosts and ports of short links: the configured ones, the custom domain, the distribution,
    the host of the request, and the default host of the API.
    """
    context = event["requestContext"]
    region = optional_setting("AWS_REGION")
    known = {
        optional_setting("PUBLIC_BASE_URL"),
        optional_setting("API_BASE_URL"),
        *(f"https://{host}" for host in optional_setting("OWN_HOSTS").split()),
        # The local emulator does not report it.
        f"https://{context['domainName']}" if "domainName" in context else "",
        f"https://{context.get('apiId', '')}.execute-api.{region}.amazonaws.com",
    }
    return frozenset(_place(address) for address in known if address)


def points_to_own_host(address: str, places: Collection[tuple[str, int]]) -> bool:
    """Whether a URL points to one of these hosts, in any form.

    This prevents a link that redirects to itself by mistake. A loop over another service cannot be
    detected; browsers stop after 20 redirects.
    """
    # Imported here, as in _place: only creating and changing links needs it.
    from functions.domain.app_links import web_urls_in

    if not is_web(address):
        return any(points_to_own_host(url, places) for url in web_urls_in(address))
    return _place(address) in places


def _called(event: Mapping[str, Any]) -> str:
    """The requested URL up to the resource, including a stage or base path.

    Segments are counted, because the path may be written differently from the resource (``%61`` for
    ``a``, or a trailing slash, which the gateway ignores).
    """
    context = event["requestContext"]
    segments = context["path"].rstrip("/").split("/")
    before = segments[: len(segments) - event["resource"].count("/")]
    return f"https://{context['domainName']}{'/'.join(before)}"


def _place(address: str) -> tuple[str, int]:
    """Host and port; http and https of a host are the same place."""
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
    """One name per machine:

    ``localhost`` for the local machine, the IPv4 form of a mapped address. The local machine: RFC
    6761, section 6.3, the loopback addresses, and the unspecified addresses, which systems connect
    to themselves.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return "localhost"
    # Imported here: only requests with a destination compare hosts.
    import ipaddress

    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host
    address = getattr(address, "ipv4_mapped", None) or address
    return "localhost" if address.is_loopback or address.is_unspecified else str(address)
