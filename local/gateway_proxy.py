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

import contextlib
import http.client
import json
import logging
import re
import socket
import sys
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, urlsplit

from local.emulator import ACCOUNT, HOST, REGION, client

GATEWAY_BODY_LIMIT = 10 * 1024 * 1024
"""Bytes of a request body that API Gateway accepts (REST API quotas)."""
LAMBDA_PAYLOAD_LIMIT = 6 * 1024 * 1024
"""Bytes of a synchronous invocation's event, and of its answer (Lambda quotas)."""
INTEGRATION_SECONDS = 29.0
"""The default integration timeout of a REST API."""

_EVENT_OVERHEAD = 4 * 1024
"""Bytes of an event beside its body and headers: request context, paths, parameters."""
_IDLE_SECONDS = 65.0
_BODY_SECONDS = 60.0
_LINGER_SECONDS = 5.0
_LINGER_BYTES = 64 * 1024 * 1024
_UPSTREAM_IDLE_SECONDS = 30.0
_MAX_CONNECTIONS = 256
_MAX_CACHED_KEYS = 10_000
_MAX_LINE = 8 * 1024
_MAX_TRAILERS = 100
_READ = 64 * 1024
_FOLD = re.compile(r"\r?\n[ \t]+")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")

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
# Set by this end for every request, whatever the caller claims.
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

#: What is no HTTP: API Gateway's front end answers that, and no response of the template's.
_NO_HTTP = "NO_HTTP"

Headers = list[tuple[str, str]]

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
        body = template or json.dumps({"message": http.client.responses.get(status, "Error")})
        body = body.replace("$context.requestId", request_id)
        return Response(int(found.get("statusCode") or status), headers, body.encode())


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
    """The engine's, on 127.0.0.1."""
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


class Bridge(ThreadingHTTPServer):
    """An HTTP/1.1 server on 127.0.0.1: the port is bound when it is made, served from `start`.

    The two are apart because the stack is deployed with the bridge's address in it.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int = 0) -> None:
        """Bind `port` (0: any free one); OSError when it is taken."""
        super().__init__((HOST, port), _Handler)
        self.upstream = Upstream(port=0, api_id="", stage="")
        #: Gets a line for each request, once it is set.
        self.log: Callable[[str], None] | None = None
        #: Gets each request's method and target, and its answer, once it is set.
        self.observe: Callable[[str, str, Response], None] | None = None
        self._slots = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash."""
        return f"http://{HOST}:{self.port}"

    def start(self, upstream: Upstream) -> None:
        """Serve in a background thread."""
        self.upstream = upstream
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and free the port. Safe to call twice."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
            self._thread = None
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread, if one of the bounded number becomes free soon."""
        if not self._slots.acquire(timeout=_LINGER_SECONDS):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection; runs in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what went wrong; a caller that hangs up or falls silent is no error."""
        del request
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            logger.error("The bridge failed for %s", client_address, exc_info=error)


