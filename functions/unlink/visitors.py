"""What a visit's headers tell of the visitor: device, platform, place, or that it is a program."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ua_parser import Parser

#: User agents whose description this process remembers.
REMEMBERED = 2_000

#: Longest user agent, referrer and place that a click keeps, in characters.
MAX_HEADER = 500
MAX_PLACE = 100

_PLATFORMS = {
    "iOS": "iOS",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Linux": "Linux",
    "Ubuntu": "Linux",
    "Debian": "Linux",
    "Fedora": "Linux",
    "Chrome OS": "ChromeOS",
}
_DESKTOPS = frozenset({"Windows", "macOS", "Linux", "ChromeOS"})


@dataclass(frozen=True, slots=True)
class Visitor:
    """``platform``: iOS, Android, Windows, macOS, Linux, ChromeOS, other; ``device_type``:
    mobile, tablet, desktop, other; bots have ``other`` for both unless they claim one."""

    platform: str
    device_type: str
    is_bot: bool


@lru_cache(REMEMBERED)
def describe(user_agent: str) -> Visitor:
    """What sent this ``User-Agent``; nothing but a program sends none.

    The operating system is ua-parser's (the uap-core patterns), bots are those of the
    crawler-user-agents list. Both are imported here because their patterns cost more than the
    rest of the redirect, and a refused code needs none. An iPad that asks for desktop pages says
    that it is a Mac.
    """
    from crawleruseragents import is_crawler  # type: ignore[import-untyped]

    if not user_agent:
        return Visitor("other", "other", is_bot=True)
    found = _os_parser().parse_os(user_agent)
    platform = _PLATFORMS.get(found.family, "other") if found else "other"
    return Visitor(platform, _device_type(platform, user_agent), is_crawler(user_agent))


def _device_type(platform: str, user_agent: str) -> str:
    if platform == "iOS":
        return "tablet" if "iPad" in user_agent else "mobile"
    if platform == "Android":
        # Google's advice to makers of tablets: no "Mobile" in the user agent.
        return "mobile" if "Mobile" in user_agent else "tablet"
    if platform in _DESKTOPS:
        return "desktop"
    return "mobile" if "Mobile" in user_agent else "other"


@cache
def _os_parser() -> Parser:
    from ua_parser import Parser
    from ua_parser.basic import Resolver
    from ua_parser.loaders import load_lazy_builtins

    # Only the patterns of operating systems, compiled when first tried.
    _, systems, _ = load_lazy_builtins()
    return Parser(Resolver(([], systems, [])))


def place_of(headers: Mapping[str, str]) -> dict[str, str | None]:
    """Country, region, city and timezone from CloudFront's viewer headers (lower-case names).

    CloudFront adds them when a distribution stands in front of the API and its origin request
    policy asks for them (Developer Guide, "Add CloudFront request headers"); without one, all
    four are None.
    """

    def header(name: str) -> str | None:
        return headers.get(f"cloudfront-viewer-{name}", "")[:MAX_PLACE] or None

    return {
        "countryCode": header("country"),
        "region": header("country-region-name") or header("country-region"),
        "city": header("city"),
        "timezone": header("time-zone"),
    }


def address_of(headers: Mapping[str, str], source_ip: str | None) -> str | None:
    """The visitor's IP address: behind CloudFront the gateway sees only CloudFront's own."""
    address, _, port = headers.get("cloudfront-viewer-address", "").rpartition(":")
    return address if address and port.isdigit() else source_ip
