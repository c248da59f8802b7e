"""Sends a caller's request to the deployed API, and the response back to the caller."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import aiohttp
from aiohttp import web
from yarl import URL

from local.emulator import HOST
from local.gateway_responses import NO_HTTP, Headers, Response
from local.payload_sizes import GATEWAY_BODY_LIMIT, event_fits, response_fits

if TYPE_CHECKING:
    from local.gateway_proxy import Bridge

# RFC 9110 section 7.6.1: meant for one connection, not to be forwarded.
_HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
# The proxy sets these for every request and ignores those of the caller.
_OWNED = frozenset(
    (
        "content-length",
        "expect",
        "host",
        "x-api-key",
        "x-forwarded-for",
        "x-forwarded-port",
        "x-forwarded-proto",
    )
)
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"))
_WITH_BODY = frozenset(("POST", "PUT", "PATCH", "DELETE"))
_PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F))


class _RefusedError(Exception):
    """The message is not read to its end: send a response, then close the connection."""

    def __init__(self, response_type: str, status: int) -> None:
        super().__init__(response_type)
        self.response_type = response_type
        self.status = status


class Forwarder:
    """Handles each request with the response of the deployed API."""

    def __init__(self, bridge: Bridge, emulator: aiohttp.ClientSession) -> None:
        self._bridge = bridge
        self._upstream = bridge.upstream
        self._emulator = emulator

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        began = time.monotonic()
        refused = False
        try:
            body = await self._body(request)
        except _RefusedError as error:
            refused = True
            response = self._gateway_response(error.response_type, error.status)
        else:
            interruption = None
            if self._bridge.interrupt is not None:
                interruption = self._bridge.interrupt(request.method, request.raw_path)
            if interruption == "before":
                return _reset(request)
            response = await self._response_of(request, body)
            if interruption == "after":
                return _reset(request)
            if self._bridge.observe is not None:
                self._bridge.observe(request.method, request.raw_path, response)
        if self._bridge.log is not None:
            took = (time.monotonic() - began) * 1000
            path = request.raw_path.partition("?")[0]
            self._bridge.log(f"{request.method} {path} {response.status} {took:.0f} ms")
        reply = web.Response(status=response.status, headers=response.headers)
        if request.method != "HEAD":
            reply.body = response.body
        if refused:
            reply.force_close()
        return reply

    async def _body(self, request: web.BaseRequest) -> bytes:
        """The request's body; raises `_RefusedError`."""
        if "Transfer-Encoding" in request.headers and (
            # Both framings at once is how requests are smuggled (RFC 9112 section 6.1).
            "Content-Length" in request.headers
            or request.headers["Transfer-Encoding"].strip().lower() != "chunked"
        ):
            raise _RefusedError(NO_HTTP, 400)
        if (request.content_length or 0) > GATEWAY_BODY_LIMIT:
            raise _RefusedError("REQUEST_TOO_LARGE", 413)
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not request.body_exists:
            return b""
        body = bytearray()
        try:
            async with asyncio.timeout(self._upstream.body_timeout):
                async for piece in request.content.iter_any():
                    body += piece
                    if len(body) > GATEWAY_BODY_LIMIT:
                        raise _RefusedError("REQUEST_TOO_LARGE", 413)
        except TimeoutError:
            raise _RefusedError(NO_HTTP, 408) from None
        except (aiohttp.ClientPayloadError, web.RequestPayloadError, web.HTTPBadRequest):
            raise _RefusedError(NO_HTTP, 400) from None
        return bytes(body)

    async def _response_of(self, request: web.BaseRequest, body: bytes) -> Response:
        if request.method not in _METHODS:
            # A method that no API has is a route that does not exist.
            return self._gateway_response("MISSING_AUTHENTICATION_TOKEN", 403)
        headers = await self._forwarded_headers(request)
        if not event_fits(headers, body, request.raw_path):
            return self._gateway_response("REQUEST_TOO_LARGE", 413)
        try:
            response = await self._call_emulator(request, headers, body)
        except TimeoutError:
            return self._gateway_response("INTEGRATION_TIMEOUT", 504)
        except ValueError:  # a header that cannot be sent on
            return self._gateway_response("BAD_REQUEST_PARAMETERS", 400)
        except (OSError, aiohttp.ClientError):
            return self._gateway_response("INTEGRATION_FAILURE", 502)
        return self._as_api_gateway(response)

    def _as_api_gateway(self, response: Response) -> Response:
        """Correct responses that API Gateway would send differently."""
        own = response.header("x-request-id")
        if not response_fits(response) or (response.status >= 500 and own is None):
            # No function and no template sends a 5xx without the id: this one is MiniStack's
            # own, and its body shows the function's error message.
            status = response.status if response.status >= 500 else 502
            return self._gateway_response(
                "DEFAULT_5XX", status, response.header("x-amzn-requestid")
            )
        if own is None:
            return response
        # API Gateway's x-amzn-requestid is the id in the function's event; MiniStack's is not.
        kept = [
            (name, value) for name, value in response.headers if name.lower() != "x-amzn-requestid"
        ]
        return Response(response.status, [*kept, ("x-amzn-requestid", own)], response.body)

    def _gateway_response(
        self, response_type: str, status: int, request_id: str | None = None
    ) -> Response:
        return self._upstream.responses.render(response_type, status=status, request_id=request_id)

    async def _forwarded_headers(self, request: web.BaseRequest) -> Headers:
        """The headers to forward, with the usage key of the caller's `Authorization`."""
        named = request.headers.get("Connection", "").lower().split(",")
        dropped = _HOP_BY_HOP | _OWNED | {name.strip() for name in named}
        headers = [
            (name, value) for name, value in request.headers.items() if name.lower() not in dropped
        ]
        headers += [
            ("Host", f"{self._upstream.api_id}.execute-api.localhost:{self._upstream.port}"),
            ("X-Forwarded-For", str(request.remote)),
            ("X-Forwarded-Port", str(self._bridge.port)),
            ("X-Forwarded-Proto", "http"),
        ]
        if "Accept" not in request.headers:
            # No Accept means any (RFC 9110 section 12.5.1); MiniStack decodes a base64 response
            # only for one that it sees.
            headers.append(("Accept", "*/*"))
        authorization = request.headers.get("Authorization")
        if authorization and (key := await self._upstream.usage_key(authorization)):
            headers.append(("x-api-key", key))
        return headers

    async def _call_emulator(
        self, request: web.BaseRequest, headers: Headers, body: bytes
    ) -> Response:
        path = (
            request.raw_path if request.raw_path.startswith("/") else _origin_form(request.raw_path)
        )
        # Raw bytes above ASCII have to be escaped on the wire.
        target = quote(f"/{self._upstream.stage}{path}", safe=_PRINTABLE, errors="surrogateescape")
        if body or request.method in _WITH_BODY:
            headers = [*headers, ("Content-Length", str(len(body)))]
        if body and "Content-Type" not in request.headers:
            # API Gateway assumes it. MiniStack takes a body without a type for text, and replaces
            # what is not UTF-8.
            headers = [*headers, ("Content-Type", "application/json")]
        async with self._emulator.request(
            request.method,
            URL(f"http://{HOST}:{self._upstream.port}{target}", encoded=True),
            headers=headers,
            data=body or None,
            allow_redirects=False,
        ) as response:
            data = await response.read()
        # The length of a response to HEAD is that of the body that it does not have.
        dropped = _HOP_BY_HOP | {"server"}
        if request.method != "HEAD":
            dropped |= {"content-length"}
        kept = [
            (name, value) for name, value in response.headers.items() if name.lower() not in dropped
        ]
        return Response(response.status, kept, data)


def _reset(request: web.BaseRequest) -> web.Response:
    """Reset the caller's connection; what is returned is not sent."""
    if request.transport is not None:
        # Without waiting for unsent data, a close is a reset.
        request.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        request.transport.abort()
    return web.Response()


def _origin_form(target: str) -> str:
    """`/path?query` of an absolute-form target, or `/` for anything else (`*`)."""
    parts = urlsplit(target)
    if not parts.netloc:
        return "/"
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
