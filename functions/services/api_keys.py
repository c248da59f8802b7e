"""API keys: issue, show and revoke. Operators and the API share these."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from functions.domain.api_keys import KEY_ID, generate_api_key, key_state
from functions.domain.clock import iso, now_iso
from functions.domain.errors import (
    ApiKeyNotFound,
    Conflict,
    InvalidRequest,
    LastAdmin,
    MissingScopes,
    Unauthenticated,
    Unavailable,
)
from functions.domain.plans import SCOPES
from functions.repositories.access import AccessTable
from functions.repositories.api_keys import (
    ApiKeysTable,
    IssuedMeanwhile,
    UnknownKey,
    Witness,
    WitnessLost,
    new_key_id,
)

#: Active keys that a workspace may have through the API: each has its own rate window.
MAX_ACTIVE_KEYS = 100

#: Seconds for which the gateway caches the authorizer's response: a revoked key may work that long.
AUTHORIZER_CACHE_SECONDS = 60

#: How often a revocation looks for another admin credential before it gives up.
MAX_WITNESSES = 5

#: The action that lets an Idempotency-Key stand for the new key of this id; None without one.
Claim = Callable[[str], dict[str, Any] | None]


def _no_claim(_key_id: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who manages keys: an API key or a signed-in member, and what it may do."""

    workspace_id: str
    key_id: str
    user_id: str
    scopes: frozenset[str]
    #: When the issuer's own key expires; None for never, and for a member.
    expires_at: str | None = None

    @property
    def is_session(self) -> bool:
        """Whether it is a signed-in member; its ``key_id`` is then no API key's."""
        return self.key_id.startswith("session:")


def new_key(
    keys: ApiKeysTable,
    workspace_id: str,
    *,
    name: str,
    scopes: Sequence[str],
    user_id: str,
    expires_at: str | None = None,
    created_by: Mapping[str, str] | None = None,
    issued: int | None = None,
    claim: Claim = _no_claim,
) -> tuple[str, dict[str, Any]]:
    """A new API key and its record. This is the only time that the key is known.

    Raises ``IssuedMeanwhile`` if ``issued`` (``ApiKeysTable.issued``) has changed.
    """
    secret, key_id = generate_api_key(), new_key_id()
    record = keys.create(
        secret,
        key_id=key_id,
        workspace_id=workspace_id,
        # In the order of the table.
        scopes=[scope for scope in SCOPES if scope in scopes],
        user_id=user_id,
        name=name,
        expires_at=expires_at,
        created_by=created_by,
        issued=issued,
        claim=claim(key_id),
    )
    return secret, record


def issue(
    issuer: Issuer,
    keys: ApiKeysTable,
    *,
    name: str,
    scopes: Sequence[str],
    expires_at: str | None,
    claim: Claim,
) -> tuple[str, dict[str, Any]]:
    """A new key for the issuer's user, with no scope that the issuer lacks, and no longer life.

    Raises ``MissingScopes``, ``InvalidRequest`` for a time that has passed or is later than the
    issuer's, ``Conflict`` at the limit of active keys, which parallel requests do not exceed.
    """
    missing: list[str] = [each for each in SCOPES if each in scopes and each not in issuer.scopes]
    if missing:
        raise MissingScopes(missing)
    if expires_at is not None and expires_at <= now_iso():
        raise InvalidRequest(details=["expiresAt: must be in the future"])
    if issuer.expires_at is not None and (expires_at is None or expires_at > issuer.expires_at):
        # Else a key in the grace period of its rotation could outlive it.
        latest = f"{issuer.expires_at} or earlier, because the issuing key expires then"
        raise InvalidRequest(details=[f"expiresAt: must be {latest}"])
    # A lost attempt means that another request issued a key, so the limit ends the loop, unless
    # keys are revoked as fast as they are issued.
    for _ in range(MAX_ACTIVE_KEYS):
        # Read before the keys are counted: a key that is issued after that changes it.
        issued = keys.issued(issuer.workspace_id)
        active = [each for each in keys.all(issuer.workspace_id) if key_state(each) == "active"]
        if len(active) >= MAX_ACTIVE_KEYS:
            raise Conflict(
                f"A workspace may have {MAX_ACTIVE_KEYS} active keys. Revoke one first.",
                limit=MAX_ACTIVE_KEYS,
            )
        try:
            return new_key(
                keys,
                issuer.workspace_id,
                name=name,
                scopes=scopes,
                user_id=issuer.user_id,
                expires_at=expires_at,
                created_by={"keyId": issuer.key_id, "userId": issuer.user_id},
                issued=issued,
                claim=claim,
            )
        except IssuedMeanwhile:
            continue
    raise Unavailable


