"""A service in memory, as httpx2's mock transport has it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from unlink_client import AsyncUnlink, Retries, Unlink
from unlink_client.retries import Wait

URL = "https://go.example.com"
KEY = "key-of-a-test"

Handler = Callable[[httpx2.Request], httpx2.Response]

LINK = {
    "id": "0b7c0c6e-3f0e-4d9c-9b0a-5f6a2b8a7f11",
    "workspaceId": "demo",
    "userId": "user-api",
    "shortCode": "welcome",
    "shortUrl": "https://go.example.com/welcome",
    "originalUrl": "https://example.com/welcome",
    "title": "Welcome",
    "description": None,
    "tags": ["try"],
    "iosUrl": None,
    "androidUrl": None,
    "webFallbackUrl": None,
    "utmParameters": {"source": "poster", "medium": None},
    "externalId": None,
    "expiresAt": "2030-12-31T23:59:59.000Z",
    "forwardQuery": True,
    "isActive": True,
    "clickCount": 3,
    "createdAt": "2026-11-22T03:01:38.584Z",
    "updatedAt": "2026-11-22T03:01:38.584Z",
}

DELETION = {
    "id": "01a2013c-632f-71c5-88ad-db7263a66868",
    "mode": "soft",
    "state": "complete",
    "reason": "campaign is over",
    "actor": {"keyId": "demo-api-407f3f7d", "userId": "user-api"},
    "sourceIp": "127.0.0.1",
    "createdAt": "2026-11-22T03:11:04.495Z",
    "completedAt": "2026-11-22T03:11:04.513Z",
    "counts": {
        "requested": 1,
        "deleted": 1,
        "notFound": 0,
        "pending": 0,
        "restored": 0,
        "failed": 0,
    },
    "filter": None,
    "failure": None,
    "receipt": None,
    "export": None,
    "results": [{"id": LINK["id"], "outcome": "deleted"}],
    "nextCursor": None,
}


@dataclass
class FakeService:
    """Answers with ``responses`` in turn, and repeats the last one; keeps every request.

    A response is (status, body), (status, body, headers), or an exception to raise.
    """

    responses: list[Any]
    requests: list[httpx2.Request] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        given = self.responses[min(len(self.requests), len(self.responses)) - 1]
        if isinstance(given, Exception):
            raise given
        status, body, *more = given
        headers: Mapping[str, str] = more[0] if more else {}
        if isinstance(body, bytes):
            return httpx2.Response(status, content=body, headers=headers)
        return httpx2.Response(status, json=body, headers=headers)

    def client(self, retries: Retries | None = None) -> Unlink:
        return Unlink(
            URL,
            KEY,
            retries=retries or Retries(first_pause=0.001, longest_pause=0.001),
            on_wait=self.waits.append,
            http=httpx2.Client(transport=httpx2.MockTransport(self)),
        )

    def async_client(self) -> AsyncUnlink:
        return AsyncUnlink(URL, KEY, http=httpx2.AsyncClient(transport=httpx2.MockTransport(self)))

    def sent(self, number: int = -1) -> Any:
        """The JSON of a request."""
        return json.loads(self.requests[number].content)


def hoko(english: str, **members: Any) -> dict[str, Any]:
    return {"error": {"en": english, "ar": "نص"}} | members


def linkforty(status: int, error: str, message: str, **members: Any) -> dict[str, Any]:
    return {"statusCode": status, "error": error, "message": message} | members
