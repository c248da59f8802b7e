"""The HTTP front of the local stack, which adds what MiniStack 1.5.33 lacks.

Additions inside the emulator are in `local/emulator_*.py`. `Bridge` is the server,
`local/forwarder.py` handles a request, and `local/upstream.py` knows the deployed API.

It serves no route itself: every request goes to the deployed API. Its own errors are the gateway
responses of the deployed template. It adds:

- a custom domain: `/...` here is `/{stage}/...` of the deployed API;
- `ApiKeySourceType: AUTHORIZER`, which MiniStack ignores: the usage key that the deployed
  authorizer function names is put into `x-api-key`, cached for the authorizer's own TTL;
- API Gateway's 10 MB and Lambda's 6 MB limits on requests, both 413, Lambda's 6 MB limit on
  responses, and the integration's 29 seconds. Lambda's are measured on the JSON that a function
  gets and returns: the body is base64 in the one and a JSON string in the other;
- the template's 5XX body in place of MiniStack's 502, which shows the function's error message;
- the caller's address, which MiniStack reads from the first entry of `X-Forwarded-For`.

Two differences are known. A `%2F` inside a path segment: MiniStack decodes a path before it matches
it, API Gateway afterwards. A header that is sent twice: MiniStack joins the values with a comma,
API Gateway keeps both. So two `Idempotency-Key` headers are one key here, and 400 on AWS.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from typing import Literal

import aiohttp
import uvloop
from aiohttp import web

from local.emulator import HOST
from local.forwarder import Forwarder
from local.gateway_responses import NO_HTTP, GatewayResponses, Response
from local.upstream import Upstream

_IDLE_SECONDS = 65.0
# The emulator closes an idle connection after 75 seconds, maybe just as a request is sent, and a
# POST cannot be sent twice. So a connection is reused only well within that time.
_UPSTREAM_IDLE_SECONDS = 30.0

Interruption = Literal["before", "after"]

logger = logging.getLogger(__name__)


class Bridge:
    """An HTTP/1.1 server on 127.0.0.1. The constructor binds the port, `start` serves it.

    They are separate because the stack is deployed with the proxy's address.
    """

    def __init__(self, port: int = 0) -> None:
        """Bind `port` (0: any free one); OSError when it is taken."""
        self._socket = socket.create_server((HOST, port), backlog=128)
        self.upstream = Upstream(port=0, api_id="", stage="")
        #: If set, it is called with a line for each request.
        self.log: Callable[[str], None] | None = None
        #: If set, it is called with each request's method and target, and its response.
        self.observe: Callable[[str, str, Response], None] | None = None
        #: If set, it is called with each request's method and target, and returns when to reset the
        #: connection: before or after the function runs, or None for never.
        self.interrupt: Callable[[str, str], Interruption | None] | None = None
        self.port: int = self._socket.getsockname()[1]
        self._loop = uvloop.new_event_loop()
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
        server = _Server(Forwarder(self, emulator).handle)
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
        # API Gateway passes a compressed body on as it is, unless the API asks for something else.
        return _Handler(self, loop=loop, keepalive_timeout=_IDLE_SECONDS, auto_decompress=False)


class _Handler(web.RequestHandler):
    """One connection of a caller."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Respond to requests that are not HTTP, without the library's text about the input."""
        del request, message
        if status >= 500:
            logger.error("The proxy failed", exc_info=exc)
        rendered = GatewayResponses().render(NO_HTTP, status=status)
        response = web.Response(status=status, headers=rendered.headers, body=rendered.body)
        response.force_close()
        return response
