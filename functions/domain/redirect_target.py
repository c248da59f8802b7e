"""Where a visit goes: the address for its device, with the campaign's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote_plus

from functions.domain.uris import is_web, to_uri

UTM_NAMES = ("source", "medium", "campaign", "term", "content")

#: Longest campaign parameter that is taken over from a visit's own query, in characters.
MAX_UTM = 100


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
    """``address`` with the campaign as ``utm_*`` parameters, as a URI of RFC 3986.

    Parameters of the same name are replaced. Everything else stays as it was given, empty
    parameters and an empty query included; see :func:`functions.domain.uris.to_uri`. An app URL
    gets no parameters: an app need not expect any.
    """
    address = to_uri(address)
    if not campaign or not is_web(address):
        return address
    names = {f"utm_{name}" for name in campaign}
    rest, hash_, fragment = address.partition("#")
    path, _, query = rest.partition("?")
    kept = "&".join(
        pair for pair in query.split("&") if unquote_plus(pair.partition("=")[0]) not in names
    )
    added = "&".join(f"utm_{name}={quote(value, safe='')}" for name, value in campaign.items())
    separator = "&" if kept and not kept.endswith("&") else ""
    return f"{path}?{kept}{separator}{added}{hash_}{fragment}"
