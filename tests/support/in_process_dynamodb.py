"""MiniStack's DynamoDB inside the test process: the emulator's code without HTTP.

A call costs a fifth of one to the emulator's process, which is most of what a test costs. botocore
builds every request and parses every response as usual. For one host its transport is replaced, and
nothing is signed: the emulator reads no signature, and `tests/unit/test_signer.py` checks them.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.endpoint import Endpoint

from local import emulator_dynamodb
from local.emulator import LOCAL_DIR, EmulatorError

HOST = "dynamodb.in-process.invalid"
URL = f"http://{HOST}"

#: Seconds after which a thread lets another one run. By default 5 ms, in which a thread makes
#: several calls: races between threads would hardly mix.
_SWITCH_SECONDS = 0.0001


_State = TypeVar("_State")


class InProcessDynamoDB:
    """The tables of this process."""

    def __init__(self) -> None:
        """Load the emulator's DynamoDB; raises `EmulatorError`."""
        self._dynamodb = _load()
        # The emulator's process handles one request at a time; so does this.
        self._lock = threading.Lock()

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """The response to a request: what botocore's own transport has as `send`."""
        headers = {"x-amz-target": request.headers["X-Amz-Target"]}
        handling = self._dynamodb.handle_request("POST", "/", headers, request.body, {})
        with self._lock:
            try:
                # It awaits nothing.
                handling.send(None)
            except StopIteration as end:
                status, answered, body = end.value
        return AWSResponse(request.url, status, answered, _Body(body))


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
            # Without the items of earlier tests, which would be copied each time.
            for table in tables.values():
                table["items"].clear()
                dynamodb._items_replaced(table)
            self._made.append(make())
            for name, table in tables.items():
                self._kept[name] = dynamodb.copy.deepcopy(dict(table["items"]))
        for name, table in tables.items():
            table["items"] = defaultdict(dict, dynamodb.copy.deepcopy(self._kept[name]))
            dynamodb._items_replaced(table)
        state: _State = self._made[0]
        return state


@dataclass(frozen=True)
class _Body:
    """As botocore reads it from a connection."""

    content: bytes

    def stream(self) -> Iterator[bytes]:
        yield self.content


@cache
def _load() -> Any:
    """MiniStack's module, from the emulator's own environment, patched once."""
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
        from ministack.services import dynamodb
    finally:
        sys.path.remove(path)
    emulator_dynamodb.patch(dynamodb)
    # Tests set the clock of the code that they test, not the emulator's.
    dynamodb.time = SimpleNamespace(time=time.time, sleep=time.sleep)
    # Its warnings about bad expressions are not log lines of the code under test.
    dynamodb.logger.propagate = False
    dynamodb.logger.addHandler(logging.NullHandler())
    return dynamodb


@contextmanager
def serving() -> Iterator[str]:
    """Answer what botocore sends to the URL that this yields; all else goes over the network."""
    dynamodb = InProcessDynamoDB()
    over_network = Endpoint.make_request

    def make_request(endpoint: Any, operation: Any, request: dict[str, Any]) -> Any:
        if endpoint.host != URL:
            return over_network(endpoint, operation, request)
        endpoint.http_session = dynamodb
        prepared = AWSPreparedRequest("POST", URL, request["headers"], request["body"], False)
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
