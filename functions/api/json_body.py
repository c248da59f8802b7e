"""Parses a request body: strict JSON in UTF-8, with bounded work and specific errors."""

from __future__ import annotations

import json
from typing import Any

from functions.domain.errors import InvalidRequest

#: Most members of one object. The largest valid object has 14; unknown ones are refused by name.
MAX_OBJECT_MEMBERS = 64

#: Most members of all objects together. 1,000 links with every field have 18,000.
MAX_MEMBERS = 50_000

_GZIP = b"\x1f\x8b"
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


def parse_json(raw: bytes) -> Any:
    """The value of a body; raises ``InvalidRequest`` with what is wrong.

    Parsing stops at the first object that is too large, so the work is bounded by the members that
    a valid request can have and by the size of one object in the body.
    """
    if not raw.strip():
        raise InvalidRequest("The request has no body")
    text = _decode(raw)
    try:
        body = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_Members())
    except ValueError:
        raise InvalidRequest("The body is not valid JSON") from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply") from None
    if "\\u" in text:
        _refuse_lone_surrogates(body)
    return body


def _decode(raw: bytes) -> str:
    if raw.startswith(_GZIP):
        raise InvalidRequest("The body is compressed (gzip); send it uncompressed")
    if raw.startswith(_UTF8_BOM):
        # A BOM must not be sent (RFC 8259, section 8.1).
        raise InvalidRequest("The body starts with a byte order mark; send UTF-8 without one")
    if raw.startswith(_UTF16_BOMS) or b"\0" in raw[:4]:
        # ASCII in UTF-16 or UTF-32 has zero bytes; JSON text in UTF-8 has none.
        raise InvalidRequest("The body is UTF-16 or UTF-32; send UTF-8")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InvalidRequest("The body is not UTF-8") from None


def _refuse_lone_surrogates(body: object) -> None:
    # A lone surrogate is valid JSON (RFC 8259, section 8.2) but has no UTF-8 encoding, so it can be
    # neither stored nor sent.
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        escape = f"\\u{ord(error.object[error.start]):04x}"
        raise InvalidRequest(
            f"The body has half of a surrogate pair ({escape}), which is not a character"
        ) from None


def _refuse_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


class _Members:
    """Builds the objects of one body and counts their members.

    Names are unique (RFC 7493, section 2.3): with two ``dryRun`` members the meaning is ambiguous.
    """

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(pairs) > MAX_OBJECT_MEMBERS:
            raise InvalidRequest(f"An object has more than {MAX_OBJECT_MEMBERS} members")
        self.count += len(pairs)
        if self.count > MAX_MEMBERS:
            raise InvalidRequest(f"The body has more than {MAX_MEMBERS:,} members")
        members = dict(pairs)
        if len(members) != len(pairs):
            raise InvalidRequest("The body has a duplicate member")
        return members
