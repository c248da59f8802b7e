"""Receipts of erasures that others can verify: their content, and their signatures.

A signed receipt is a JWS (RFC 7515) in compact form, signed with ES256 by a key that never leaves
KMS. Signing may be repeated by any number of workers, killed at any call: the first signature that
is stored stands.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from functions import metrics
from functions.domain.clock import current_deadline
from functions.domain.deletion import Deletion
from functions.domain.errors import InternalError, ReceiptNotFound, ReceiptPending, Unavailable
from functions.domain.outcomes import Outcome
from functions.powertools import Logger
from functions.repositories.deletions import DeletionsTable
from functions.repositories.receipts import ReceiptsTable

if TYPE_CHECKING:
    from functions.aws.kms import SigningKey

#: The media type of the payload, in the header of the JWS (RFC 7515, section 4.1.9).
TYPE = "unlink-receipt+json"
VERSION = 1

#: After so many ``Unavailable`` in a row a run ends: then it is KMS, and not one receipt.
MAX_UNAVAILABLE = 5

log = Logger()


def receipt_payload(deletion: Deletion, issuer: str) -> dict[str, Any]:
    """What a receipt says. The deletion is complete and has all of its ids.

    The digest is over the erased ids in the order of the request, each followed by a newline.
    """
    receipt: dict[str, Any] = dict(deletion.receipt or {})
    if deletion.state != "complete" or not receipt.get("verifiedEmptyAt"):
        raise InternalError("a receipt of an erasure that is not verified")
    erased = deletion.ids_with(Outcome.ERASED)
    digest = hashlib.sha256("".join(f"{link_id}\n" for link_id in erased).encode())
    names = ("links", "codes", "clicks", "rollups", "installs", "installsKept", "qrObjects")
    return {
        "version": VERSION,
        "iss": issuer,
        "deletionId": deletion.id,
        "workspaceId": deletion.workspace_id,
        "mode": deletion.mode,
        "actor": deletion.actor,
        "reason": deletion.reason,
        "createdAt": deletion.created_at,
        "completedAt": deletion.completed_at,
        "verifiedEmptyAt": receipt["verifiedEmptyAt"],
        "counts": {
            "requested": len(deletion.outcomes),
            "erased": len(erased),
            "notFound": deletion.outcomes.count(Outcome.NOT_FOUND),
            "failed": deletion.outcomes.count(Outcome.FAILED),
        },
        "removed": {name: receipt[name] for name in names},
        "erasedIds": {"count": len(erased), "sha256": digest.hexdigest()},
    }


def find_receipt(
    workspace_id: str,
    deletion_id: str,
    *,
    deletions: DeletionsTable,
    receipts: ReceiptsTable,
    issuer: str,
) -> str | dict[str, Any]:
    """The compact JWS of a receipt, or, where receipts are not signed, what it says.

    Raises ``ReceiptNotFound`` and ``ReceiptPending``.
    """
    deletion = deletions.header(workspace_id, deletion_id)
    if deletion is None or deletion.mode != "erase" or deletion.state == "failed":
        raise ReceiptNotFound
    if deletion.state != "complete":
        raise ReceiptPending
    if deletion.receipt is None:
        raise ReceiptNotFound
    # In this order: a receipt that is signed between the two reads is found by the second.
    if receipts.awaits_signature(workspace_id, deletion_id):
        raise ReceiptPending
    jws = receipts.find(workspace_id, deletion_id)
    if jws is not None:
        return jws
    whole = deletions.load(workspace_id, deletion_id)
    if whole is None:
        raise ReceiptNotFound
    return {"signed": False, **receipt_payload(whole, issuer)}


class ReceiptSigner:
    """Signs receipts with one KMS key, and publishes its public key before the first."""

    def __init__(self, key: SigningKey, receipts: ReceiptsTable, issuer: str) -> None:
        self._key = key
        self._receipts = receipts
        self._issuer = issuer
        self._jwk: dict[str, str] | None = None

    def sign(self, deletion: Deletion) -> None:
        """Sign and store the receipt of a completed erasure, with all of its ids."""
        payload = receipt_payload(deletion, self._issuer)
        jwk = self._published_key()
        header = {"alg": "ES256", "kid": jwk["kid"], "typ": TYPE}
        signed = f"{_encoded(header)}.{_encoded(payload)}"
        signature = self._key.sign(hashlib.sha256(signed.encode()).digest())
        jws = f"{signed}.{_base64url(_raw_signature(signature))}"
        self._receipts.store(deletion.workspace_id, deletion.id, jws=jws, key_id=jwk["kid"])

    def _published_key(self) -> dict[str, str]:
        if self._jwk is None:
            jwk = jwk_of(self._key.public_key())
            self._receipts.put_public_key(jwk)
            self._jwk = jwk
        return self._jwk


def sign_receipts(
    signer: ReceiptSigner, *, deletions: DeletionsTable, receipts: ReceiptsTable, limit: int
) -> tuple[int, int]:
    """Sign the unsigned receipts; returns how many were signed and how many failed.

    A record that can never be signed does not hold up the others. Reports the age of the oldest
    receipt that is left.
    """
    signed = failed = unavailable = 0
    completion_times = []
    for receipt in receipts.unsigned(limit=limit):
        workspace_id, deletion_id, since = receipt
        completion_times.append(since)
        if current_deadline().passed or unavailable == MAX_UNAVAILABLE:
            continue
        try:
            deletion = deletions.load(workspace_id, deletion_id)
            if deletion is not None:
                signer.sign(deletion)
                signed += 1
            completion_times.pop()
            unavailable = 0
        except Exception as error:
            log.exception(
                "a receipt was not signed",
                extra={"workspaceId": workspace_id, "deletionId": deletion_id},
            )
            failed += 1
            unavailable = unavailable + 1 if isinstance(error, Unavailable) else 0
    metrics.measure("OldestUnsignedReceipt", _age_of_oldest(completion_times))
    return signed, failed


def _age_of_oldest(times: Sequence[str]) -> float:
    """Seconds since the earliest of these times; 0 when there is none."""
    # A damaged record may have no time.
    known = [time for time in times if time]
    if not known:
        return 0.0
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(min(known))).total_seconds())


def jwk_of(public_key: bytes) -> dict[str, str]:
    """The JWK (RFC 7517) of a P-256 public key in DER, named by its thumbprint (RFC 7638)."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key
    from jwt.algorithms import ECAlgorithm

    key = load_der_public_key(public_key)
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise InternalError("the receipt key is not on the curve P-256")
    # The required members only, in the order of their names and without spaces.
    required = dict(sorted(ECAlgorithm.to_jwk(key, as_dict=True).items()))
    thumbprint = hashlib.sha256(_json(required)).digest()
    return {**required, "kid": _base64url(thumbprint), "alg": "ES256", "use": "sig"}


def _raw_signature(der: bytes) -> bytes:
    """The signature as JWS has it: both numbers in 32 bytes each (RFC 7518, section 3.4)."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
    from jwt.utils import der_to_raw_signature

    return der_to_raw_signature(der, SECP256R1())


def _encoded(content: dict[str, Any]) -> str:
    return _base64url(_json(content))


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
