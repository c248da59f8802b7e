"""MiniStack's services inside the test process: the emulator's code without HTTP.

A call costs a fifth of one to the emulator's process, which is most of what a test costs. botocore
builds every request and parses every response as usual. For two hosts its transport is replaced,
and no request is signed: the emulator reads no signature, and `tests/unit/test_signer.py` checks
them. It does check the signature of a presigned URL.
"""

from __future__ import annotations

import importlib
import io
import logging
import sys
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.endpoint import Endpoint

from functions.aws.plain_requests import HELD
from local import emulator_dynamodb
from local.emulator import LOCAL_DIR, EmulatorError

URL = "http://dynamodb.in-process.invalid"

#: Of the other services. With an IP address as the endpoint botocore keeps a bucket in the path.
#: Nothing listens there.
SERVICES_URL = "http://127.0.0.1:2"

#: Seconds after which a thread lets another one run. By default 5 ms, in which a thread makes
#: several calls: races between threads would hardly mix.
_SWITCH_SECONDS = 0.0001


_State = TypeVar("_State")


class InProcessService:
    """A service of the emulator in this process; what botocore has as its HTTP session."""

    #: The emulator's process handles one request at a time; so does this.
    lock = threading.Lock()

    def __init__(self, name: str) -> None:
        """Load the emulator's service; raises `EmulatorError`."""
        self._service = _load(name)

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """The response to a request."""
        to = urlsplit(request.url)
        headers = {name.lower(): value for name, value in request.headers.items()}
        return self._respond(
            request,
            unquote(to.path) or "/",
            {"host": to.netloc} | headers,
            parse_qs(to.query, keep_blank_values=True),
        )

    def _respond(
        self, request: AWSPreparedRequest, path: str, headers: dict[str, str], query: dict[str, Any]
    ) -> AWSResponse:
        body = request.body or b""
        if isinstance(body, io.BytesIO):
            body = body.read()
        handling = self._service.handle_request(request.method, path, headers, body, query)
        with self.lock:
            try:
                # It awaits nothing.
                handling.send(None)
            except StopIteration as end:
                status, answered, content = end.value
        return AWSResponse(request.url, status, answered, _Body(content))


class _DynamoDB(InProcessService):
    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """The response to a request. The emulator reads one header."""
        return self._respond(request, "/", {"x-amz-target": request.headers["X-Amz-Target"]}, {})


class StartingPoint:
    """A state of the tables that is made once, for a test that repeats its work from there.

    It begins with empty tables. A real engine cannot be set back: each repeat makes a new state.
    """

    def __init__(self, url: str, names: Collection[str]) -> None:
        self._names = names if url == URL else ()
        self._made: list[Any] = []
        self._kept: dict[str, Any] = {}

    def __call__(self, make: Callable[[], _State]) -> _State:
        """What `make` returned, with the tables as it left them."""
        if not self._names:
            return make()
        from ministack.services import dynamodb

        tables = {name: dynamodb._tables[name] for name in self._names}
        if not self._made:
            # Without other items, which would be copied each time.
            empty(self._names)
            self._made.append(make())
        # A killed worker leaves threads, whose transaction must not be copied or replaced halfway.
        with InProcessService.lock:
            if not self._kept:
                for name, table in tables.items():
                    self._kept[name] = _partitions(table["items"])
            for name, table in tables.items():
                table["items"] = defaultdict(dict, _partitions(self._kept[name]))
                dynamodb._items_replaced(table)
        state: _State = self._made[0]
        return state


