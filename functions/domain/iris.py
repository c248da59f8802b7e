"""The characters that a destination may have: those of RFC 3987.

The rules are ranges from the RFC and not properties of Python's Unicode tables, so they are the
same in every Python version. Separate from ``uris``, because compiling them would add milliseconds
to the cold start of the redirect.
"""

from __future__ import annotations

import re

# RFC 3987, section 2.2: ucschar, and iprivate, which only a query may have.
_PLANES = "".join(f"{chr(p << 16)}-{chr((p << 16) + 0xFFFD)}" for p in range(1, 14))
_UCSCHAR = f"\xa0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef{_PLANES}\U000e1000-\U000efffd"
_IPRIVATE = "\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd"
# RFC 3987, section 4.1, names U+200E, U+200F and U+202A to U+202E. U+061C and the isolates
# U+2066 to U+2069 came with Unicode 6.3, after the RFC, for the same purpose.
_BIDI_FORMATTING = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# Section 2.2 allows some white space in an IRI. It is refused because it is invisible in a list or
# on paper, and usually a pasting error (Unicode White_Space).
_SPACES = "\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_BIDI = re.compile(f"[{_BIDI_FORMATTING}]")
_SPACE = re.compile(f"[\x00-\x20\x7f-\x9f{_SPACES}]")
_FORBIDDEN = re.compile(f"[^\x21-\x7e{_UCSCHAR}{_IPRIVATE}]")
_PRIVATE = re.compile(f"[{_IPRIVATE}]")


def character_fault(iri: str) -> str | None:
    """Why ``iri`` has characters outside RFC 3987, or None if it has none."""
    if _SPACE.search(iri):
        return "a URL has no spaces or control characters"
    if _BIDI.search(iri):
        return "a URL has no bidirectional formatting characters"
    if _FORBIDDEN.search(iri):
        return "a URL has no characters that RFC 3987 excludes"
    before, _, rest = iri.partition("?")
    if _PRIVATE.search(before) or _PRIVATE.search(rest.partition("#")[2]):
        return "private use characters are allowed in a query only"
    return None
