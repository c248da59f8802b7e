"""Events as API Gateway hands them to the functions, for tests of handlers."""

from __future__ import annotations

import base64
import json
from typing import Any

from functions.domain.plans import SCOPES


class Context:
    """The Lambda context of an invocation that has `seconds` left."""

    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "test"

    def __init__(self, seconds: float = 28.0) -> None:
        self._milliseconds = int(seconds * 1000)

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


def api_event(
    method: str,
    resource: str,
    *,
    workspace_id: str,
    path: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    body: Any = None,
    raw: bytes | None = None,
    headers: dict[str, str] | None = None,
    scopes: str = " ".join(SCOPES),
    plan: str = "enterprise",
) -> dict[str, Any]:
    """A request that passed the authorizer; `resource` is written as in the template.

    `body` is sent as JSON; `raw` as it is. Both arrive base64-encoded, as behind `*/*`.
    """
    content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
    filled = resource
    for name, value in (path or {}).items():
        filled = filled.replace(f"{{{name}}}", value)
    return {
        "httpMethod": method,
        "resource": resource,
        "path": filled,
        "pathParameters": path,
        "queryStringParameters": query,
        "headers": headers or {},
        "body": base64.b64encode(content).decode() if content else None,
        "isBase64Encoded": bool(content),
        "requestContext": {
            "requestId": "request-1",
            "path": f"/test{filled}",
            "domainName": "api.test",
            "identity": {"sourceIp": "192.0.2.1"},
            "authorizer": {
                "workspaceId": workspace_id,
                "keyId": f"key-{workspace_id}",
                "userId": "tester",
                "scopes": scopes,
                "plan": plan,
            },
        },
    }


def call(handler: Any, event: dict[str, Any], *, seconds: float = 28.0) -> tuple[int, Any]:
    """The status and the parsed body of the handler's answer."""
    response = handler(event, Context(seconds))
    body = response.get("body")
    return response["statusCode"], json.loads(body) if body else None
