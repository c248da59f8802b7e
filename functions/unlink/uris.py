"""URI syntax: which characters a destination may have, and how it leaves in ASCII.

Sources: RFC 3986 (URI), RFC 3987 (IRI). The character rules are ranges from the RFCs and not
properties from Python's Unicode tables, so they are the same under every Python version.
The redirect imports this module, so it imports little.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote

#: RFC 3986, appendix B, with the parts named.
_PARTS = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):"
    r"(?://(?P<authority>[^/?#]*))?"
    r"(?P<path>[^?#]*)"
    r"(?:\?(?P<query>[^#]*))?"
    r"(?:#(?P<fragment>.*))?",
    re.DOTALL,
)

# What a component may have besides the unreserved characters (RFC 3986, sections 2 and 3): the
# sub-delims, what the component adds, and the percent sign of an escape.
_IN_AUTHORITY = "!$&'()*+,;=:@%"
_IN_PATH = f"{_IN_AUTHORITY}/"
_IN_QUERY = f"{_IN_PATH}?"
_NO_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_IP_LITERAL = re.compile(r"(?P<user>[^@]*@)?(?P<host>\[[0-9A-Fa-f:.]+\])(?P<port>:[0-9]*)?")

# RFC 3987, section 2.2: ucschar, and iprivate, which only a query may have.
_PLANES = "".join(f"{chr(p << 16)}-{chr((p << 16) + 0xFFFD)}" for p in range(1, 14))
_UCSCHAR = f"\xa0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef{_PLANES}\U000e1000-\U000efffd"
_IPRIVATE = "\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd"
# RFC 3987, section 4.1, names U+200E, U+200F and U+202A to U+202E. U+061C and the isolates
# U+2066 to U+2069 came with Unicode 6.3, after the RFC, for the same purpose.
_BIDI_FORMATTING = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# White space is valid in an IRI by the letter of section 2.2. It is refused because it cannot be
# seen in a list or on paper, and because it usually comes from pasting (Unicode White_Space).
_SPACES = "\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_BIDI = re.compile(f"[{_BIDI_FORMATTING}]")
_SPACE = re.compile(f"[\x00-\x20\x7f-\x9f{_SPACES}]")
_FORBIDDEN = re.compile(f"[^\x21-\x7e{_UCSCHAR}{_IPRIVATE}]")
_PRIVATE = re.compile(f"[{_IPRIVATE}]")


class Parts(NamedTuple):
    """The components of a URI or IRI as given, without their delimiters; None where absent."""

    scheme: str
    authority: str | None
    path: str
    query: str | None
    fragment: str | None


def split(uri: str) -> Parts | None:
    """The components of ``uri`` (RFC 3986, appendix B); None when it has no scheme."""
    found = _PARTS.fullmatch(uri)
    return Parts(**found.groupdict()) if found else None


def is_web(url: str) -> bool:
    """Whether the scheme is http or https."""
    return url[:6].lower().startswith(("http:", "https:"))


def character_fault(iri: str) -> str | None:
    """Why the characters of ``iri`` are not those of RFC 3987, or None when they are."""
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


def to_uri(iri: str) -> str:
    """``iri`` as a URI of RFC 3986, which a ``Location`` header needs.

    A valid URI comes back unchanged, byte for byte. Otherwise only what RFC 3986 excludes is
    percent-encoded as UTF-8 (RFC 3987, section 3.1), and an international host of an http or https
    URL becomes its A-labels. A backslash in the path of such a URL becomes a slash, as browsers
    read it (WHATWG URL Standard, "path state").
    """
    parts = split(iri)
    if parts is None:
        return _encode(iri, _IN_QUERY)
    web = is_web(iri)
    uri = f"{parts.scheme}:"
    if parts.authority is not None:
        uri += f"//{_authority(parts.authority, web)}"
    path = parts.path.replace("\\", "/") if web else parts.path
    uri += _encode(path, _IN_PATH)
    if parts.query is not None:
        uri += f"?{_encode(parts.query, _IN_QUERY)}"
    if parts.fragment is not None:
        uri += f"#{_encode(parts.fragment, _IN_QUERY)}"
    return uri


def _authority(authority: str, web: bool) -> str:
    if literal := _IP_LITERAL.fullmatch(authority):
        user = _encode(literal["user"] or "", _IN_AUTHORITY)
        return f"{user}{literal['host']}{literal['port'] or ''}"
    if web and not authority.isascii():
        # Imported here: it costs a cold start, and only international hosts need it.
        from functions.unlink.hosts import InvalidHost, canonical_host, split_authority

        try:
            host, port = split_authority(authority)
            return canonical_host(host) + port
        except InvalidHost:
            # Stored before hosts were checked. No client can open it, but the header is valid.
            pass
    return _encode(authority, _IN_AUTHORITY)


def _encode(text: str, allowed: str) -> str:
    # Lone surrogates do not get past validation; "replace" keeps the answer valid all the same.
    return quote(_NO_ESCAPE.sub("%25", text), safe=allowed, errors="replace")
