"""Events as API Gateway sends them to a function, for tests that call a handler directly."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from functions.domain.plans import SCOPES

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]

STAGE = "prod"
REQUEST_ID = "7d7e4b0a-0000-4000-8000-000000000000"


@dataclass
class Context:
    """The part of a Lambda context that the functions use."""

    seconds: float = 28.0
    function_name: str = "test"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:test"
    aws_request_id: str = REQUEST_ID

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


@dataclass(frozen=True)
class Reply:
    """The handler's response; ``body`` is decoded from base64 if needed."""

    status: int
    headers: dict[str, str]
    body: bytes
    was_base64: bool

    def json(self) -> Any:
        return json.loads(self.body)


def send(
    handler: Handler,
    method: str,
    resource: str,
    *,
    path: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    body: Any = None,
    workspace_id: str | None = "ws-test",
    scopes: tuple[str, ...] = SCOPES,
    plan: str = "enterprise",
) -> Reply:
    """Call a handler as the gateway does, bodies in base64 because all media types are binary.

    ``workspace_id=None`` is a route without an authorizer.
    """
    filled = resource
    for name, value in (path or {}).items():
        filled = filled.replace(f"{{{name}}}", value)
    raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    event: dict[str, Any] = {
        "resource": resource,
        "path": filled,
        "httpMethod": method,
        "headers": headers or {},
        "multiValueHeaders": {name: [value] for name, value in (headers or {}).items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {k: [v] for k, v in query.items()} if query else None,
        "pathParameters": path,
        "stageVariables": None,
        "requestContext": {
            "requestId": REQUEST_ID,
            "stage": STAGE,
            "httpMethod": method,
            "resourcePath": resource,
            "path": f"/{STAGE}{filled}",
            "domainName": "api.test",
            "identity": {"sourceIp": "192.0.2.1", "userAgent": "test"},
        },
        "body": None if raw is None else base64.b64encode(raw).decode(),
        "isBase64Encoded": raw is not None,
    }
    if workspace_id is not None:
        event["requestContext"]["authorizer"] = {
            "workspaceId": workspace_id,
            "keyId": f"key-{workspace_id}",
            "userId": "user-test",
            "scopes": " ".join(scopes),
            "plan": plan,
        }
    response = handler(event, Context())
    flat = dict(response.get("headers") or {})
    flat |= {name: values[-1] for name, values in response.get("multiValueHeaders", {}).items()}
    encoded = bool(response.get("isBase64Encoded"))
    text = response.get("body") or ""
    return Reply(
        response["statusCode"],
        flat,
        base64.b64decode(text) if encoded else text.encode(),
        encoded,
    )
