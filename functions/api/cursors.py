"""Opaque tokens that a client sends back, for example cursors. They are signed against forgery."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

_MAC_BYTES = 16


def sign(purpose: str, workspace_id: str, content: Any, *, secret: bytes) -> str:
    """A URL-safe token with ``content`` (JSON), valid for this purpose and workspace only."""
    payload = json.dumps(content, separators=(",", ":")).encode()
    return (
        base64.urlsafe_b64encode(_mac(purpose, workspace_id, payload, secret) + payload)
        .decode()
        .rstrip("=")
    )


def read(purpose: str, workspace_id: str, token: str, *, secret: bytes) -> Any:
    """The content of a token. Raises ``ValueError`` if it was not made for this purpose and
    workspace.
    """
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        raise ValueError("malformed token") from None
    mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(purpose, workspace_id, payload, secret)):
        raise ValueError("the token's signature does not match")
    return json.loads(payload)


def _mac(purpose: str, workspace_id: str, payload: bytes, secret: bytes) -> bytes:
    message = b"\0".join([purpose.encode(), workspace_id.encode(), payload])
    return hmac.new(secret, message, hashlib.sha256).digest()[:_MAC_BYTES]
