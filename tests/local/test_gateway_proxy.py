"""The proxy against a fake emulator on the loopback: raw bytes in, raw bytes out."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from local.gateway_proxy import Bridge, Interruption
from local.gateway_responses import GatewayResponses
from local.payload_sizes import event_size
from local.upstream import Upstream, UsageKeys
from tests.support.interleaving import at_once

HOST = "127.0.0.1"
MB = 1024 * 1024


@dataclass
class Seen:
    """A request as the emulator received it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


@dataclass
class Reply:
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=lambda: [("X-Request-Id", "r-1")])
    body: bytes = b"{}"
    delay: float = 0.0
    hang_up: bool = False
    together: threading.Barrier | None = None


class FakeEmulator(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HOST, 0), _EmulatorHandler)
        self.seen: list[Seen] = []
        self.reply = Reply()
        self.connections = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a bridge that hung up: tests read what the bridge writes."""


class _EmulatorHandler(BaseHTTPRequestHandler):
    server: FakeEmulator
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append(Seen(self.command, self.path, self.headers.items(), body))
        reply = self.server.reply
        time.sleep(reply.delay)
        if reply.together:
            reply.together.wait()
        if reply.hang_up:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD" and reply.status != 204:
            self.wfile.write(reply.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _serve  # noqa: N815


RESPONSES = GatewayResponses(
    [
        {
            "responseType": "REQUEST_TOO_LARGE",
            "statusCode": "413",
            "responseParameters": {
                "gatewayresponse.header.Access-Control-Allow-Origin": "'*'",
                "gatewayresponse.header.X-Request-Id": "context.requestId",
            },
            "responseTemplates": {"application/json": '{"message":"Request body too large"}'},
        },
        {
            "responseType": "DEFAULT_5XX",
            "responseParameters": {"gatewayresponse.header.X-Request-Id": "context.requestId"},
            "responseTemplates": {"application/json": '{"message":"Internal server error"}'},
        },
        {
            "responseType": "DEFAULT_4XX",
            "statusCode": "404",
            "responseTemplates": {"application/json": '{"message":"Route not found"}'},
        },
        {
            "responseType": "MISSING_AUTHENTICATION_TOKEN",
            "statusCode": "404",
            "responseTemplates": {"application/json": '{"message":"Route not found"}'},
        },
    ]
)


@pytest.fixture
def emulator() -> Iterator[FakeEmulator]:
    server = FakeEmulator()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


Start = Callable[..., Bridge]


@pytest.fixture
def start(emulator: FakeEmulator) -> Iterator[Start]:
    with contextlib.ExitStack() as stack:

        def _start(**settings: Any) -> Bridge:
            bridge = Bridge()
            stack.callback(bridge.stop)
            port = int(emulator.server_address[1])
            bridge.start(
                Upstream(port=port, api_id="abc", stage="local", responses=RESPONSES, **settings)
            )
            return bridge

        yield _start


@pytest.fixture
def bridge(start: Start) -> Bridge:
    return start()


@dataclass
class Got:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def call(
    bridge: Bridge,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Got:
    connection = http.client.HTTPConnection(HOST, bridge.port, timeout=15)
    with contextlib.closing(connection):
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return Got(response.status, response.msg, response.read())


def exchange(bridge: Bridge, data: bytes) -> bytes:
    """Send raw bytes, then everything that comes back until the other end closes."""
    with socket.create_connection((HOST, bridge.port), timeout=15) as connection:
        connection.sendall(data)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


def raw(request: str) -> bytes:
    return request.replace("\n", "\r\n").encode("latin-1")


def status_of(response: bytes) -> int:
    """The status of a raw response. To a message that is not HTTP it is of version 1.0."""
    version, status, _ = response.split(b" ", 2)
    assert version in {b"HTTP/1.0", b"HTTP/1.1"}
    return int(status)


def test_a_path_is_sent_to_the_stage_of_the_deployed_api(
    bridge: Bridge, emulator: FakeEmulator
) -> None:
    got = call(bridge, "GET", "/api/links?limit=2&tag=a%20b&tag=c")
    (seen,) = emulator.seen
    assert got.status == 200
    assert seen.target == "/local/api/links?limit=2&tag=a%20b&tag=c"
    assert seen.all("host") == [f"abc.execute-api.localhost:{emulator.server_address[1]}"]


def test_percent_encoding_is_unchanged(bridge: Bridge, emulator: FakeEmulator) -> None:
    call(bridge, "GET", "/caf%C3%A9%20%25?q=%26%3D+%2F")
    assert emulator.seen[0].target == "/local/caf%C3%A9%20%25?q=%26%3D+%2F"


def test_raw_bytes_in_a_path_are_refused(bridge: Bridge, emulator: FakeEmulator) -> None:
    # RFC 9112 section 3.2: an invalid request line is answered 400.
    response = exchange(bridge, b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status_of(response) == 400
    assert emulator.seen == []


def test_an_absolute_target_is_reduced_to_its_path(bridge: Bridge, emulator: FakeEmulator) -> None:
    exchange(bridge, raw("GET http://a.b/api/links?x=1 HTTP/1.1\nHost: a.b\nConnection: close\n\n"))
    assert emulator.seen[0].target == "/local/api/links?x=1"


def test_a_delete_carries_its_body(bridge: Bridge, emulator: FakeEmulator) -> None:
    call(bridge, "DELETE", "/api/links", b'["a"]', {"Content-Type": "application/json"})
    (seen,) = emulator.seen
    assert (seen.method, seen.body) == ("DELETE", b'["a"]')
    assert seen.all("content-length") == ["5"]


def test_a_delete_without_a_body_stays_without_a_body(
    bridge: Bridge, emulator: FakeEmulator
) -> None:
    call(bridge, "DELETE", "/api/links/1")
    assert emulator.seen[0].body == b""


def test_a_body_without_a_type_is_json_as_on_aws(bridge: Bridge, emulator: FakeEmulator) -> None:
    call(bridge, "DELETE", "/api/links", b"\xff")
    call(bridge, "DELETE", "/api/links", b"\xff", {"Content-Type": "text/plain"})
    call(bridge, "GET", "/api/links")
    types = [seen.all("content-type") for seen in emulator.seen]
    assert types == [["application/json"], ["text/plain"], []]


@pytest.mark.parametrize("body", [gzip.compress(b'["a"]'), b'["a"]'], ids=["gzip", "not gzip"])
def test_a_compressed_body_is_not_unpacked(
    bridge: Bridge, emulator: FakeEmulator, body: bytes
) -> None:
    assert call(bridge, "DELETE", "/api/links", body, {"Content-Encoding": "gzip"}).status == 200
    (seen,) = emulator.seen
    assert seen.body == body
    assert seen.all("content-encoding") == ["gzip"]


def test_a_chunked_body_arrives_whole(bridge: Bridge, emulator: FakeEmulator) -> None:
    response = exchange(
        bridge,
        raw(
            "DELETE /api/links HTTP/1.1\nHost: x\nConnection: close\n"
            'Transfer-Encoding: chunked\n\n2;ext="y"\n["\n3\na"]\n0\nTrailer: t\n\n'
        ),
    )
    (seen,) = emulator.seen
    assert response.startswith(b"HTTP/1.1 200")
    assert seen.body == b'["a"]'
    assert seen.all("transfer-encoding") == []
    assert seen.all("content-length") == ["5"]


@pytest.mark.parametrize(
    "framing",
    [
        "Transfer-Encoding: chunked\nContent-Length: 3\n\n0\n\n",
        "Transfer-Encoding: gzip\n\n",
        "Transfer-Encoding: chunked\n\nxyz\n\n",
        "Transfer-Encoding: chunked\n\n-1\n\n",
        "Transfer-Encoding: chunked\n\n1\nab\n0\n\n",
        "Content-Length: -1\n\n",
        "Content-Length: 1_0\n\n",
        "Content-Length: 1\nContent-Length: 2\n\nab",
    ],
)
def test_a_wrongly_framed_body_is_refused(
    bridge: Bridge, emulator: FakeEmulator, framing: str
) -> None:
    response = exchange(bridge, raw(f"POST /api/links HTTP/1.1\nHost: x\n{framing}"))
    # `exchange` returns only when the connection is closed.
    assert status_of(response) == 400
    assert json.loads(response.partition(b"\r\n\r\n")[2]) == {"message": "Bad Request"}
    assert emulator.seen == []


def test_a_connection_serves_many_requests(bridge: Bridge, emulator: FakeEmulator) -> None:
    connection = http.client.HTTPConnection(HOST, bridge.port, timeout=15)
    with contextlib.closing(connection):
        for number in range(5):
            connection.request("POST", f"/{number}", body=b"x" * number)
            assert connection.getresponse().read() == b"{}"
    assert [one.target for one in emulator.seen] == [f"/local/{number}" for number in range(5)]
    assert emulator.connections == 1


def test_pipelined_requests_are_answered_in_order(bridge: Bridge, emulator: FakeEmulator) -> None:
    response = exchange(
        bridge,
        raw(
            "GET /1 HTTP/1.1\nHost: x\n\nPOST /2 HTTP/1.1\nHost: x\nContent-Length: 2\n\nab"
            "GET /3 HTTP/1.1\nHost: x\nConnection: close\n\n"
        ),
    )
    assert response.count(b"HTTP/1.1 200") == 3
    assert [one.target for one in emulator.seen] == ["/local/1", "/local/2", "/local/3"]


def test_a_head_response_keeps_its_length_and_has_no_body(
    bridge: Bridge, emulator: FakeEmulator
) -> None:
    emulator.reply = Reply(body=b"12345")
    response = exchange(bridge, raw("HEAD /code HTTP/1.1\nHost: x\nConnection: close\n\n"))
    head, _, body = response.partition(b"\r\n\r\n")
    assert body == b""
    assert b"Content-Length: 5" in head
    assert head.lower().count(b"content-length") == 1


def test_a_response_without_content_has_no_length(bridge: Bridge, emulator: FakeEmulator) -> None:
    emulator.reply = Reply(status=204)
    got = call(bridge, "OPTIONS", "/api/links")
    assert got.status == 204
    assert "content-length" not in got.headers


def test_a_redirect_is_passed_on_and_not_followed(bridge: Bridge, emulator: FakeEmulator) -> None:
    emulator.reply = Reply(302, [("Location", "https://example.com/"), ("X-Request-Id", "r")])
    got = call(bridge, "GET", "/code")
    assert (got.status, got.headers["location"]) == (302, "https://example.com/")


def test_a_binary_response_arrives_unchanged(bridge: Bridge, emulator: FakeEmulator) -> None:
    picture = bytes(range(256)) * 100
    emulator.reply = Reply(headers=[("Content-Type", "image/png")], body=picture)
    assert call(bridge, "GET", "/x").body == picture


def test_repeated_headers_stay_repeated_both_ways(bridge: Bridge, emulator: FakeEmulator) -> None:
    emulator.reply = Reply(headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    response = exchange(
        bridge, raw("GET / HTTP/1.1\nHost: x\nX-Many: 1\nX-Many: 2\nConnection: close\n\n")
    )
    assert emulator.seen[0].all("x-many") == ["1", "2"]
    assert response.count(b"Set-Cookie") == 2


def test_headers_of_one_connection_are_not_forwarded(
    bridge: Bridge, emulator: FakeEmulator
) -> None:
    call(bridge, "GET", "/", headers={"Connection": "keep-alive, X-Hop", "X-Hop": "1", "TE": "x"})
    (seen,) = emulator.seen
    assert seen.all("x-hop") == seen.all("te") == []


def test_the_callers_address_cannot_be_forged(bridge: Bridge, emulator: FakeEmulator) -> None:
    call(bridge, "GET", "/", headers={"X-Forwarded-For": "203.0.113.9"})
    assert emulator.seen[0].all("x-forwarded-for") == [HOST]


def test_the_usage_key_comes_from_the_authorizer_and_never_from_the_caller(
    start: Start, emulator: FakeEmulator
) -> None:
    async def usage_key(authorization: str) -> str | None:
        return {"Bearer good": "usage-1"}.get(authorization)

    bridge = start(usage_key=usage_key)
    call(bridge, "GET", "/a", headers={"Authorization": "Bearer good", "X-Api-Key": "mine"})
    call(bridge, "GET", "/b", headers={"Authorization": "Bearer bad", "X-Api-Key": "mine"})
    call(bridge, "GET", "/c", headers={"X-Api-Key": "mine"})
    assert [one.all("x-api-key") for one in emulator.seen] == [["usage-1"], [], []]


def test_a_usage_key_is_cached_until_it_expires() -> None:
    asked: list[str] = []
    clock = [0.0]

    def ask(authorization: str) -> str | None:
        asked.append(authorization)
        return None if authorization == "bad" else f"{authorization}-{len(asked)}"

    keys = UsageKeys(ask, seconds=60, now=lambda: clock[0])

    async def found(*values: str) -> list[str | None]:
        return [await keys(value) for value in values]

    assert asyncio.run(found("a", "a", "bad", "bad")) == ["a-1", "a-1", None, None]
    clock[0] = 60.5
    assert asyncio.run(found("a")) == ["a-3"]
    assert asked == ["a", "bad", "a"]


def test_a_ttl_of_zero_disables_the_cache() -> None:
    asked: list[str] = []
    keys = UsageKeys(asked.append, seconds=0)
    asyncio.run(keys("a"))
    asyncio.run(keys("a"))
    assert asked == ["a", "a"]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("size", [5 * MB, 7 * MB, 11 * MB])
def test_a_body_over_a_limit_answers_413_with_the_templates_body(
    bridge: Bridge, emulator: FakeEmulator, size: int, chunked: bool
) -> None:
    connection = http.client.HTTPConnection(HOST, bridge.port, timeout=15)
    pieces = (b"x" * MB for _ in range(size // MB))
    with contextlib.closing(connection):
        if chunked:
            connection.putrequest("POST", "/api/links")
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders()
            # The response may come, and the connection close, before all is sent.
            with contextlib.suppress(OSError):
                for piece in pieces:
                    connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                connection.send(b"0\r\n\r\n")
        else:
            connection.request("POST", "/api/links", body=b"x" * size)
        response = connection.getresponse()
        assert response.status == 413
        assert json.loads(response.read()) == {"message": "Request body too large"}
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["x-request-id"] == response.headers["x-amzn-requestid"]
    assert emulator.seen == []


def test_a_body_just_under_the_limit_is_forwarded(bridge: Bridge, emulator: FakeEmulator) -> None:
    body = b"x" * (4 * MB + 400 * 1024)
    assert call(bridge, "POST", "/api/links", body).status == 200
    assert emulator.seen[0].body == body


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * (6 * MB - 1024), 200),
        (b"x" * (6 * MB), 502),
        # Two bytes each in the JSON that a function returns.
        (b'"' * (3 * MB - 1024), 200),
        (b'"' * (3 * MB), 502),
        ("é".encode() * (3 * MB - 1024), 200),
        # No text: base64.
        (b"\xff" * (4 * MB), 200),
        (b"\xff" * (5 * MB), 502),
    ],
    ids=["text", "text+", "quotes", "quotes+", "letters", "binary", "binary+"],
)
def test_a_response_is_measured_as_lambda_does(
    bridge: Bridge, emulator: FakeEmulator, body: bytes, status: int
) -> None:
    emulator.reply = Reply(body=body)
    response = call(bridge, "GET", "/api/links")
    assert response.status == status
    if status == 502:
        assert json.loads(response.body) == {"message": "Internal server error"}


def test_escapes_count_in_the_event_size() -> None:
    plain = event_size([("A", "x" * 100)], b"", "/")
    assert event_size([("A", '"' * 100)], b"", "/") - plain == 200
    assert event_size([], b"abcd", "/") - event_size([], b"", "/") == 8


def test_a_caller_that_expects_continue_gets_413_before_a_large_body(bridge: Bridge) -> None:
    head = "POST /api/links HTTP/1.1\nHost: x\nExpect: 100-continue\nContent-Length: {}\n\n"
    assert exchange(bridge, raw(head.format(11 * MB))).startswith(b"HTTP/1.1 413")
    with socket.create_connection((HOST, bridge.port), timeout=15) as connection:
        connection.sendall(raw(head.format(2)))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("status", [500, 502])
def test_an_error_of_the_emulator_is_masked(
    bridge: Bridge, emulator: FakeEmulator, status: int
) -> None:
    emulator.reply = Reply(status, [("x-amzn-requestid", "r-9")], b'{"message":"KeyError: secret"}')
    got = call(bridge, "GET", "/api/links")
    assert got.status == status
    assert got.json() == {"message": "Internal server error"}
    assert got.headers["x-request-id"] == "r-9"


def test_an_error_that_a_function_answers_is_passed_on(
    bridge: Bridge, emulator: FakeEmulator
) -> None:
    emulator.reply = Reply(500, [("X-Request-Id", "r-2")], b'{"statusCode":500}')
    got = call(bridge, "GET", "/api/links")
    assert got.json() == {"statusCode": 500}
    assert got.headers["x-amzn-requestid"] == "r-2"


def test_a_response_over_lambdas_limit_is_an_error_as_on_aws(
    bridge: Bridge, emulator: FakeEmulator
) -> None:
    emulator.reply = Reply(body=b"x" * (6 * MB + 1))
    got = call(bridge, "GET", "/api/links")
    assert (got.status, got.json()) == (502, {"message": "Internal server error"})


def test_a_closed_upstream_connection_gets_502(bridge: Bridge, emulator: FakeEmulator) -> None:
    emulator.reply = Reply(hang_up=True)
    assert call(bridge, "GET", "/").status == 502
    emulator.reply = Reply()
    assert call(bridge, "GET", "/").status == 200


def test_a_slow_upstream_gets_504(start: Start, emulator: FakeEmulator) -> None:
    bridge = start(timeout=0.2)
    emulator.reply = Reply(delay=1.0)
    got = call(bridge, "GET", "/")
    assert (got.status, got.json()) == (504, {"message": "Internal server error"})


def test_a_body_that_trickles_in_for_too_long_is_refused(
    start: Start, emulator: FakeEmulator
) -> None:
    bridge = start(body_timeout=0.5)
    with socket.create_connection((HOST, bridge.port), timeout=15) as connection:
        connection.sendall(raw("POST / HTTP/1.1\nHost: x\nContent-Length: 100\n\n"))
        response = b""
        connection.settimeout(0.1)
        with contextlib.suppress(OSError):
            # One byte less than announced: only the time can end it.
            for _ in range(99):
                connection.sendall(b"x")
                with contextlib.suppress(TimeoutError):
                    response = connection.recv(1000)
                    break
        assert response.startswith(b"HTTP/1.1 408")
    assert emulator.seen == []


def test_a_disconnected_caller_does_not_break_the_proxy(
    start: Start, emulator: FakeEmulator, capfd: pytest.CaptureFixture[str]
) -> None:
    bridge = start()
    for request in (
        "POST / HTTP/1.1\nHost: x\nContent-Length: 100\n\nhalf",
        "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n5\nab",
        "GET / HT",
        "",
    ):
        with socket.create_connection((HOST, bridge.port), timeout=15) as connection:
            connection.sendall(raw(request))
    emulator.reply = Reply(body=b"x" * MB, delay=0.2)
    with socket.create_connection((HOST, bridge.port), timeout=15) as connection:
        connection.sendall(raw("GET /gone HTTP/1.1\nHost: x\n\n"))
    emulator.reply = Reply()
    assert call(bridge, "GET", "/after").status == 200
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(("moment", "ran"), [("before", 0), ("after", 1)])
def test_a_connection_is_reset_before_or_after_the_function_runs(
    bridge: Bridge,
    emulator: FakeEmulator,
    capfd: pytest.CaptureFixture[str],
    moment: Interruption,
    ran: int,
) -> None:
    bridge.interrupt = lambda method, target: moment if (method, target) == ("PUT", "/x") else None
    with pytest.raises(ConnectionResetError):
        call(bridge, "PUT", "/x", b"{}")
    assert len(emulator.seen) == ran
    assert call(bridge, "PUT", "/y", b"{}").status == 200
    assert "Traceback" not in capfd.readouterr().err


def test_an_unknown_method_is_an_unknown_route(bridge: Bridge) -> None:
    got = call(bridge, "PROPFIND", "/api/links")
    assert (got.status, got.json()) == (404, {"message": "Route not found"})


def test_a_folded_header_is_refused(bridge: Bridge, emulator: FakeEmulator) -> None:
    # RFC 9112 section 5.2: a server refuses it, or joins it.
    response = exchange(bridge, raw("GET / HTTP/1.1\nHost: x\nX-A: 1\n 2\nConnection: close\n\n"))
    assert status_of(response) == 400
    assert emulator.seen == []


def test_many_callers_are_served_in_parallel(bridge: Bridge, emulator: FakeEmulator) -> None:
    # None is answered before all are there.
    emulator.reply = Reply(together=threading.Barrier(20, timeout=60))
    responses = at_once([partial(call, bridge, "GET", "/")] * 20)
    assert [response.status for response in responses] == [200] * 20


def test_a_taken_port_is_an_error_at_once(bridge: Bridge) -> None:
    with pytest.raises(OSError, match="in use"):
        Bridge(bridge.port)
