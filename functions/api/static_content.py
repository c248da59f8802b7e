"""Documents and files that are the same for everyone: entity tags, gzip and caching."""

from __future__ import annotations

import base64
import gzip
from functools import lru_cache
from typing import Any

from functions.api import entity_tags
from functions.api.entity_tags import has_tag

#: Revalidated at each request, because the next deployment may change it.
REVALIDATED = "public, no-cache"
#: For URLs with the hash of their content.
IMMUTABLE = "public, max-age=31536000, immutable"

#: Encodings that a process keeps.
REMEMBERED = 64

#: Smaller files are not compressed.
SMALL = 1_024


def lower_case_headers(event: dict[str, Any]) -> dict[str, str]:
    """The request's headers with lower-case names."""
    return {name.lower(): str(value) for name, value in (event.get("headers") or {}).items()}


#: 32 hex digits that name the content.
tag_of = lru_cache(REMEMBERED)(entity_tags.tag_of)


def content_response(
    event: dict[str, Any],
    body: bytes,
    media_type: str,
    caching: str,
    *,
    compressible: bool = True,
    packed: bytes | None = None,
) -> dict[str, Any]:
    """200 with the content, or 304 if the client has it.

    ``packed`` is the content with gzip. Without it, the content is compressed here.
    """
    request_headers = lower_case_headers(event)
    encoded = (
        compressible
        and len(body) >= SMALL
        and _takes_gzip(request_headers.get("accept-encoding", ""))
    )
    # A strong tag names the bytes that are sent, so each encoding has its own (RFC 9110, 8.8.3.3).
    tag = f'"{tag_of(body)}{"-gzip" if encoded else ""}"'
    headers = {"ETag": tag, "Cache-Control": caching, "Vary": "Accept-Encoding"}
    if has_tag(request_headers.get("if-none-match"), tag):
        return {"statusCode": 304, "headers": headers, "body": ""}
    headers["Content-Type"] = media_type
    if encoded:
        headers["Content-Encoding"] = "gzip"
        body = packed or _zipped(body)
    return {
        "statusCode": 200,
        "headers": headers,
        "body": _base64(body),
        "isBase64Encoded": True,
    }


@lru_cache(REMEMBERED)
def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


@lru_cache(REMEMBERED)
def _zipped(content: bytes) -> bytes:
    # Without a timestamp, so that equal content has equal bytes.
    return gzip.compress(content, 6, mtime=0)


def _takes_gzip(accepted: str) -> bool:
    for each in accepted.split(","):
        coding, _, weight = each.partition(";")
        if coding.strip().lower() == "gzip":
            return weight.replace(" ", "").lower() not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
