"""Prefetch requests, which a browser or an app sends before a possible visit."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: Headers that mark a request as a prefetch or preview, in lower case: ``Sec-Purpose`` (Fetch
#: Standard: "prefetch", also "prefetch;prerender"), ``Purpose`` (Chromium and WebKit before it),
#: ``X-Purpose`` (Safari's and Facebook's previews) and ``X-Moz`` (Firefox).
_PURPOSES = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_AHEAD_OF_A_VISIT = frozenset({"prefetch", "prerender", "preview"})


def is_prefetch(headers: Mapping[str, str]) -> bool:
    """Whether the request is a prefetch (lower-case header names)."""
    for name in _PURPOSES:
        value = headers.get(name)
        if value and _AHEAD_OF_A_VISIT.intersection(re.split(r"[\s;,]+", value.lower())):
            return True
    return False
