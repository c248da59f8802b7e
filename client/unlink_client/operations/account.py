"""The caller, API keys, receipts, and the service itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from unlink_client.calls import Call, Response, segment, to_json
from unlink_client.errors import UnexpectedResponse
from unlink_client.models import ApiKeyPage, IssuedApiKey, Me, RevokedApiKey
from unlink_client.operations.common import object_of, query_of, reader
from unlink_client.receipts import SignedReceipt


def get_me() -> Call[Me]:
    """``GET /api/me``: the caller, its scopes and its workspace."""
    return Call(method="GET", path="/api/me", read=reader(Me))


def list_keys(*, limit: int | None = None, cursor: str | None = None) -> Call[ApiKeyPage]:
    """``GET /api/keys``: one page of 1 to 100 keys, newest first."""
    return Call(
        method="GET",
        path="/api/keys",
        query=query_of(limit=limit, cursor=cursor),
        read=reader(ApiKeyPage),
    )


def issue_key(
    name: str,
    scopes: Sequence[str],
    *,
    expires_at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Call[IssuedApiKey]:
    """``POST /api/keys``: a new key, whose secret is shown once."""
    body: dict[str, Any] = {"name": name, "scopes": list(scopes)}
    if expires_at is not None:
        body["expiresAt"] = to_json(expires_at)
    return Call(
        method="POST",
        path="/api/keys",
        body=body,
        idempotency_key=idempotency_key,
        read=reader(IssuedApiKey),
    )


def revoke_key(
    id: str, *, last_admin: bool = False, idempotency_key: str | None = None
) -> Call[RevokedApiKey]:
    """``DELETE /api/keys/{id}``; ``last_admin`` also if no administrator is left then."""
    return Call(
        method="DELETE",
        path=f"/api/keys/{segment(id)}",
        query=query_of(last_admin=last_admin or None),
        idempotency_key=idempotency_key,
        read=reader(RevokedApiKey),
    )


def get_receipt(id: str) -> Call[SignedReceipt | None]:
    """``GET /api/receipts/{id}``: the signed receipt, None from a service that does not sign."""

    def read(response: Response) -> SignedReceipt | None:
        if response.headers.get("content-type", "").startswith("application/json"):
            return None
        try:
            return SignedReceipt(response.body.decode("ascii").strip())
        except UnicodeDecodeError:
            raise UnexpectedResponse("The receipt is not a JWS") from None

    return Call(method="GET", path=f"/api/receipts/{segment(id)}", read=read)


def get_jwks() -> Call[dict[str, Any]]:
    """``GET /.well-known/jwks.json``: the public keys of receipts. No key is sent."""
    return Call(method="GET", path="/.well-known/jwks.json", needs_key=False, read=object_of)


def get_open_api() -> Call[dict[str, Any]]:
    """``GET /api/openapi.json``: the document of the API. No key is sent."""
    return Call(method="GET", path="/api/openapi.json", needs_key=False, read=object_of)
