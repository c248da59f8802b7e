"""Destinations that a link must not have."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from functions.domain.link import DESTINATIONS, FIELDS, Link
from functions.domain.redirect_target import campaign_of, with_campaign
from functions.domain.uris import MAX_URL
from functions.domain.urls import points_to_own_host


def destinations_of(link: Link) -> dict[str, str]:
    """The URLs of a link by their names in the API."""
    urls = {name: getattr(link, FIELDS[name]) for name in DESTINATIONS}
    return {name: url for name, url in urls.items() if url}


def loop_faults(urls: Mapping[str, str], own_hosts: Collection[tuple[str, int]]) -> list[str]:
    """The destinations that are short links of this service: they may lead back to themselves.

    ``own_hosts`` are the hosts and ports of this service.
    """
    return [
        f"{name}: a link must not lead to this service itself"
        for name, url in urls.items()
        if points_to_own_host(url, own_hosts)
    ]


def length_faults(link: Link, changed: Collection[str]) -> list[str]:
    """The changed destinations that are too long when encoded, with the link's campaign.

    Two concurrent updates, one of a destination and one of the campaign, can exceed the limit
    together; the redirect sends the URL even so.
    """
    campaign = campaign_of(link, {})
    return [
        f"{name}: at most {MAX_URL:,} characters when percent-encoded with utmParameters"
        for name, url in destinations_of(link).items()
        if name in changed and len(with_campaign(url, campaign)) > MAX_URL
    ]
