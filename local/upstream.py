"""The deployed API behind the gateway proxy."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from local.emulator import ACCOUNT, HOST, REGION, client
from local.gateway_responses import GatewayResponses

INTEGRATION_SECONDS = 29.0
"""The default integration timeout of a REST API."""

_BODY_SECONDS = 60.0
_MAX_CACHED_KEYS = 10_000


class UsageKeys:
    """The usage key for an `Authorization` value, cached as long as in API Gateway."""

    def __init__(
        self,
        ask: Callable[[str], str | None],
        *,
        seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ask` calls the authorizer and blocks; `seconds` is its result TTL (0: never cached)."""
        self._ask = ask
        self._seconds = seconds
        self._now = now
        self._known: OrderedDict[str, tuple[float, str | None]] = OrderedDict()

    async def __call__(self, authorization: str) -> str | None:
        """The usage key, or None for a caller that the authorizer refuses."""
        expires, key = self._known.get(authorization, (0.0, None))
        if expires > self._now():
            return key
        key = await asyncio.to_thread(self._ask, authorization)
        if self._seconds > 0:
            self._known[authorization] = (self._now() + self._seconds, key)
            self._known.move_to_end(authorization)
            while len(self._known) > _MAX_CACHED_KEYS:
                self._known.popitem(last=False)
        return key


async def _no_key(_authorization: str) -> str | None:
    return None


@dataclass(frozen=True)
class Upstream:
    """The deployed API, and the parts of its configuration that the bridge supplies."""

    port: int
    """The emulator's, on 127.0.0.1."""
    api_id: str
    stage: str
    responses: GatewayResponses = field(default_factory=GatewayResponses)
    usage_key: Callable[[str], Awaitable[str | None]] = _no_key
    """Maps an `Authorization` value to the caller's usage key."""
    timeout: float = INTEGRATION_SECONDS
    body_timeout: float = _BODY_SECONDS


def deployed_upstream(
    *, emulator_url: str, api_id: str, stage: str, authorizer_function: str
) -> Upstream:
    """Read the configuration of the deployed API that the bridge needs."""
    gateway = client(emulator_url, "apigateway")
    functions = client(emulator_url, "lambda")
    authorizers = gateway.get_authorizers(restApiId=api_id)["items"]
    seconds = max((one.get("authorizerResultTtlInSeconds", 0) for one in authorizers), default=0)

    def ask(authorization: str) -> str | None:
        response = functions.invoke(
            FunctionName=authorizer_function,
            Payload=json.dumps(_authorizer_event(api_id, stage, authorization)),
        )
        result = json.loads(response["Payload"].read())
        key = result.get("usageIdentifierKey") if isinstance(result, dict) else None
        return str(key) if key else None

    return Upstream(
        port=urlsplit(emulator_url).port or 80,
        api_id=api_id,
        stage=stage,
        responses=GatewayResponses(gateway.get_gateway_responses(restApiId=api_id)["items"]),
        usage_key=UsageKeys(ask, seconds=seconds),
    )


def _authorizer_event(api_id: str, stage: str, authorization: str) -> dict[str, Any]:
    """The event of a REQUEST authorizer, as far as the identity source needs it."""
    return {
        "type": "REQUEST",
        "methodArn": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api_id}/{stage}/GET/",
        "resource": "/",
        "path": "/",
        "httpMethod": "GET",
        "headers": {"Authorization": authorization},
        "multiValueHeaders": {"Authorization": [authorization]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": api_id,
            "stage": stage,
            "httpMethod": "GET",
            "path": "/",
            "resourcePath": "/",
            "resourceId": "",
            "requestId": str(uuid.uuid4()),
            "identity": {"sourceIp": HOST, "userAgent": ""},
        },
    }
