"""One HTTP request to the emulator: read, answered differently, or cut off."""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import dataclass
from typing import Any

JSON = b"application/x-amz-json-1.0"

#: The SDK's checksums of a body, in headers.
_CHECKSUMS = (b"content-md5", b"x-amz-checksum-crc32", b"x-amz-content-sha256")


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response of the emulator."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as an object."""
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded

    def with_json(self, body: dict[str, Any]) -> Response:
        """The same response with another body."""
        return self.with_body(json.dumps(body).encode())

    def with_body(self, body: bytes) -> Response:
        """The same response with another body, without the old one's length and checksum."""
        dropped = {b"content-length", b"x-amz-crc32"}
        kept = [each for each in self.headers if each[0].lower() not in dropped]
        return Response(self.status, kept, body)


EMPTY = Response(200, [(b"content-type", JSON)], b"{}")


def error(code: str, message: str, status: int = 400, **more: Any) -> Response:
    """An error as the JSON protocols of DynamoDB and SQS send it."""
    body = json.dumps({"__type": code, "message": message, **more}).encode()
    headers = [(b"content-type", JSON), (b"x-amzn-errortype", code.encode())]
    return Response(status, headers, body)


class Exchange:
    """A request whose body has been read: it can be executed, answered and reset."""

    def __init__(self, application: Any, scope: Any, body: bytes, receive: Any, send: Any) -> None:
        """`send` is the server's own: the connection is known through it."""
        self._application = application
        self._scope = scope
        self._receive = receive
        self._send = send
        self.body = body

    @classmethod
    async def read(cls, application: Any, scope: Any, receive: Any, send: Any) -> Exchange:
        """Read the whole body."""
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                return cls(application, scope, bytes(body), receive, send)

    def json(self) -> dict[str, Any]:
        """The body as an object."""
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded

    async def carry_out(self, body: dict[str, Any] | bytes | None = None) -> Response:
        """Let the emulator answer the request, or the same one with another body."""
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        data = self.body if body is None else body
        dropped = {b"content-length"} if body is None else {b"content-length", *_CHECKSUMS}
        headers = [each for each in self._scope["headers"] if each[0] not in dropped]
        scope = {
            **self._scope,
            "headers": [*headers, (b"content-length", str(len(data)).encode())],
        }
        started: dict[str, Any] = {}
        parts: list[bytes] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": data, "more_body": False}

        async def keep(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            elif message["type"] == "http.response.body":
                parts.append(message.get("body", b""))

        await self._application(scope, receive, keep)
        return Response(started["status"], list(started["headers"]), b"".join(parts))

    async def respond(self, response: Response) -> None:
        """Send the response; do nothing if the caller has disconnected."""
        headers = [each for each in response.headers if each[0].lower() != b"content-length"]
        headers.append((b"content-length", str(len(response.body)).encode()))
        await self._send(
            {"type": "http.response.start", "status": response.status, "headers": headers}
        )
        await self._send({"type": "http.response.body", "body": response.body})

    async def reset(self) -> None:
        """Reset the connection instead of answering."""
        transport = self._send.__self__.transport
        # Without waiting for unsent data, a close is a reset.
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        transport.abort()
        # The server takes a request that ends before its connection for an error.
        await self._receive()
