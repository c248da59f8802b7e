"""The HTTP front of the local stack, and the one place that fills what MiniStack 1.5.33 lacks.

(What has to be filled inside the emulator is in `local/emulator_process.py`.)

It serves no route itself: every request goes to the deployed API, and what it answers on its
own, it answers with the gateway responses of the deployed template. It adds:

- a custom domain: `/...` here is `/{stage}/...` of the deployed API;
- `ApiKeySourceType: AUTHORIZER`, which MiniStack ignores: the usage key that the deployed
  authorizer function names is put into `x-api-key`, cached for the authorizer's own TTL;
- API Gateway's 10 MB and Lambda's 6 MB limits on requests, both 413, Lambda's 6 MB limit on
  answers, and the integration's 29 seconds. Lambda's are measured on the JSON that a function
  gets and returns: the body is base64 in the one and a JSON string in the other;
- the template's 5XX body in place of MiniStack's 502, which shows the function's error message;
- the caller's address, which MiniStack reads from the first entry of `X-Forwarded-For`.

A `%2F` inside a path segment is the one thing known to differ: MiniStack decodes a path before
it matches it, API Gateway afterwards.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import aiohttp
from aiohttp import web
from yarl import URL

from local.emulator import ACCOUNT, HOST, REGION, client

GATEWAY_BODY_LIMIT = 10 * 1024 * 1024
"""Bytes of a request body that API Gateway accepts (REST API quotas)."""
LAMBDA_PAYLOAD_LIMIT = 6 * 1024 * 1024
"""Bytes of a synchronous invocation's event, and of its answer (Lambda quotas)."""
INTEGRATION_SECONDS = 29.0
"""The default integration timeout of a REST API."""

_EVENT_OVERHEAD = 4 * 1024
"""Bytes of an event beside its body and headers: request context, paths, parameters."""
_SURELY_SMALL = 512 * 1024
"""Bytes that stay under Lambda's limit however JSON escapes them: six for one at most."""
_IDLE_SECONDS = 65.0
_BODY_SECONDS = 60.0
# The emulator closes an idle connection after 75 seconds, maybe just as a request is sent, and a
# POST cannot be sent twice. So a connection is reused only well within that time.
_UPSTREAM_IDLE_SECONDS = 30.0
_MAX_CACHED_KEYS = 10_000

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
# The proxy sets these for every request, whatever the caller sends.
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

#: For what is not HTTP: API Gateway's front end answers that, without a response of the template.
_NO_HTTP = "NO_HTTP"

