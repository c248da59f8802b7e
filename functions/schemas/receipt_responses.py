"""Receipts as responses show them, and the keys that verify them."""

from __future__ import annotations

from typing import Annotated, Literal

from typing_extensions import TypedDict

from functions.domain.json_types import Count, JsonSchema, Time, TimeOrderedUuid
from functions.domain.record_types import Actor, RemovedByKind


class ReceiptCounts(TypedDict):
    """Number of ids by outcome."""

    requested: Count
    erased: Count
    notFound: Count
    failed: Count


class ErasedIds(TypedDict):
    """Which links the receipt covers."""

    count: Count
    sha256: Annotated[str, JsonSchema(pattern="^[0-9a-f]{64}$")]
    """Of the erased ids in request order, each followed by a newline."""


class ReceiptPayload(TypedDict):
    """The content of a receipt: the payload of the signed document."""

    version: Literal[1]
    iss: str
    """Where the API is. The public keys are at ``/.well-known/jwks.json`` below it."""
    deletionId: TimeOrderedUuid
    workspaceId: str
    mode: Literal["erase"]
    actor: Actor
    reason: str | None
    createdAt: Time
    completedAt: Time
    verifiedEmptyAt: Time
    counts: ReceiptCounts
    removed: RemovedByKind
    erasedIds: ErasedIds


class UnsignedReceipt(ReceiptPayload):
    """A receipt of a deployment that does not sign receipts."""

    signed: Literal[False]


class PublicKey(TypedDict):
    """A public key on the curve P-256 (RFC 7517)."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str
    kid: str
    """Its thumbprint (RFC 7638)."""
    alg: Literal["ES256"]
    use: Literal["sig"]


class PublicKeys(TypedDict):
    """Every key that has signed receipts, oldest first; empty where receipts are not signed."""

    keys: list[PublicKey]
