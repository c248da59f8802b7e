"""API keys: ``ul_live_`` + 32 random base-62 characters + a 6-character CRC-32 checksum.

With the checksum (an idea of GitHub's token format) a mistyped key is refused without a read. Only
the SHA-256 of a key is stored: a key has 190 random bits, so a slow password hash would add
nothing.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from collections.abc import Mapping
from typing import Any, Literal

from functions.domain.clock import now_iso

KeyState = Literal["active", "revoked", "expired"]

PREFIX = "ul_live_"

#: What the id of a key may be. DynamoDB refuses a sort key of more than 1,024 bytes.
KEY_ID = re.compile(r"[A-Za-z0-9_:-]{1,100}")
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BODY_LENGTH = 32
_CHECKSUM_LENGTH = 6


def _checksum(body: str) -> str:
    value = zlib.crc32((PREFIX + body).encode())
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        value, remainder = divmod(value, len(_ALPHABET))
        digits = _ALPHABET[remainder] + digits
    return digits


def generate_api_key() -> str:
    """A new secret key. Show it once and store only its :func:`hash_api_key`."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_BODY_LENGTH))
    return PREFIX + body + _checksum(body)


def has_valid_checksum(key: str) -> bool:
    """Whether the text has the form of a key, with a correct checksum."""
    body = key[len(PREFIX) : -_CHECKSUM_LENGTH]
    return (
        key.startswith(PREFIX)
        and len(key) == len(PREFIX) + _BODY_LENGTH + _CHECKSUM_LENGTH
        and secrets.compare_digest(key[-_CHECKSUM_LENGTH:].encode(), _checksum(body).encode())
    )


def hash_api_key(key: str) -> str:
    """The SHA-256 of a key in hex: what the ``access`` table knows of it."""
    return hashlib.sha256(key.encode()).hexdigest()


def key_state(record: Mapping[str, Any]) -> KeyState:
    """Whether a key's record says that it may be used."""
    if record.get("revokedAt"):
        return "revoked"
    if record.get("expiresAt") and record["expiresAt"] <= now_iso():
        return "expired"
    return "active"
