"""URI syntax: the components of a destination, and its ASCII form.

Sources: RFC 3986 (URI), RFC 3987 (IRI). The redirect imports this module, so it imports and
compiles little.
"""

import re
import string
from typing import NamedTuple
from urllib.parse import quote

from functions.deferred_imports import late_pattern

#: Maximum length of a destination in characters, as sent: percent-encoded, with the link's campaign
#: (the limit of sitemaps.org and most servers).
MAX_URL = 2_048

#: RFC 3986, appendix B, with the parts named.
_PARTS = late_pattern(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):"
    r"(?://(?P<authority>[^/?#]*))?"
    r"(?P<path>[^?#]*)"
    r"(?:\?(?P<query>[^#]*))?"
    r"(?:#(?P<fragment>.*))?",
    re.DOTALL,
)

# The characters of a component besides the unreserved ones (RFC 3986, sections 2 and 3): the
# sub-delims, what the component adds, and the percent sign of an escape.
_IN_AUTHORITY = "!$&'()*+,;=:@%"
_IN_PATH = f"{_IN_AUTHORITY}/"
_IN_QUERY = f"{_IN_PATH}?"

#: RFC 3986, section 2.3.
UNRESERVED = f"{string.ascii_letters}{string.digits}-._~"

#: Without the percent sign: an escape has to be looked at.
_PLAIN = UNRESERVED + _IN_QUERY.replace("%", "")

_NO_ESCAPE = late_pattern("%(?![0-9A-Fa-f]{2})")
_IP_LITERAL = late_pattern(r"(?P<user>[^@]*@)?(?P<host>\[[0-9A-Fa-f:.]+\])(?P<port>:[0-9]*)?")


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


def to_uri(iri: str) -> str:
    """``iri`` as a URI of RFC 3986, which a ``Location`` header needs.

    A valid URI is returned unchanged. Otherwise only what RFC 3986 excludes is percent-encoded as
    UTF-8 (RFC 3987, section 3.1), and an international host of an http or https URL becomes its
    A-labels. A backslash in the path of such a URL becomes a slash, as browsers read it (WHATWG URL
    Standard, "path state").
    """
    if not iri.strip(_PLAIN):
        # Almost all destinations: the redirect need not take them apart.
        return iri
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
        # Imported here: it would slow cold starts, and only international hosts need it.
        from functions.domain.hosts import InvalidHost, canonical_host, split_authority

        try:
            host, port = split_authority(authority)
            return canonical_host(host) + port
        except InvalidHost:
            # The host was checked when it was stored, perhaps by another version of the parser.
            # Clients cannot open it, but the header is valid.
            pass
    return _encode(authority, _IN_AUTHORITY)


def _encode(text: str, allowed: str) -> str:
    # Validation refuses lone surrogates; "replace" keeps the response valid in any case.
    return quote(_NO_ESCAPE.sub("%25", text), safe=allowed, errors="replace")
