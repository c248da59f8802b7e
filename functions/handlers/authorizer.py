"""The gateway's REQUEST authorizer: who is calling, and what may they do.

It returns a policy. A refusal is a Deny: API Gateway caches that, while an exception would count as
an error of the function. Raise only on infrastructure errors: API Gateway answers 500 and does not
cache it. A Deny would be cached for 60 s.

The policy covers the whole stage: API Gateway caches it per ``Authorization`` header, and one
made for a single method would deny the caller's next route.
"""

from __future__ import annotations

from typing import Any

from functions import container
from functions.domain.clock import deadline
from functions.services.authorize import authorize

#: Seconds for retries, before the last call starts; the function's timeout is 5.
TIMEOUT = 3.0


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Allow with the caller's context and usage key, or Deny."""
    stage_arn = "/".join(event["methodArn"].split("/")[:2]) + "/*"
    with deadline(TIMEOUT):
        access = container.low_latency_access()
        allowed = authorize(_bearer(event), access, container.session_pool)
    if allowed is None:
        return _policy("Deny", stage_arn, "unknown")
    context, usage_key = allowed
    return _policy("Allow", stage_arn, context["keyId"]) | {
        "context": context,
        "usageIdentifierKey": usage_key,
    }


def _bearer(event: dict[str, Any]) -> str:
    """The credential of the ``Authorization`` header; the word Bearer is optional."""
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


container.warm_up(container.low_latency_access)
