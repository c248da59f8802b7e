"""Hosts of http and https URLs, by the rules of the WHATWG URL Standard ("host parsing").

The parser is the one of pydantic-core (the Rust ``url`` and ``idna`` crates), which the API
functions load anyway. tests/unit/test_hosts.py runs it on the web-platform-tests.
"""

from __future__ import annotations

import ipaddress
import re

from pydantic_core import Url

#: RFC 1035, section 2.3.4, in characters: 255 octets are 253 characters without the root dot.
MAX_LABEL = 63
MAX_NAME = 253

#: The characters of an authority in RFC 3986, and those that end it in a WHATWG parser.
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?P<port>:[0-9]*)?")
_DELIMITERS = re.compile(r"[/?#@\\\s\x00-\x1f]")
_ASCII_LABEL = re.compile(r"[A-Za-z0-9_-]*")


class InvalidHost(ValueError):
    """Browsers cannot open this host, or read a different host than the one written."""


def split_authority(authority: str) -> tuple[str, str]:
    """Host, and port with its colon ("" when absent); raises :class:`InvalidHost`."""
    found = _AUTHORITY.fullmatch(authority)
    if found is None or _DELIMITERS.search(authority):
        raise InvalidHost("not a URL")
    port = found["port"] or ""
    if port[1:] and (len(port) > 20 or int(port[1:]) > 65_535):
        raise InvalidHost("a port is a number up to 65535")
    return found["host"], port


def canonical_host(host: str) -> str:
    """The host that browsers connect to: ASCII, lower case, IP addresses in their usual form.

    ``BÜCHER.example`` is ``xn--bcher-kva.example``, ``127.1`` and ``2130706433`` are
    ``127.0.0.1``. Raises :class:`InvalidHost`.
    """
    if not host or _DELIMITERS.search(host):
        raise InvalidHost("a URL needs a host")
    try:
        canonical = Url(f"https://{host}/").host or ""
    except ValueError:
        raise InvalidHost("browsers cannot open this host") from None
    return canonical


def checked_host(host: str) -> str:
    """As :func:`canonical_host`, and raises also for names that DNS cannot have and for misleading
    names: ``%61.example``, full-width letters, ``a。example``.
    """
    canonical = canonical_host(host)
    if canonical.startswith("[") or _is_ipv4(canonical):
        if not host.isascii() or "%" in host:
            raise InvalidHost("an IP address is written in ASCII")
        return canonical
    name = canonical.removesuffix(".")
    labels = name.split(".")
    if len(name) > MAX_NAME or not all(1 <= len(label) <= MAX_LABEL for label in labels):
        raise InvalidHost(
            f"the parts of a host have 1 to {MAX_LABEL} characters, together at most {MAX_NAME}"
        )
    given_labels = host.removesuffix(".").split(".")
    if len(given_labels) != len(labels) or not all(map(_is_same_label, given_labels, labels)):
        raise InvalidHost("a host is letters, digits, dots and hyphens, or its xn-- spelling")
    return canonical


def _is_same_label(given: str, canonical: str) -> bool:
    """Whether a label is what it appears to be. Decided by the A-label prefix, independent of
    Unicode tables.
    """
    if _ASCII_LABEL.fullmatch(canonical) is None:
        return False
    return given.lower() == canonical if given.isascii() else canonical.startswith("xn--")


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True
