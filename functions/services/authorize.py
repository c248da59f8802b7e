"""Who is calling, and what may they do: API keys and sessions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from functions.aws.parallel import run_with_timeout
from functions.domain.api_keys import has_valid_checksum
from functions.domain.clock import deadline, now_iso
from functions.domain.errors import UnlinkError
from functions.domain.policies import Policies
from functions.domain.scopes import ROLES
from functions.powertools import Logger
from functions.repositories.access import AccessTable
from functions.services import sessions

log = Logger()

#: Maximum seconds for recording that a key was used.
NOTE_TIMEOUT = 0.3


def authorize(
    credential: str, access: AccessTable, pool: Callable[[], sessions.SessionPool]
) -> tuple[dict[str, Any], str] | None:
    """The context of a caller and its workspace's usage key; None when it is refused.

    ``pool`` is asked for only when a session comes. Raises the errors of the table, and
    ``KeysUnavailable``: then it is unknown whether the credential is valid.
    """
    if has_valid_checksum(credential):
        caller, reason = _caller_with_key(credential, access)
    elif sessions.looks_like_token(credential):
        caller, reason = _caller_with_session(credential, access, pool())
    else:
        caller, reason = None, "malformed"
    workspace = None
    if caller is not None:
        workspace = access.workspace(caller["workspaceId"])
        if workspace is None:
            reason = "no workspace"
    if caller is None or workspace is None:
        log.info("refused", extra={"reason": reason})
        return None
    context: dict[str, Any] = caller | {"plan": workspace["plan"]}
    # API Gateway takes text, numbers and booleans, and passes all of them on as text.
    context |= {name: str(value) for name, value in Policies.read(workspace).stored().items()}
    return context, workspace["usageKey"]


def _caller_with_key(key: str, access: AccessTable) -> tuple[dict[str, str] | None, str]:
    """The context of an API key, or None with the reason of the refusal."""
    record = access.find_key(key)
    if record is None:
        return None, "unknown key"
    if record.get("revokedAt"):
        return None, "revoked key"
    expires_at = record.get("expiresAt")
    if expires_at and expires_at <= now_iso():
        return None, "expired key"
    try:
        with deadline(NOTE_TIMEOUT):
            run_with_timeout(NOTE_TIMEOUT, lambda: access.note_use(record))
    except UnlinkError:
        log.warning("the use of a key was not recorded", extra={"keyId": record["keyId"]})
    caller = {
        "workspaceId": record["workspaceId"],
        "keyId": record["keyId"],
        "userId": record["userId"],
        "scopes": " ".join(record["scopes"]),
    }
    if expires_at:
        caller["expiresAt"] = str(int(datetime.fromisoformat(expires_at).timestamp()))
    return caller, ""


def _caller_with_session(
    token: str, access: AccessTable, pool: sessions.SessionPool
) -> tuple[dict[str, str] | None, str]:
    """The context of a session, or None with the reason of the refusal."""
    try:
        session = sessions.verify(
            token, issuer=pool.issuer, client_ids=pool.client_ids, keys=pool.keys
        )
    except sessions.InvalidSession as error:
        return None, f"session: {error}"
    member = access.member(session.user_id)
    if member is None:
        return None, "no member"
    return {
        "workspaceId": member["workspaceId"],
        # Also the key of the rate window: all sessions of a user share one.
        "keyId": f"session:{session.user_id}",
        "userId": session.user_id,
        "scopes": " ".join(ROLES[member["role"]]),
        "role": member["role"],
        "expiresAt": str(session.expires_at),
    }, ""
