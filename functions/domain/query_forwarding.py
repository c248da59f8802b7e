"""Adding the query of a visit to the destination of its link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote_plus

from functions.domain.uris import is_web

#: Longest ``Location`` that forwarding may produce, in bytes. API Gateway refuses a response with
#: more than 10,240 bytes of headers (quota "total combined size of request line and header
#: values"), and CloudFront allows URLs of 8,192 bytes.
MAX_LOCATION = 8_000

#: Characters that :func:`quote` does not encode in a name or value, besides the unreserved
#: characters of RFC 3986. None of them separates parameters or ends the query.
_SAFE = "!$()*,:@/?"


def query_of(event: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """The decoded query parameters of an API Gateway event, repeated names with every value."""
    many: dict[str, Sequence[str]] | None = event.get("multiValueQueryStringParameters")
    if many:
        return many
    single: dict[str, str] = event.get("queryStringParameters") or {}
    return {name: [value] for name, value in single.items()}


def with_query(location: str, query: Mapping[str, Sequence[str]]) -> str:
    """``location`` with these parameters appended to its query, before the fragment.

    Parameters that the destination already has are dropped: the link's own values win. The
    destination itself is unchanged. A parameter that would make the result longer than
    :data:`MAX_LOCATION` is dropped. An app URL gets no parameters.
    """
    if not query or not is_web(location):
        return location
    rest, hash_, fragment = location.partition("#")
    _, mark, own_query = rest.partition("?")
    own = {unquote_plus(pair.partition("=")[0]) for pair in own_query.split("&")}
    room = MAX_LOCATION - len(location)
    separator = "?" if not mark else "" if own_query.endswith("&") or not own_query else "&"
    for name, values in query.items():
        if not name or name in own:
            continue
        for value in values:
            added = f"{separator}{_quoted(name)}={_quoted(value)}"
            if len(added) > room:
                continue
            rest += added
            room -= len(added)
            separator = "&"
    return f"{rest}{hash_}{fragment}"


def _quoted(text: str) -> str:
    return quote(text, safe=_SAFE, errors="replace")
