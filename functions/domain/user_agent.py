"""Device and platform of a visit, from its user agent, and whether it is a bot."""

from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from functions.deferred_imports import late_pattern

if TYPE_CHECKING:
    from ua_parser import Parser

#: Number of user agents that are cached per process.
REMEMBERED = 2_000

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

#: How to recognise browsers of iOS and iPadOS that identify as a Mac to get desktop pages: by their
#: names (Firefox, Chrome, Edge, Opera, the Google app), by web views of apps, and by ``Mobile/``,
#: which no Mac sends. Safari on an iPad has none of these and counts as a Mac.
_IOS_AS_MAC = late_pattern(
    r"FxiOS/|CriOS/|EdgiOS/|OPiOS/|OPT/|GSA/|\bMobile/|FBAN/FBIOS|FBDV/i|\biP(?:hone|ad|od)\b"
)

#: The same for Android as desktop Linux: browsers that exist only on Android, and its web view.
_ANDROID_AS_LINUX = late_pattern(
    r"EdgA/|SamsungBrowser/|MiuiBrowser/|UCBrowser/|HuaweiBrowser/|HeyTapBrowser/|VivoBrowser/"
    r"|Version/4\.0 Chrome/|\bAndroid\b"
)


class Visitor(NamedTuple):
    """``platform``: iOS, Android, Windows, macOS, Linux, ChromeOS, other; ``device_type``:
    mobile, tablet, desktop, other; bots have ``other`` for both unless they claim one."""

    platform: str
    device_type: str
    is_bot: bool


@lru_cache(REMEMBERED)
def describe(user_agent: str) -> Visitor:
    """The device and platform of this ``User-Agent``; a missing one is a bot's. ua-parser (the
    uap-core patterns) finds the operating system.

    It is imported here because its patterns load slower than the rest of the redirect, and an
    unknown code needs none. Phones and tablets that ask for desktop pages identify as a Mac or
    Linux, so their marks are checked first.
    """
    if not user_agent:
        return Visitor("other", "other", is_bot=True)
    # Imported here: a refused code needs no patterns.
    from functions.domain.bots import is_program

    bot = is_program(user_agent)
    if "Macintosh" in user_agent and _IOS_AS_MAC.search(user_agent):
        # iPads ask for desktop pages by default, phones on request.
        phone = "iPhone" in user_agent
        return Visitor("iOS", "mobile" if phone else "tablet", bot)
    system = _os_parser().parse_os(user_agent)
    platform = _PLATFORMS.get(system.family, "other") if system else "other"
    if platform == "Linux" and "X11" in user_agent and _ANDROID_AS_LINUX.search(user_agent):
        return Visitor("Android", _device_type("Android", user_agent), bot)
    return Visitor(platform, _device_type(platform, user_agent), bot)


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
def _os_parser() -> "Parser":
    from ua_parser import Parser
    from ua_parser.basic import Resolver
    from ua_parser.loaders import load_lazy_builtins

    # Only the patterns of operating systems, compiled when first tried.
    _, systems, _ = load_lazy_builtins()
    return Parser(Resolver(([], systems, [])))
