"""Requests that a browser or an app sends ahead of a visit."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: Headers with which browsers and apps mark a request that no person made, in lower case:
#: ``Sec-Purpose`` (Fetch Standard: "prefetch", also "prefetch;prerender"), ``Purpose``
#: (Chromium and WebKit before it), ``X-Purpose`` (Safari's and Facebook's previews) and ``X-Moz``
#: (Firefox).
_PURPOSES = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_AHEAD_OF_A_VISIT = frozenset({"prefetch", "prerender", "preview"})


def is_prefetch(headers: Mapping[str, str]) -> bool:
    """Whether a browser loads this ahead of a visit that may never come (lower-case names)."""
    for name in _PURPOSES:
        value = headers.get(name)
        if value and _AHEAD_OF_A_VISIT.intersection(re.split(r"[\s;,]+", value.lower())):
            return True
    return False
