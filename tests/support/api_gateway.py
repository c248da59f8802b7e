"""Events as API Gateway sends them to a function, and calls of handlers with them."""

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
        return json.loads(self.body) if self.body else None


def api_event(
    route: str,
    *,
    workspace_id: str | None = None,
    at: str | None = None,
    path: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    key: str | None = None,
    body: Any = None,
    scopes: str = " ".join(SCOPES),
    plan: str = "enterprise",
    caller: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A request that passed the authorizer; the route is written as in the template.

    ``at`` is the path parameter ``id``, ``key`` the ``Idempotency-Key``. The body is sent as JSON,
    or as it is when it is bytes; in base64, because all media types are binary. ``caller`` is added
    to the authorizer's context; a route without an authorizer has no ``workspace_id``.
    """
    method, resource = route.split(" ")
    if at is not None:
        path = {"id": at}
    if key is not None:
        headers = {"Idempotency-Key": key} | (headers or {})
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
            "userId": "tester",
            "scopes": scopes,
            "plan": plan,
        } | (caller or {})
    return event


def send(handler: Handler, route: str, *, seconds: float = 28.0, **more: Any) -> Reply:
    """Call a handler as the gateway does, with the parameters of :func:`api_event`."""
    return reply_to(handler, api_event(route, **more), seconds=seconds)


def reply_to(handler: Handler, event: dict[str, Any], *, seconds: float = 28.0) -> Reply:
    """Call a handler with an event that was made before."""
    response = handler(event, Context(seconds))
    flat = dict(response.get("headers") or {})
    flat |= {name: values[-1] for name, values in response.get("multiValueHeaders", {}).items()}
    encoded = bool(response.get("isBase64Encoded"))
    text = response.get("body") or ""
    body = base64.b64decode(text) if encoded else text.encode()
    return Reply(response["statusCode"], flat, body, encoded)