def revoke(
    issuer: Issuer,
    key_id: str,
    keys: ApiKeysTable,
    access: AccessTable,
    *,
    last_admin: bool,
    claim: dict[str, Any] | None,
) -> dict[str, Any]:
    """Revoke a key of the workspace; the record after it. Revoking again changes nothing.

    A key with ``admin`` is revoked only while another credential of the workspace has ``admin``,
    unless ``last_admin`` says that it may be the last. Raises ``ApiKeyNotFound``, ``LastAdmin``.
    """
    record = find_key(issuer.workspace_id, key_id, keys)
    needs_witness = "admin" in record["scopes"] and key_state(record) == "active" and not last_admin
    for _ in range(MAX_WITNESSES):
        witness = None
        if needs_witness:
            witness = next(_admins(issuer, keys, access, without=key_id), None)
            if witness is None:
                raise LastAdmin
        try:
            keys.revoke(record, at=now_iso(), witness=witness, claim=claim)
        except WitnessLost:
            continue
        return find_key(issuer.workspace_id, key_id, keys)
    raise Unavailable


def find_key(workspace_id: str, key_id: str, keys: ApiKeysTable) -> dict[str, Any]:
    """One key of the workspace; raises ``ApiKeyNotFound``."""
    if not KEY_ID.fullmatch(key_id):
        raise ApiKeyNotFound
    try:
        return keys.get(workspace_id, key_id)
    except UnknownKey:
        raise ApiKeyNotFound from None


def check_issuer(issuer: Issuer, keys: ApiKeysTable, access: AccessTable) -> Issuer:
    """The issuer, if it still is an admin credential, as it is stored; else ``Unauthenticated``.

    The gateway accepts a revoked key for up to 60 more seconds. In that time it must not manage
    keys.
    """
    own = _own(issuer, keys, access)
    if own is None:
        raise Unauthenticated
    return replace(issuer, expires_at=own.get("expiresAt"))


def effective_by(record: Mapping[str, Any]) -> str:
    """When the gateway stops accepting a revoked key at the latest."""
    # The record's own time, so that a repeated request has the same response.
    revoked = datetime.fromisoformat(record["revokedAt"]).timestamp()
    return iso(revoked + AUTHORIZER_CACHE_SECONDS)


def _admins(
    issuer: Issuer, keys: ApiKeysTable, access: AccessTable, *, without: str
) -> Iterator[Witness]:
    """The admin credentials of the workspace but one key; first the issuer's own."""
    own = _own(issuer, keys, access)
    if own is not None and own.get("keyId") != without:
        yield Witness(own)
    for record in keys.all(issuer.workspace_id):
        if record["keyId"] != without and _is_admin(record):
            yield Witness(record)
    for member in access.members(issuer.workspace_id):
        if member["role"] == "owner":
            yield Witness(member)


def _own(issuer: Issuer, keys: ApiKeysTable, access: AccessTable) -> dict[str, Any] | None:
    if issuer.is_session:
        member = access.member(issuer.user_id)
        if member is None or member["role"] != "owner":
            return None
        return member if member["workspaceId"] == issuer.workspace_id else None
    try:
        record = keys.get(issuer.workspace_id, issuer.key_id)
    except UnknownKey:
        return None
    return record if _is_admin(record) else None


def _is_admin(record: Mapping[str, Any]) -> bool:
    return "admin" in record["scopes"] and key_state(record) == "active"
