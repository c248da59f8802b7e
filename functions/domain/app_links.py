"""App URLs: the schemes that a workspace may allow, and the checks of such a URL.

Only ``iosUrl`` and ``androidUrl`` may be app URLs. The workspace's policy ``appSchemes`` names the
schemes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from urllib.parse import unquote

from functions.domain.iris import character_fault
from functions.domain.uris import is_web, split

#: Never allowed: they run code, show the author's text without a site's name, or read files. The
#: last two wrap one of the others.
FORBIDDEN_SCHEMES = frozenset(
    {"javascript", "data", "vbscript", "file", "blob", "about", "filesystem", "view-source"}
)

#: Schemes that one workspace may allow, and the characters of each.
MAX_SCHEMES = 20
MAX_SCHEME = 50

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


def scheme_faults(schemes: Sequence[str]) -> list[str]:
    """What is wrong with a list of schemes to allow; empty when it is valid."""
    faults = []
    for scheme in schemes:
        if not _SCHEME.fullmatch(scheme) or len(scheme) > MAX_SCHEME:
            faults.append(
                f"{scheme!r} is not a scheme: at most {MAX_SCHEME} lower-case letters, digits, +, "
                ". and -, first a letter"
            )
        elif scheme in FORBIDDEN_SCHEMES:
            faults.append(f"{scheme} is never allowed")
        elif scheme in ("http", "https"):
            faults.append(f"{scheme} is always allowed and needs no policy")
    if len(set(schemes)) < len(schemes):
        faults.append("each scheme only once")
    if len(schemes) > MAX_SCHEMES:
        faults.append(f"at most {MAX_SCHEMES} schemes")
    return faults


def has_allowed_scheme(url: str, allowed: Collection[str]) -> bool:
    """Whether ``url`` is an app URL of one of these schemes."""
    parts = split(url)
    scheme = parts.scheme.lower() if parts else ""
    return scheme in allowed and scheme not in FORBIDDEN_SCHEMES


def app_schemes_in(body: object) -> frozenset[str]:
    """The schemes of the app URLs in a request body, without http and https."""
    links = body if isinstance(body, list) else [body]
    urls = [
        url
        for link in links
        if isinstance(link, dict)
        for name in ("iosUrl", "androidUrl")
        if isinstance(url := link.get(name), str) and not is_web(url)
    ]
    return frozenset(parts.scheme.lower() for url in urls if (parts := split(url)) is not None)


def app_url_fault(url: str) -> str | None:
    """What is wrong with an app URL whose scheme is allowed, or None."""
    if fault := character_fault(url):
        return fault
    parts = split(url)
    if parts is None or not (parts.authority or parts.path or parts.query):
        return "an app URL needs something after its scheme"
    if "@" in (parts.authority or ""):
        return "a URL must not carry credentials"
    scheme, fallback = _intent(url)
    if scheme in FORBIDDEN_SCHEMES:
        return f"an intent must not have the scheme {scheme}"
    if fallback is not None and not is_web(fallback):
        return "the fallback of an intent is an http or https URL"
    return None


def web_urls_in(url: str) -> list[str]:
    """The http and https URLs that an app URL opens: those of an intent, else none."""
    scheme, fallback = _intent(url)
    found = [fallback] if fallback is not None else []
    if scheme in ("http", "https"):
        found.append(f"{scheme}:{url.partition(':')[2]}")
    return found


def _intent(url: str) -> tuple[str | None, str | None]:
    """Scheme and fallback URL of ``intent://…#Intent;scheme=…;S.browser_fallback_url=…;end``.

    Syntax: Chrome for Developers, "Android Intents with Chrome".
    """
    parts = split(url)
    if parts is None or parts.scheme.lower() != "intent":
        return None, None
    values: dict[str, str] = {}
    for extra in (parts.fragment or "").split(";"):
        name, mark, value = extra.partition("=")
        if mark:
            values[name] = unquote(value)
    scheme = values.get("scheme")
    return scheme.lower() if scheme is not None else None, values.get("S.browser_fallback_url")