Headers = list[tuple[str, str]]
Interruption = Literal["before", "after"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Response:
    """A complete HTTP answer."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of the header `name`, in any letter case."""
        return next((value for key, value in self.headers if key.lower() == name), None)


def event_size(headers: Headers, body: bytes, target: str) -> int:
    """Bytes of the event of a request, as Lambda counts them.

    Headers and query are in it twice (single and multi-value), the path three times. The body is
    base64, because the API declares every media type binary.
    """
    fields = sum(len(json.dumps(name)) + len(json.dumps(value)) + 2 for name, value in headers)
    base64_body = 4 * ((len(body) + 2) // 3)
    return base64_body + 2 * fields + 3 * len(json.dumps(target)) + _EVENT_OVERHEAD


def answer_size(answer: Response) -> int:
    """Bytes of what a function returned for an answer, as Lambda counts them.

    Text is a JSON string there, in which each quotation mark takes another byte; anything else is
    base64. The Python runtimes from 3.12 on leave characters beyond ASCII as they are.
    """
    headers = [[name, [value]] for name, value in answer.headers]
    try:
        body = json.dumps(answer.body.decode(), ensure_ascii=False).encode()
        size = len(body)
    except UnicodeDecodeError:
        size = 4 * ((len(answer.body) + 2) // 3)
    return size + len(json.dumps({"statusCode": answer.status, "multiValueHeaders": headers}))


class GatewayResponses:
    """Renders the deployed API's own error answers.

    `items` is what API Gateway's GetGatewayResponses lists: `responseType`, `statusCode`,
    `responseParameters`, `responseTemplates`.
    """

    def __init__(self, items: Iterable[Mapping[str, Any]] = ()) -> None:
        self._by_type = {str(item["responseType"]): item for item in items}

    def render(self, response_type: str, *, status: int, request_id: str | None = None) -> Response:
        """The answer for `response_type`; `status` holds where the template names none."""
        request_id = request_id or str(uuid.uuid4())
        family = "DEFAULT_5XX" if status >= 500 else "DEFAULT_4XX"
        default = {} if response_type == _NO_HTTP else self._by_type.get(family, {})
        found = self._by_type.get(response_type) or default
        headers: Headers = [("Content-Type", "application/json"), ("x-amzn-requestid", request_id)]
        for target, source in (found.get("responseParameters") or {}).items():
            value = _static_value(str(source), request_id)
            if target.startswith("gatewayresponse.header.") and value is not None:
                headers.append((target.removeprefix("gatewayresponse.header."), value))
        template = (found.get("responseTemplates") or {}).get("application/json")
        body = template or json.dumps({"message": _phrase(status)})
        body = body.replace("$context.requestId", request_id)
        return Response(int(found.get("statusCode") or status), headers, body.encode())


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else "Error"


def _static_value(source: str, request_id: str) -> str | None:
    """What a response parameter stands for, where that is known without the request."""
    if len(source) >= 2 and source[0] == source[-1] == "'":
        return source[1:-1]
    return request_id if source == "context.requestId" else None


class UsageKeys:
    """The usage key for an `Authorization` value, remembered as long as API Gateway would."""

    def __init__(
        self,
        ask: Callable[[str], str | None],
        *,
        seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ask` calls the authorizer; `seconds` is its result TTL (0: never cached)."""
        self._ask = ask
        self._seconds = seconds
        self._now = now
        self._known: OrderedDict[str, tuple[float, str | None]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, authorization: str) -> str | None:
        """The usage key, or None for a caller that the authorizer refuses."""
        with self._lock:
            expires, key = self._known.get(authorization, (0.0, None))
            if expires > self._now():
                return key
        key = self._ask(authorization)
        if self._seconds > 0:
            with self._lock:
                self._known[authorization] = (self._now() + self._seconds, key)
                self._known.move_to_end(authorization)
                while len(self._known) > _MAX_CACHED_KEYS:
                    self._known.popitem(last=False)
        return key


@dataclass(frozen=True)
class Upstream:
    """The deployed API, and what of its configuration the bridge has to supply."""

    port: int
    """The emulator's, on 127.0.0.1."""
    api_id: str
    stage: str
    responses: GatewayResponses = field(default_factory=GatewayResponses)
    usage_key: Callable[[str], str | None] = lambda _authorization: None
    """Maps an `Authorization` value to the caller's usage key."""
    timeout: float = INTEGRATION_SECONDS
    body_timeout: float = _BODY_SECONDS


def deployed_upstream(
    *, emulator_url: str, api_id: str, stage: str, authorizer_function: str
) -> Upstream:
    """Read from the deployed API what the bridge needs of it."""
    gateway = client(emulator_url, "apigateway")
    functions = client(emulator_url, "lambda")
    authorizers = gateway.get_authorizers(restApiId=api_id)["items"]
    seconds = max((one.get("authorizerResultTtlInSeconds", 0) for one in authorizers), default=0)

    def ask(authorization: str) -> str | None:
        answer = functions.invoke(
            FunctionName=authorizer_function,
            Payload=json.dumps(_authorizer_event(api_id, stage, authorization)),
        )
        result = json.loads(answer["Payload"].read())
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


class Bridge:
    """An HTTP/1.1 server on 127.0.0.1: the port is bound when it is made, served from `start`.

    The two are apart because the stack is deployed with the proxy's address in it.
    """

    def __init__(self, port: int = 0) -> None:
        """Bind `port` (0: any free one); OSError when it is taken."""
        self._socket = socket.create_server((HOST, port), backlog=128)
        self.upstream = Upstream(port=0, api_id="", stage="")
        #: Gets a line for each request, once it is set.
        self.log: Callable[[str], None] | None = None
        #: Gets each request's method and target, and its answer, once it is set.
        self.observe: Callable[[str, str, Response], None] | None = None
        #: Gets each request's method and target, once it is set, and says when to reset its
        #: connection: before or after the function runs. None: not at all.
        self.interrupt: Callable[[str, str], Interruption | None] | None = None
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash."""
        return f"http://{HOST}:{self.port}"

    def start(self, upstream: Upstream) -> None:
        """Serve in a background thread."""
        self.upstream = upstream
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=[self._serve()], daemon=True
        )
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Stop serving and free the port. Safe to call twice."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
            self._thread = None
        if not self._loop.is_closed():
            self._loop.close()
        self._socket.close()

    async def _serve(self) -> None:
        emulator = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_UPSTREAM_IDLE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=self.upstream.timeout),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        proxy = _Proxy(self, emulator)
        server = _Server(proxy.handle)
        runner = web.ServerRunner(server, shutdown_timeout=0.5)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
        self._ready.set()
        await self._stopping.wait()
        await runner.cleanup()
        await emulator.close()


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        loop = asyncio.get_running_loop()
        return _Handler(self, loop=loop, keepalive_timeout=_IDLE_SECONDS)


class _Handler(web.RequestHandler):
    """One connection of a caller."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is not HTTP, without the library's text about what the caller sent."""
        del request, message
        if status >= 500:
            logger.error("The proxy failed", exc_info=exc)
        answer = GatewayResponses().render(_NO_HTTP, status=status)
        response = web.Response(status=status, headers=answer.headers, body=answer.body)
        response.force_close()
        return response


class _RefusedError(Exception):
    """The message will not be read to its end: answer, then close the connection."""

    def __init__(self, response_type: str, status: int) -> None:
        super().__init__(response_type)
        self.response_type = response_type
        self.status = status


class _Proxy:
    """Answers each request with what the deployed API answers."""

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
            answer = self._gateway_answer(error.response_type, error.status)
        else:
            interruption = None
            if self._bridge.interrupt is not None:
                interruption = self._bridge.interrupt(request.method, request.raw_path)
            if interruption == "before":
                return _reset(request)
            answer = await self._answer(request, body)
            if interruption == "after":
                return _reset(request)
            if self._bridge.observe is not None:
                self._bridge.observe(request.method, request.raw_path, answer)
        if self._bridge.log is not None:
            took = (time.monotonic() - began) * 1000
            path = request.raw_path.partition("?")[0]
            self._bridge.log(f"{request.method} {path} {answer.status} {took:.0f} ms")
        response = web.Response(status=answer.status, headers=answer.headers)
        if request.method != "HEAD":
            response.body = answer.body
        if refused:
            response.force_close()
        return response

    async def _body(self, request: web.BaseRequest) -> bytes:
        """The request's body; raises `_RefusedError`."""
        if "Transfer-Encoding" in request.headers and (
            # Both framings at once is how requests are smuggled (RFC 9112 section 6.1).
            "Content-Length" in request.headers
            or request.headers["Transfer-Encoding"].strip().lower() != "chunked"
        ):
            raise _RefusedError(_NO_HTTP, 400)
        if (request.content_length or 0) > GATEWAY_BODY_LIMIT:
            raise _RefusedError("REQUEST_TOO_LARGE", 413)
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = bytearray()
        try:
            async with asyncio.timeout(self._upstream.body_timeout):
                async for piece in request.content.iter_any():
                    body += piece
                    if len(body) > GATEWAY_BODY_LIMIT:
                        raise _RefusedError("REQUEST_TOO_LARGE", 413)
        except TimeoutError:
            raise _RefusedError(_NO_HTTP, 408) from None
        except (aiohttp.ClientPayloadError, web.RequestPayloadError, web.HTTPBadRequest):
            raise _RefusedError(_NO_HTTP, 400) from None
        return bytes(body)

    async def _answer(self, request: web.BaseRequest, body: bytes) -> Response:
        if request.method not in _METHODS:
            # A method that no API has is a route that does not exist.
            return self._gateway_answer("MISSING_AUTHENTICATION_TOKEN", 403)
        headers = await self._forwarded_headers(request)
        if event_size(headers, body, request.raw_path) > LAMBDA_PAYLOAD_LIMIT:
            return self._gateway_answer("REQUEST_TOO_LARGE", 413)
        try:
            answer = await self._call_emulator(request, headers, body)
        except TimeoutError:
            return self._gateway_answer("INTEGRATION_TIMEOUT", 504)
        except ValueError:  # a header that cannot be sent on
            return self._gateway_answer("BAD_REQUEST_PARAMETERS", 400)
        except (OSError, aiohttp.ClientError):
            return self._gateway_answer("INTEGRATION_FAILURE", 502)
        return self._as_api_gateway(answer)

    def _as_api_gateway(self, answer: Response) -> Response:
        """Correct what API Gateway would answer in another way."""
        own = answer.header("x-request-id")
        too_large = answer_size(answer) > LAMBDA_PAYLOAD_LIMIT
        if too_large or (answer.status >= 500 and own is None):
            # No function and no template sends a 5xx without the id: this one is MiniStack's
            # own, and its body shows the function's error message.
            status = answer.status if answer.status >= 500 else 502
            return self._gateway_answer("DEFAULT_5XX", status, answer.header("x-amzn-requestid"))
        if own is None:
            return answer
        # API Gateway's x-amzn-requestid is the id in the function's event; MiniStack's is not.
        kept = [
            (name, value) for name, value in answer.headers if name.lower() != "x-amzn-requestid"
        ]
        return Response(answer.status, [*kept, ("x-amzn-requestid", own)], answer.body)

    def _gateway_answer(
        self, response_type: str, status: int, request_id: str | None = None
    ) -> Response:
        return self._upstream.responses.render(response_type, status=status, request_id=request_id)

    async def _forwarded_headers(self, request: web.BaseRequest) -> Headers:
        """What is sent on. The usage key of the caller's `Authorization` comes with it."""
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
            # No Accept means any (RFC 9110 section 12.5.1); MiniStack decodes a base64 answer
            # only for one that it sees.
            headers.append(("Accept", "*/*"))
        authorization = request.headers.get("Authorization")
        if authorization and (
            # It may ask the authorizer, which blocks.
            key := await asyncio.to_thread(self._upstream.usage_key, authorization)
        ):
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
        async with self._emulator.request(
            request.method,
            URL(f"http://{HOST}:{self._upstream.port}{target}", encoded=True),
            headers=headers,
            data=body or None,
            allow_redirects=False,
        ) as response:
            data = await response.read()
        # The length of an answer to HEAD is that of the body that it does not have.
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
