"""Identifiers: link ids, time-ordered deletion ids, short codes.

A link id is a version 4 UUID; a deletion (or restore) id is a version 7 UUID (RFC 9562, section
5.7), whose canonical text sorts by time. The audit trail and the restore fence need this order.
"""

from __future__ import annotations

import base64
import os
import secrets
import time
import uuid
import zlib

from functions.deferred_imports import late_pattern

#: Canonical 8-4-4-4-12 in any letter case; braced, ``urn:`` and 32-hex forms do not match.
_CANONICAL_UUID = late_pattern(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
)

_CLICK_ID = late_pattern(r"[A-Za-z0-9_-]{43}")

#: The end of the year 9999 in Unix milliseconds. A UUID can hold later times, a timestamp cannot.
_LAST_MILLISECOND = 253_402_300_799_999

#: Sorts before every UUID: the fencing token of a link that was never restored.
NO_RESTORE = "0"

#: Without look-alikes (0/O, 1/l/I), because short codes are read aloud and typed from paper.
_CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
#: 57^8 = 1.1e14 codes: unguessable, and a collision is rare even among 10^9 links.
_CODE_LENGTH = 8

#: Shards of the live index and of a link's clicks: a busy workspace or a viral link must not be
#: limited to one DynamoDB partition (1,000 write units a second each).
SHARDS = 8


def parse_link_id(value: object) -> str | None:
    """The canonical lower-case form of a UUID, or None if ``value`` is not one."""
    if isinstance(value, str) and _CANONICAL_UUID.fullmatch(value):
        return value.lower()
    return None


def random_uuid() -> str:
    """A random (version 4) UUID. ``uuid.uuid4`` takes ten times as long."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def new_link_ids(count: int) -> list[str]:
    """Random (version 4) UUIDs in canonical lower case, in ascending order.

    Links that are created together share their time; lists sort by time and then by id.
    """
    return sorted(random_uuid() for _ in range(count))


def new_time_ordered_id(*, after: str = NO_RESTORE) -> str:
    """A version 7 UUID that sorts after ``after``, even if this clock is behind.

    ``after`` is the newest restore; a later deletion must sort after it. The clocks of two
    functions may differ by milliseconds; the order of a restore and a following delete must not.
    """
    milliseconds = int(time.time() * 1000)
    if after != NO_RESTORE:
        milliseconds = max(milliseconds, int(uuid.UUID(after).int >> 80) + 1)
    return str(uuid.UUID(int=_time_ordered(milliseconds)))


def _time_ordered(milliseconds: int) -> int:
    """The bits of a version 7 UUID of this time."""
    random_bits = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76
    value |= ((random_bits >> 62) & 0xFFF) << 64
    value |= 0b10 << 62
    return value | random_bits & ((1 << 62) - 1)


def time_of(time_ordered_id: str) -> float:
    """The time of a version 7 UUID in Unix seconds."""
    return (uuid.UUID(time_ordered_id).int >> 80) / 1000


def new_click_id(link_id: str, milliseconds: int) -> str:
    """An opaque id with the link and the time of a click, so that the click is found without an
    index.

    43 URL-safe characters: the link's id and a version 7 UUID of that Unix millisecond.
    """
    # Without UUID objects, which would take as long as the rest of the id: a visitor waits for it.
    raw = bytes.fromhex(link_id.replace("-", "")) + _time_ordered(milliseconds).to_bytes(16, "big")
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def parse_click_id(value: str) -> tuple[str, int] | None:
    """The link's id and the Unix milliseconds in a click's id; None for anything else."""
    if not _CLICK_ID.fullmatch(value):
        return None
    raw = base64.urlsafe_b64decode(value + "=")
    milliseconds = int.from_bytes(raw[16:22], "big")
    if milliseconds > _LAST_MILLISECOND:
        return None
    return str(uuid.UUID(bytes=raw[:16])), milliseconds


def new_short_code() -> str:
    """Eight characters from a cryptographic source."""
    return "".join(secrets.choice(_CODE_ALPHABET) for _ in range(_CODE_LENGTH))


def code_from(digest: bytes) -> str:
    """The eight characters of a code, derived from at least 16 bytes."""
    number, characters = int.from_bytes(digest[:16], "big"), ""
    for _ in range(_CODE_LENGTH):
        number, place = divmod(number, len(_CODE_ALPHABET))
        characters += _CODE_ALPHABET[place]
    return characters


def shard_of(identifier: str) -> int:
    """A stable shard 0…7, the same in every process (``hash()`` is salted, CRC-32 is not)."""
    return zlib.crc32(identifier.encode()) % SHARDS


def pack_ids(link_ids: list[str]) -> bytes:
    """16 bytes an id, in order: 10,000 ids are 160 KB instead of 390 KB of text."""
    return bytes.fromhex("".join(link_ids).replace("-", ""))


def unpack_ids(packed: bytes) -> list[str]:
    """The inverse of :func:`pack_ids`."""
    text = packed.hex()
    return [
        f"{text[i : i + 8]}-{text[i + 8 : i + 12]}-{text[i + 12 : i + 16]}"
        f"-{text[i + 16 : i + 20]}-{text[i + 20 : i + 32]}"
        for i in range(0, len(text), 32)
    ]
