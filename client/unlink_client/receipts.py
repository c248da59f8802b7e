"""Signed receipts of erasures: compact JWS (RFC 7515) with ES256, checked without the service.

Needs PyJWT with cryptography: the extra ``verify``, or ``cli``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from unlink_client.decoding import decode
from unlink_client.errors import ReceiptIsInvalid, UnexpectedResponse
from unlink_client.models.account import Actor

#: The type in the header: a token of the same key for another use is not a receipt.
_TYPE = "unlink-receipt+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptCounts:
    """Ids by outcome."""

    requested: int
    erased: int
    not_found: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What was removed, by kind."""

    links: int
    codes: int
    clicks: int
    rollups: int
    installs: int
    installs_kept: int
    qr_objects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedIds:
    """How many ids were erased, and the SHA-256 of them in order, each followed by a newline."""

    count: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedReceipt:
    """The content of a receipt after its signature was verified. ``iss`` is the service."""

    version: int
    iss: str
    deletion_id: str
    workspace_id: str
    mode: str
    actor: Actor
    reason: str | None
    created_at: datetime
    completed_at: datetime
    verified_empty_at: datetime
    counts: ReceiptCounts
    removed: Removed
    erased_ids: ErasedIds


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt as the service signed it."""

    jws: str

    def verify(
        self, jwks: Mapping[str, Any], *, ids: Iterable[str] | None = None
    ) -> VerifiedReceipt:
        """Verify the receipt and return its content; raises ``ReceiptIsInvalid``.

        ``jwks`` are the public keys of the service (``Unlink.jwks()``, or a stored file). ``ids``
        are link ids in the order of the request: the receipt must cover exactly these.
        """
        content = _verified_content(self.jws, jwks)
        try:
            receipt = decode(VerifiedReceipt, json.loads(content))
        except (ValueError, UnexpectedResponse) as error:
            raise ReceiptIsInvalid(f"The signed content is not a receipt: {error}") from None
        if ids is not None:
            _check_ids(receipt.erased_ids, ids)
        return receipt


def _verified_content(jws: str, jwks: Mapping[str, Any]) -> bytes:
    # Imported here, because most programs need no cryptography.
    import jwt

    try:
        header = jwt.get_unverified_header(jws)
        if header.get("typ") != _TYPE:
            raise ReceiptIsInvalid(f"This is not a receipt: its type is {header.get('typ')!r}")
        key = _key(header.get("kid"), jwks)
        content: bytes = jwt.PyJWS().decode_complete(jws, key, algorithms=["ES256"])["payload"]
    except jwt.InvalidSignatureError:
        raise ReceiptIsInvalid("The signature is wrong: the receipt was changed") from None
    except jwt.PyJWTError as error:
        raise ReceiptIsInvalid(f"The receipt cannot be read: {error}") from None
    return content


def _key(key_id: Any, jwks: Mapping[str, Any]) -> Any:
    import jwt

    keys = jwks.get("keys")
    for each in keys if isinstance(keys, list) else []:
        if isinstance(each, dict) and each.get("kid") == key_id:
            return jwt.PyJWK(each, algorithm="ES256").key
    raise ReceiptIsInvalid("No public key of the service has signed this receipt")


def _check_ids(erased: ErasedIds, ids: Iterable[str]) -> None:
    digest, count = hashlib.sha256(), 0
    for link_id in ids:
        digest.update(f"{link_id.strip().lower()}\n".encode())
        count += 1
    if count != erased.count:
        raise ReceiptIsInvalid(f"The receipt covers {erased.count:,} ids, not {count:,}")
    if digest.hexdigest() != erased.sha256:
        raise ReceiptIsInvalid("The receipt covers other ids, or these in another order")
