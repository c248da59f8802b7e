"""Entity tags: which version of a content a client has (RFC 9110, section 8.8.3)."""

from __future__ import annotations

import hashlib


def tag_of(content: bytes) -> str:
    """32 hex digits that name the content."""
    return hashlib.sha256(content).hexdigest()[:32]


def has_tag(if_none_match: str | None, tag: str) -> bool:
    """``If-None-Match`` (RFC 9110, section 13.1.2), with weak comparison."""
    tags = [each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")]
    return "*" in tags or tag in tags
