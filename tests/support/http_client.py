"""A plain HTTP client of the running service, which sends exactly what the test says."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Response:
    """Status, headers by lower-case name, raw body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Client:
    """Calls ``base_url`` with ``key`` as the bearer ("" for none); follows no redirect."""

    base_url: str
    key: str

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Response:
        address = urlsplit(self.base_url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        sent = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            connection.request(method, path, body=body, headers=sent | (headers or {}))
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return Response(response.status, named, response.read())
        finally:
            connection.close()

    def get(self, path: str, headers: dict[str, str] | None = None) -> Response:
        return self.send("GET", path, headers=headers)

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Response:
        return self.send("POST", path, json.dumps(body).encode(), headers)

    def put(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Response:
        return self.send("PUT", path, json.dumps(body).encode(), headers)

    def delete(
        self, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Response:
        raw = None if body is None else json.dumps(body).encode()
        return self.send("DELETE", path, raw, headers)

    def create(self, **fields: Any) -> dict[str, Any]:
        """A link of this workspace, as the API answers it."""
        response = self.post("/api/links", {"originalUrl": "https://example.com/first"} | fields)
        assert response.status == 201, response.body
        created: dict[str, Any] = response.json
        return created


def eventually(found: Callable[[], Any], wanted: Any, seconds: float = 60) -> None:
    """Wait until background work has had its effect: `found` returns `wanted`."""
    until = time.monotonic() + seconds
    while (last := found()) != wanted and time.monotonic() < until:
        time.sleep(0.2)
    assert last == wanted
