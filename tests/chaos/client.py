"""Sends requests to the running service and records each in the history."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.chaos.history import FOREVER, History, Kind, Operation

#: Longer than the gateway waits for a function.
RESPONSE_TIMEOUT = 35.0


@dataclass(slots=True)
class Client:
    """One connection of one workspace. Not for several threads."""

    base_url: str
    workspace: str
    history: History
    _connection: http.client.HTTPConnection | None = field(default=None, init=False)

    def send(
        self,
        kind: Kind,
        token: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        api_key: str = "",
        key: str | None = None,
        ids: list[str] | None = None,
        code: str | None = None,
        deletion_id: str | None = None,
    ) -> Operation:
        """Send a request once. A broken connection leaves the operation without a status."""
        operation = self.history.begin(
            Operation(
                token=token,
                workspace=self.workspace,
                kind=kind,
                begin=time.time(),
                method=method,
                path=path,
                body=body,
                ids=list(ids or ()),
                code=code,
                key=key,
                deletion_id=deletion_id,
            )
        )
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        if key:
            headers["Idempotency-Key"] = key
        sent = None if body is None else json.dumps(body)
        try:
            connection = self._connected()
            connection.request(method, path, body=sent, headers=headers)
            response = connection.getresponse()
            raw = response.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return operation
        end = time.time()
        try:
            parsed = json.loads(raw) if raw else None
        except ValueError:
            parsed = None
        operation.response = response.headers.get("Location") if kind == "redirect" else parsed
        operation.deletion_id = response.headers.get("X-Deletion-Id") or deletion_id
        operation.status = response.status
        operation.end = FOREVER if operation.unknown else end
        return operation

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            address = urlsplit(self.base_url)
            self._connection = http.client.HTTPConnection(
                address.hostname or "", address.port, timeout=RESPONSE_TIMEOUT
            )
        return self._connection