def _partitions(items: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """A copy of the partitions. Their items stay: the emulator replaces an item that changes."""
    return {key: dict(partition) for key, partition in items.items()}


def empty(names: Collection[str]) -> None:
    """Remove all items of these tables, so that a test does not read those of earlier tests."""
    dynamodb = _load("dynamodb")
    with InProcessService.lock:
        for name in names:
            table = dynamodb._tables[name]
            if table["items"]:
                table["items"].clear()
                dynamodb._items_replaced(table)


class DirectPuts:
    """A client that puts the items of a transaction into the tables, without its conditions.

    For many new links, whose random codes are free: what the emulator does with a transaction is
    four fifths of what creating them costs.
    """

    def transact_write_items(self, *, TransactItems: list[Any], **_: Any) -> dict[str, Any]:
        """Put the items; the actions must be puts."""
        dynamodb = _load("dynamodb")
        for action in TransactItems:
            item = action["Put"]["Item"]
            table = dynamodb._tables[action["Put"]["TableName"]]
            with InProcessService.lock:
                dynamodb._set_item(table, item["pk"]["S"], item["sk"]["S"], item)
        return {}


class _Body(io.BytesIO):
    """As botocore reads it from a connection."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


def download(url: str) -> bytes:
    """The body of the response to ``GET url``; raises `AssertionError` for an error."""
    if not url.startswith(SERVICES_URL):
        with urllib.request.urlopen(url) as response:
            content: bytes = response.read()
            return content
    answered = InProcessService("s3").send(
        AWSPreparedRequest("GET", url, HTTPHeaders(), b"", False)
    )
    assert answered.status_code == 200, answered.content
    return answered.content


#: MiniStack's modules whose names are not those of the AWS SDK.
_MODULES = {"events": "eventbridge"}


@cache
def _load(name: str) -> Any:
    """MiniStack's module of a service, from the emulator's own environment, patched once."""
    found = sorted((LOCAL_DIR / "ministack-venv" / "lib").glob("python3*/site-packages"))
    if not found:
        raise EmulatorError(
            "The local AWS emulator is not installed. `make run` and `make test` install it."
        )
    # At the end, and only during the import: what both environments have is loaded from this one.
    path = str(found[-1])
    sys.path.append(path)
    try:
        emulator_dynamodb.check_version()
        # The services read one setting of the whole emulator, which also is an HTTP server.
        application = sys.modules.setdefault("ministack.app", ModuleType("ministack.app"))
        vars(application).setdefault("AUTH", False)
        module = _MODULES.get(name, name)
        service: Any = importlib.import_module(f"ministack.services.{module}")
        if name == "dynamodb":
            # It imports a package of the emulator's environment.
            from local import emulator_encoding

            emulator_encoding.patch(service, importlib.import_module("ministack.core.responses"))
            emulator_dynamodb.patch(service)
    finally:
        sys.path.remove(path)
    # Tests set the clock of the code that they test, not the emulator's.
    service.time = SimpleNamespace(time=time.time, sleep=time.sleep)
    # Its warnings about bad expressions are not log lines of the code under test.
    service.logger.propagate = False
    service.logger.addHandler(logging.NullHandler())
    return service


@contextmanager
def serving() -> Iterator[str]:
    """Answer what botocore sends to the URL that this yields; all else goes over the network."""
    dynamodb = _DynamoDB("dynamodb")
    services: dict[str, InProcessService] = {}
    over_network = Endpoint.make_request

    def make_request(endpoint: Any, operation: Any, request: dict[str, Any]) -> Any:
        if endpoint.host == URL:
            endpoint.http_session = dynamodb
        elif endpoint.host == SERVICES_URL:
            name = operation.service_model.service_name
            if name not in services:
                services[name] = InProcessService(name)
            endpoint.http_session = services[name]
        else:
            return over_network(endpoint, operation, request)
        prepared = AWSPreparedRequest(
            request["method"],
            request["url"],
            request["headers"] | request["context"].get(HELD, {}),
            request["body"],
            operation.has_streaming_output,
        )
        # It emits botocore's events `before-send` and `before-parse` as usual.
        answered, error = endpoint._do_get_response(prepared, operation, request["context"])
        if error is not None:
            raise error
        answered[1]["ResponseMetadata"]["RetryAttempts"] = 0
        return answered

    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Endpoint, "make_request", make_request)
        yield URL
    sys.setswitchinterval(before)
