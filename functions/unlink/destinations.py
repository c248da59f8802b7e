"""Where a visit goes: the address for its device, with the campaign's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote_plus, urlsplit, urlunsplit

UTM_NAMES = ("source", "medium", "campaign", "term", "content")

#: Longest campaign parameter that is taken over from a visit's own query, in characters.
MAX_UTM = 100

#: What RFC 3986 lets stand in a path, query or fragment, and the percent sign of what is escaped.
_ALLOWED = "/?#[]@!$&'()*+,;=:%-._~"


def target_of(link: Mapping[str, Any], platform: str) -> str:
    """The link's address for this platform, else its ``originalUrl``."""
    if platform == "iOS":
        special = link.get("iosUrl")
    elif platform == "Android":
        special = link.get("androidUrl")
    else:
        special = link.get("webFallbackUrl")
    return str(special or link["originalUrl"])


def campaign_of(link: Mapping[str, Any], query: Mapping[str, str]) -> dict[str, str]:
    """The visit's UTM parameters by their short names.

    The link's own come first; what it leaves open may come with the short URL
    (``/abc123?utm_source=poster``).
    """
    own = link.get("utmParameters") or {}
    found = {name: own.get(name) or query.get(f"utm_{name}", "")[:MAX_UTM] for name in UTM_NAMES}
    return {name: value for name, value in found.items() if value}


def with_campaign(address: str, campaign: Mapping[str, str]) -> str:
    """``address`` with the campaign as ``utm_*`` parameters, in ASCII as a header needs it.

    Parameters of the same name are replaced, everything else stays as it was spelt.
    """
    if not address.isascii():
        address = _as_uri(address)
    if not campaign:
        return address
    names = {f"utm_{name}" for name in campaign}
    rest, hash_, fragment = address.partition("#")
    path, _, query = rest.partition("?")
    pairs = [
        pair
        for pair in query.split("&")
        if pair and unquote_plus(pair.partition("=")[0]) not in names
    ]
    pairs += [f"utm_{name}={quote(value, safe='')}" for name, value in campaign.items()]
    return f"{path}?{'&'.join(pairs)}{hash_}{fragment}"


def _as_uri(address: str) -> str:
    """RFC 3987, section 3.1: UTF-8 and percent-encoding; the host as its A-labels."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    if not host.isascii():
        host = host.encode("idna").decode()
    elif ":" in host:
        host = f"[{host}]"
    netloc = host if parts.port is None else f"{host}:{parts.port}"
    encoded = [quote(part, safe=_ALLOWED) for part in (parts.path, parts.query, parts.fragment)]
    return urlunsplit((parts.scheme, netloc, *encoded))
