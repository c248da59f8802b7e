"""The destination of a visit: the URL for its device, with the campaign's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, unquote_plus

from functions.domain.link import Link
from functions.domain.uris import UNRESERVED, is_web, to_uri

UTM_NAMES = ("source", "medium", "campaign", "term", "content")

#: Longest campaign parameter that is taken from the query of a visit, in characters.
MAX_UTM = 100


def target_of(link: Link, platform: str) -> str:
    """The link's URL for this platform, else its ``originalUrl``."""
    if platform == "iOS":
        special = link.ios_url
    elif platform == "Android":
        special = link.android_url
    else:
        special = link.web_fallback_url
    return special or link.original_url


def campaign_of(link: Link, query: Mapping[str, str]) -> dict[str, str]:
    """The visit's UTM parameters by their short names.

    The link's own values come first; missing ones may come from the short URL
    (``/abc123?utm_source=poster``).
    """
    own = link.utm_parameters or {}
    found = {name: own.get(name) or query.get(f"utm_{name}", "")[:MAX_UTM] for name in UTM_NAMES}
    return {name: value for name, value in found.items() if value}


def with_campaign(address: str, campaign: Mapping[str, str]) -> str:
    """``address`` with the campaign as ``utm_*`` parameters, as a URI of RFC 3986.

    Parameters of the same name are replaced. Everything else is unchanged, including empty
    parameters and an empty query; see :func:`functions.domain.uris.to_uri`. An app URL gets no
    parameters, because an app may not expect any.
    """
    address = to_uri(address)
    if not campaign or not is_web(address):
        return address
    names = {f"utm_{name}" for name in campaign}
    rest, hash_, fragment = address.partition("#")
    path, _, query = rest.partition("?")
    kept = "&".join(
        [pair for pair in query.split("&") if unquote_plus(pair.partition("=")[0]) not in names]
    )
    added = "&".join([f"utm_{name}={_quoted(value)}" for name, value in campaign.items()])
    separator = "&" if kept and not kept.endswith("&") else ""
    return f"{path}?{kept}{separator}{added}{hash_}{fragment}"


def _quoted(value: str) -> str:
    # Most values need no encoding, and finding that out takes `quote` ten times as long.
    return quote(value, safe="") if value.strip(UNRESERVED) else value
