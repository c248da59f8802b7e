"""The packaged redirect behind an HTTP server, for :mod:`bench.redirect_load`.

Run it as a separate process, with the unpacked archive first in ``PYTHONPATH``. aiohttp on uvloop
is the front: it builds the event that API Gateway would send, calls the handler in its one thread,
and sends the response. DynamoDB is a stub behind botocore's ``before-send`` event, which holds a
strongly consistent copy of the links in memory.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import zlib
from collections.abc import Iterator
from typing import Any

import uvloop
from aiohttp import web
from botocore.awsrequest import AWSResponse

HOST = "127.0.0.1"

#: Answers what was counted so far, in CPU seconds and redirects.
FIGURES = "/bench/figures"


#: One redirect in this many is followed by the fixed loop of :class:`Speed`.
REDIRECTS_PER_LOOP = 50


def code_of(number: int) -> str:
    return f"bench{number:05d}"


class Table:
    """Answers the redirect's two reads and its write, as DynamoDB would."""

    def __init__(self, links: int) -> None:
        self.requests = 0
        #: CPU seconds of this stub.
        self.seconds = 0.0
        self._items: dict[str, bytes] = {}
        #: The items by the bodies of their reads, which are the same each time.
        self._read: dict[bytes, bytes] = {}
        for number in range(links):
            link_id = f"00000000-0000-4000-8000-{number:012d}"
            code, key = code_of(number), f"ws-bench#{link_id}"
            pointer = {"workspaceId": {"S": "ws-bench"}, "linkId": {"S": link_id}}
            link = {
                "pk": {"S": key},
                "sk": {"S": "LINK"},
                "id": {"S": link_id},
                "workspaceId": {"S": "ws-bench"},
                "userId": {"S": "user-4711"},
                "shortCode": {"S": code},
                "originalUrl": {"S": f"https://www.example.com/summer/collection?item={number}"},
                "title": {"S": "Summer collection"},
                "utmParameters": {"M": {"source": {"S": "bench"}, "medium": {"S": "qr"}}},
                "isActive": {"BOOL": True},
                "clickCount": {"N": "12"},
                "createdAt": {"S": "2026-01-31T12:00:00.000Z"},
                "updatedAt": {"S": "2026-01-31T12:00:00.000Z"},
                "fencingToken": {"S": "0"},
                "livePk": {"S": "ws-bench#3"},
                "liveSk": {"S": f"2026-01-31T12:00:00.000Z#{link_id}"},
            }
            self._items[f"CODE#{code}"] = json.dumps({"Item": pointer}).encode()
            self._items[key] = json.dumps({"Item": link}).encode()

    def respond(self, request: Any, **_: Any) -> AWSResponse:
        started = time.thread_time()
        content = b"{}"
        if b"GetItem" in request.headers["X-Amz-Target"]:
            if request.body not in self._read:
                key = json.loads(request.body)["Key"]["pk"]["S"]
                self._read[request.body] = self._items.get(key, content)
            content = self._read[request.body]
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "content-length": str(len(content)),
            "x-amz-crc32": str(zlib.crc32(content)),
        }
        response = AWSResponse(request.url, 200, headers, _Body(content))  # type: ignore[arg-type]
        self.requests += 1
        self.seconds += time.thread_time() - started
        return response


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._content


class Speed:
    """Times a fixed loop between redirects, which shows how fast the processor is at the time.

    The core of a virtual machine is often one of two hyperthreads. While the other one works, the
    same code takes half as long again.
    """

    def __init__(self) -> None:
        self.loops = 0
        #: CPU seconds of the loops.
        self.seconds = 0.0

    def measure(self) -> None:
        started, total = time.thread_time(), 0
        for number in range(1_000):
            total += number * number
        self.seconds += time.thread_time() - started
        self.loops += 1


def event_of(request: web.BaseRequest, number: int) -> dict[str, Any]:
    """The event of API Gateway's REST API for ``GET /{code}``."""
    path = request.path
    return {
        "resource": "/{code}",
        "path": path,
        "httpMethod": request.method,
        "headers": dict(request.headers),
        "pathParameters": {"code": path[1:]},
        "queryStringParameters": dict(request.query) or None,
        "multiValueQueryStringParameters": None,
        "requestContext": {
            "requestId": f"bench-{number}",
            "identity": {"sourceIp": "192.0.2.1"},
        },
    }


def serve(core: int, links: int, port: int) -> None:
    """Serve on one processor until the process is ended. Prints the file of the handler first."""
    os.sched_setaffinity(0, {core})
    from functions import container
    from functions.handlers import redirect

    table, speed = Table(links), Speed()
    container.low_latency_dynamodb().meta.events.register("before-send.dynamodb", table.respond)
    redirects, function = 0, 0.0

    async def respond(request: web.BaseRequest) -> web.Response:
        nonlocal redirects, function
        if request.path == FIGURES:
            return web.json_response(
                {
                    "cpu": time.process_time() - speed.seconds,
                    "function": function - table.seconds,
                    "stub": table.seconds,
                    "redirects": redirects,
                    "loop": speed.seconds,
                    "loops": speed.loops,
                }
            )
        redirects += 1
        event = event_of(request, redirects)
        started = time.thread_time()
        response = redirect.handler(event, None)
        function += time.thread_time() - started
        if redirects % REDIRECTS_PER_LOOP == 0:
            speed.measure()
        return web.Response(
            status=response["statusCode"], headers=response["headers"], text=response["body"]
        )

    async def run() -> None:
        # Without an application and its router, which only the bench would pay for.
        runner = web.ServerRunner(web.Server(respond, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, HOST, port).start()
        print(redirect.__file__, flush=True)
        await asyncio.Event().wait()

    uvloop.run(run())


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:]))
