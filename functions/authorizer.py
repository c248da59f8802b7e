"""The gateway's REQUEST authorizer: who is calling, and what may they do.

It always answers a policy. A refusal is a Deny, because raising counts as an error of the
function and is not cached. The policy covers the whole stage: API Gateway caches it per
``Authorization`` header, and one made for a single method would deny the caller's next route.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from functions.unlink.clock import Deadline, now_iso
from functions.unlink.keys import has_valid_checksum
from functions.unlink.settings import setting
from functions.unlink.stores.access import AccessTable
from functions.unlink.stores.client import client

log = Logger()

#: Seconds to find out; the function's timeout is 5.
PATIENCE = 4.0


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Allow with the caller's context and usage key, or Deny."""
    stage_arn = "/".join(event["methodArn"].split("/")[:2]) + "/*"
    access = AccessTable(client("dynamodb"), setting("ACCESS_TABLE"))
    deadline = Deadline(PATIENCE)
    key = _bearer(event)
    if not has_valid_checksum(key):
        return _policy("Deny", stage_arn, "unknown")
    record = access.find_key(key, deadline=deadline)
    if (
        record is None
        or record.get("revokedAt")
        or (record.get("expiresAt") and record["expiresAt"] <= now_iso())
    ):
        return _policy("Deny", stage_arn, "unknown")
    workspace = access.workspace(record["workspaceId"], deadline=deadline)
    if workspace is None:
        log.error("a key without its workspace", extra={"keyId": record["keyId"]})
        return _policy("Deny", stage_arn, "unknown")
    context = {
        "workspaceId": record["workspaceId"],
        "keyId": record["keyId"],
        "userId": record["userId"],
        "scopes": " ".join(record["scopes"]),
        "plan": workspace["plan"],
    }
    if "retentionDays" in workspace:
        context["retentionDays"] = str(workspace["retentionDays"])
    return _policy("Allow", stage_arn, record["keyId"]) | {
        "context": context,
        "usageIdentifierKey": workspace["usageKey"],
    }


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
