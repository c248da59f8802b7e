"""The gateway's REQUEST authorizer: who is calling, and what may they do.

It answers a policy. A refusal is a Deny, because raising counts as an error of the function and
is not cached. It raises only when it cannot know: that is a 500 which the next request may mend,
while a Deny would lock a good caller out for as long as the gateway remembers it.

The policy covers the whole stage: API Gateway caches it per ``Authorization`` header, and one
made for a single method would deny the caller's next route.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from functions.aws.client import low_latency_client, run_with_timeout
from functions.config import setting
from functions.domain.api_keys import has_valid_checksum
from functions.domain.clock import deadline, now_iso
from functions.domain.errors import UnlinkError
from functions.domain.policies import Policies
from functions.domain.scopes import ROLES
from functions.repositories.access import AccessTable
from functions.services import sessions

log = Logger()

#: Seconds to find out, before the last call begins; the function's timeout is 5.
TIMEOUT = 3.0

#: A note of use must never cost a caller more than this, in seconds.
NOTE_TIMEOUT = 0.3


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Allow with the caller's context and usage key, or Deny."""
    with deadline(TIMEOUT):
        return _authorize(event)


def _authorize(event: dict[str, Any]) -> dict[str, Any]:
    stage_arn = "/".join(event["methodArn"].split("/")[:2]) + "/*"
    access = AccessTable(low_latency_client("dynamodb"), setting("ACCESS_TABLE"))
    credential = _bearer(event)
    if has_valid_checksum(credential):
        caller, reason = _caller_with_key(credential, access)
    elif sessions.looks_like_token(credential):
        caller, reason = _caller_with_session(credential, access)
    else:
        caller, reason = None, "malformed"
    workspace = None
    if caller is not None:
        workspace = access.workspace(caller["workspaceId"])
        if workspace is None:
            reason = "no workspace"
    if caller is None or workspace is None:
        log.info("refused", extra={"reason": reason})
        return _policy("Deny", stage_arn, "unknown")
    context = caller | {"plan": workspace["plan"]}
    # API Gateway takes text, numbers and booleans, and hands all of them on as text.
    context |= {name: str(value) for name, value in Policies.read(workspace).stored().items()}
    return _policy("Allow", stage_arn, caller["keyId"]) | {
        "context": context,
        "usageIdentifierKey": workspace["usageKey"],
    }


def _caller_with_key(key: str, access: AccessTable) -> tuple[dict[str, str] | None, str]:
    """What the context says of the key's owner, or None and why not."""
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
        log.warning("the use of a key was not noted", extra={"keyId": record["keyId"]})
    caller = {
        "workspaceId": record["workspaceId"],
        "keyId": record["keyId"],
        "userId": record["userId"],
        "scopes": " ".join(record["scopes"]),
    }
    if expires_at:
        caller["expiresAt"] = str(int(datetime.fromisoformat(expires_at).timestamp()))
    return caller, ""


def _caller_with_session(token: str, access: AccessTable) -> tuple[dict[str, str] | None, str]:
    """What the context says of the session's user, or None and why not."""
    try:
        session = sessions.verify(
            token,
            issuer=setting("SESSION_ISSUER"),
            client_id=setting("SESSION_CLIENT_ID"),
            keys=_signing_keys(setting("SESSION_ISSUER")),
        )
    except sessions.InvalidSession as error:
        return None, f"session: {error}"
    member = access.member(session.user_id)
    if member is None:
        return None, "no member"
    return {
        "workspaceId": member["workspaceId"],
        # Also what its requests are counted by: one window for all sessions of a user.
        "keyId": f"session:{session.user_id}",
        "userId": session.user_id,
        "scopes": " ".join(ROLES[member["role"]]),
        "role": member["role"],
        "expiresAt": str(session.expires_at),
    }, ""


@cache
def _signing_keys(issuer: str) -> sessions.SigningKeys:
    return sessions.SigningKeys(issuer)


def _bearer(event: dict[str, Any]) -> str:
    """The credential of the ``Authorization`` header; the word Bearer may be missing."""
    for name, value in (event.get("headers") or {}).items():
        if name.lower() == "authorization":
            given = str(value).strip()
            scheme, _, credential = given.partition(" ")
            return credential.strip() if scheme.lower() == "bearer" else given
    return ""


def _policy(effect: str, resource: str, principal: str) -> dict[str, Any]:
    return {
        "principalId": principal,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}],
        },
    }
