"""Answers calls of DynamoDB and of the deployed API without MiniStack's router.

MiniStack compares each request with the paths and hosts of all its services first: half of the time
of a `GetItem`. Functions also leave out HTTP, for which `local/worker_calls.py` is the other end.
"""

from __future__ import annotations

import asyncio
import logging
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs

from ministack import app as application
from ministack.core import responses, router
from ministack.services import dynamodb

from local import emulator_encoding

_TARGET = b"DynamoDB_20120810."
_API_HOST = b".execute-api."
_LENGTH_BYTES = 4

logger = logging.getLogger(__name__)


class Calls(asyncio.Protocol):
    """One connection of a function's process.

    A message is its length in four bytes and that many bytes. A request has the operation's target,
    a line feed and the body; a response has status and headers as JSON, a line feed and the body.
    All calls are for MiniStack's own account and region, the only ones of a local stack.
    """

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._received = bytearray()

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(self._received[:_LENGTH_BYTES], "big")
            if len(self._received) < end:
                return
            message = bytes(self._received[_LENGTH_BYTES:end])
            del self._received[:end]
            self._answer(message)

    def _answer(self, message: bytes) -> None:
        target, _, body = message.partition(b"\n")
        try:
            status, headers, content = _respond({"x-amz-target": target.decode()}, body)
        except Exception:
            logger.exception("A call of DynamoDB failed")
            status, headers, content = 500, {}, b"{}"
        head = emulator_encoding.encode([status, headers])
        length = len(head) + 1 + len(content)
        self._transport.write(
            b"".join([length.to_bytes(_LENGTH_BYTES, "big"), head, b"\n", content])
        )


async def directly(scope: Any, receive: Any, send: Any) -> None:
    """MiniStack as an ASGI application; it gets what neither is for DynamoDB nor a deployed API."""
    if scope["type"] == "http":
        for name, value in scope["headers"]:
            if name == b"x-amz-target" and value.startswith(_TARGET):
                await _call_dynamodb(scope, receive, send)
                return
            if name == b"host" and _API_HOST in value:
                await _call_api(scope, receive, send)
                return
    await application.app(scope, receive, send)


async def _call_api(scope: Any, receive: Any, send: Any) -> None:
    """What MiniStack does with a request to a deployed API, once it has found that it is one."""
    headers: dict[str, str] = {}
    for encoded, value in scope["headers"]:
        name, text = encoded.decode("latin-1"), application.decode_header_value(value)
        separator = "; " if name == "cookie" else ", "
        headers[name] = f"{headers[name]}{separator}{text}" if name in headers else text
    query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
    method, path = scope["method"], scope["path"]
    try:
        body = await application._read_request_body(receive, method, headers)
    except application._RequestBodyDisconnected:
        return
    response = await application._handle_execute_api_request(
        headers["host"], path, method, headers, body, query
    )
    status, answered, content = application._with_data_plane_headers(
        response, responses.new_uuid(), wildcard_cors=False
    )
    answered.setdefault("Date", formatdate(usegmt=True))
    await application._send_response(send, status, answered, content)


async def _call_dynamodb(scope: Any, receive: Any, send: Any) -> None:
    headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    responses.set_request_account_id(router.extract_access_key_id(headers, {}))
    responses.set_request_region(router.extract_region(headers, {}))
    status, answered, content = _respond(headers, body)
    answered["Content-Length"] = str(len(content))
    lines = [(name.lower().encode(), value.encode()) for name, value in answered.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": content})


def _respond(headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the response to a call."""
    handling = dynamodb.handle_request("POST", "/", headers, body, {})
    try:
        # It awaits nothing.
        handling.send(None)
    except StopIteration as end:
        status, answered, content = end.value
    answered |= {
        "Content-Type": "application/x-amz-json-1.0",
        "x-amzn-requestid": responses.new_uuid(),
    }
    return status, answered, content