class _RefusedError(Exception):
    """The message will not be read to its end: answer, then close the connection."""

    def __init__(self, response_type: str, status: int) -> None:
        super().__init__(response_type)
        self.response_type = response_type
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    """One connection of a caller, with at most one kept to the engine."""

    server: Bridge
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = _READ

    _engine: http.client.HTTPConnection | None = None
    _engine_used = 0.0

    def finish(self) -> None:
        self._drop_engine()
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """The base class would write every request to standard error."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what the base class cannot parse."""
        del message, explain
        if code == 501:  # a method that no API has: to API Gateway, a route that does not exist
            answer = self._gateway_answer("MISSING_AUTHENTICATION_TOKEN", 403)
        else:
            answer = self._gateway_answer(_NO_HTTP, code)
        self._send(answer, close=True)

    def handle_expect_100(self) -> bool:
        """Ask for the body, unless it is known to be too large."""
        length = self.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) > GATEWAY_BODY_LIMIT:
            self._send(self._gateway_answer("REQUEST_TOO_LARGE", 413), close=True)
            return False
        self.send_response_only(100)
        self.end_headers()
        self.wfile.flush()
        return True

    def _serve(self) -> None:
        began = time.monotonic()
        try:
            body = self._read_body()
        except _RefusedError as refused:
            answer = self._gateway_answer(refused.response_type, refused.status)
            self._send(answer, close=True)
            self._linger()
        else:
            answer = self._answer(body)
            if self.server.observe is not None:
                self.server.observe(self.command, self.path, answer)
            self._send(answer)
        if self.server.log is not None:
            took = (time.monotonic() - began) * 1000
            path = self.path.partition("?")[0]
            self.server.log(f"{self.command} {path} {answer.status} {took:.0f} ms")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _serve  # noqa: N815

    # -- the caller's side ---------------------------------------------------------------

    def _read_body(self) -> bytes:
        """The request's body, framed as RFC 9112 section 6.3 says."""
        encoding = self.headers.get("Transfer-Encoding")
        lengths = {value.strip() for value in self.headers.get_all("Content-Length", [])}
        deadline = time.monotonic() + self.server.upstream.body_timeout
        try:
            if encoding is not None:
                # Both framings at once is how requests are smuggled (section 6.1).
                if lengths or encoding.strip().lower() != "chunked":
                    raise _RefusedError(_NO_HTTP, 400)
                return self._read_chunks(deadline)
            if not lengths:
                return b""
            length = lengths.pop()
            if lengths or not (length.isascii() and length.isdecimal()):
                raise _RefusedError(_NO_HTTP, 400)
            if int(length) > GATEWAY_BODY_LIMIT:
                raise _RefusedError("REQUEST_TOO_LARGE", 413)
            return self._read_exactly(int(length), deadline)
        except TimeoutError:
            raise _RefusedError(_NO_HTTP, 408) from None
        finally:
            self.connection.settimeout(self.timeout)

    def _read_chunks(self, deadline: float) -> bytes:
        body = bytearray()
        while True:
            size_text = self._read_line(deadline).partition(b";")[0].strip()
            if not _CHUNK_SIZE.fullmatch(size_text):
                raise _RefusedError(_NO_HTTP, 400)
            size = int(size_text, 16)
            if size == 0:
                break
            if len(body) + size > GATEWAY_BODY_LIMIT:
                raise _RefusedError("REQUEST_TOO_LARGE", 413)
            body += self._read_exactly(size, deadline)
            if self._read_line(deadline):
                raise _RefusedError(_NO_HTTP, 400)
        for _ in range(_MAX_TRAILERS):
            if not self._read_line(deadline):
                return bytes(body)
        raise _RefusedError(_NO_HTTP, 400)

    def _read_exactly(self, size: int, deadline: float) -> bytes:
        body = bytearray()
        while len(body) < size:
            body += self._read_some(min(size - len(body), _READ), deadline)
        return bytes(body)

    def _read_line(self, deadline: float) -> bytes:
        line = bytearray()
        while not line.endswith(b"\n"):
            if len(line) > _MAX_LINE:
                raise _RefusedError(_NO_HTTP, 400)
            line += self._read_some(1, deadline)
        return bytes(line).rstrip(b"\r\n")

    def _read_some(self, size: int, deadline: float) -> bytes:
        """Up to `size` bytes from one read, so that the deadline holds for a trickle too."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.connection.settimeout(left)
        data: bytes = self.rfile.read1(size)
        if not data:
            raise ConnectionResetError("The caller hung up within a body")
        return data

    def _linger(self) -> None:
        """Read on for a moment: closing on unread data would reset the answer away."""
        deadline = time.monotonic() + _LINGER_SECONDS
        left = _LINGER_BYTES
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while left > 0:
                left -= len(self._read_some(_READ, deadline))

    def _send(self, answer: Response, *, close: bool = False) -> None:
        bodiless = answer.status in {204, 304}
        # The base class keeps a connection that cannot be kept only if it is told.
        self.close_connection = self.close_connection or close
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if not bodiless and answer.header("content-length") is None:
            self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and not bodiless:
            self.wfile.write(answer.body)
        self.wfile.flush()

    # -- the engine's side ---------------------------------------------------------------

    def _answer(self, body: bytes) -> Response:
        headers = self._forwarded_headers()
        if event_size(headers, body, self.path) > LAMBDA_PAYLOAD_LIMIT:
            return self._gateway_answer("REQUEST_TOO_LARGE", 413)
        try:
            answer = self._call_engine(headers, body)
        except TimeoutError:
            self._drop_engine()
            return self._gateway_answer("INTEGRATION_TIMEOUT", 504)
        except ValueError:  # a header that cannot be sent on
            self._drop_engine()
            return self._gateway_answer("BAD_REQUEST_PARAMETERS", 400)
        except (OSError, http.client.HTTPException):
            self._drop_engine()
            return self._gateway_answer("INTEGRATION_FAILURE", 502)
        return self._as_api_gateway(answer)

    def _as_api_gateway(self, answer: Response) -> Response:
        """Mend what API Gateway would have answered otherwise."""
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
        return self.server.upstream.responses.render(
            response_type, status=status, request_id=request_id
        )

    def _forwarded_headers(self) -> Headers:
        """What is sent on. The usage key of the caller's `Authorization` comes with it."""
        named = self.headers.get("Connection", "").lower().split(",")
        dropped = _HOP_BY_HOP | _OWNED | {name.strip() for name in named}
        # A folded value is joined by a space (RFC 9112 section 5.2).
        headers = [
            (name, _FOLD.sub(" ", value))
            for name, value in self.headers.items()
            if name.lower() not in dropped
        ]
        upstream = self.server.upstream
        headers += [
            ("Host", f"{upstream.api_id}.execute-api.localhost:{upstream.port}"),
            ("X-Forwarded-For", str(self.client_address[0])),
            ("X-Forwarded-Port", str(self.server.port)),
            ("X-Forwarded-Proto", "http"),
        ]
        if "Accept" not in self.headers:
            # No Accept means any (RFC 9110 section 12.5.1); MiniStack decodes a base64 answer
            # only for one that it sees.
            headers.append(("Accept", "*/*"))
        authorization = self.headers.get("Authorization")
        key = upstream.usage_key(authorization) if authorization else None
        if key:
            headers.append(("x-api-key", key))
        return headers

    def _call_engine(self, headers: Headers, body: bytes) -> Response:
        engine = self._connected_engine()
        path = self.path if self.path.startswith("/") else _origin_form(self.path)
        # Raw bytes above ASCII arrive as latin-1 here; on the wire they have to be escaped.
        target = quote(f"/{self.server.upstream.stage}{path}".encode("latin-1"), safe=_PRINTABLE)
        engine.putrequest(self.command, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            engine.putheader(name, value)
        if body or self.command in {"POST", "PUT", "PATCH", "DELETE"}:
            engine.putheader("Content-Length", str(len(body)))
        engine.endheaders(body or None)
        response = engine.getresponse()
        data = response.read()
        self._engine_used = time.monotonic()
        if response.will_close:
            self._drop_engine()
        # A HEAD's length is that of the body it did not send.
        dropped = (
            _HOP_BY_HOP | {"server"} | (set() if self.command == "HEAD" else {"content-length"})
        )
        kept = [
            (name, value) for name, value in response.getheaders() if name.lower() not in dropped
        ]
        return Response(response.status, kept, data)

    def _connected_engine(self) -> http.client.HTTPConnection:
        # An idle connection may be closed by the other end just as a request is sent, and a
        # POST cannot be sent twice: so it is used only well within the engine's 75 seconds.
        if time.monotonic() - self._engine_used > _UPSTREAM_IDLE_SECONDS:
            self._drop_engine()
        if self._engine is None:
            upstream = self.server.upstream
            self._engine = http.client.HTTPConnection(HOST, upstream.port, timeout=upstream.timeout)
            self._engine.connect()
            self._engine.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._engine

    def _drop_engine(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None


_PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F))


def _origin_form(target: str) -> str:
    """`/path?query` of an absolute-form target, or `/` for anything else (`*`)."""
    parts = urlsplit(target)
    if not parts.netloc:
        return "/"
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
