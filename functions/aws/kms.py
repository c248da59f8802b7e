"""A signing key that never leaves KMS: ECDSA on P-256 with SHA-256 (ES256, RFC 7518)."""

from __future__ import annotations

from typing import Any

from functions.aws.calls import call


class SigningKey:
    """An asymmetric KMS key (``ECC_NIST_P256``, ``SIGN_VERIFY``)."""

    def __init__(self, client: Any, key_id: str) -> None:
        self._client = client
        self.key_id = key_id

    def public_key(self) -> bytes:
        """The public key as a DER-encoded SubjectPublicKeyInfo (RFC 5280)."""
        response = call(self._client.get_public_key, KeyId=self.key_id)
        return bytes(response["PublicKey"])

    def sign(self, digest: bytes) -> bytes:
        """The signature of a SHA-256 digest as DER (an ECDSA-Sig-Value of RFC 3279).

        The digest and not the message is sent: KMS takes messages of at most 4 KB.
        """
        response = call(
            self._client.sign,
            KeyId=self.key_id,
            Message=digest,
            MessageType="DIGEST",
            SigningAlgorithm="ECDSA_SHA_256",
        )
        return bytes(response["Signature"])
