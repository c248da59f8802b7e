"""Faults at the SDK boundary: the n-th call of a run fails in a chosen way.

The client behind is real: a call that "was applied and then timed out" really was applied.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NoReturn, ParamSpec, TypeVar

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    ReadTimeoutError,
)

from functions.aws import client as aws
from functions.domain.clock import Deadline, use_deadline
from functions.domain.errors import UnlinkError
from tests.conftest import World, make_world

Call = Callable[[], Any]
P = ParamSpec("P")
T = TypeVar("T")


class Killed(BaseException):
    """The function is killed: out of memory, timed out, or its host lost."""


def die(*_: Any, **__: Any) -> NoReturn:
    """A call at which the function is killed."""
    raise Killed


@contextmanager
def out_of_time_after_accept(world: World) -> Iterator[None]:
    """The deadline of a deletion passes as soon as its record is written."""
    cut = Deadline(20)
    accept = world.stores.deletions.accept

    def accept_then_expire(*args: Any, **kwargs: Any) -> None:
        accept(*args, **kwargs)
        cut.expire()

    world.stores.deletions.accept = accept_then_expire  # type: ignore[method-assign]
    with use_deadline(cut):
        yield


def _error(operation: str, code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        operation,
    )


def _refuse(code: str, status: int = 400) -> Callable[[str, Call, dict[str, Any]], Any]:
    def fault(operation: str, _call: Call, _parameters: dict[str, Any]) -> Any:
        raise _error(operation, code, status)

    return fault


def _applied_then(error: Callable[[], BaseException]) -> Callable[[str, Call, dict[str, Any]], Any]:
    def fault(_operation: str, call: Call, _parameters: dict[str, Any]) -> Any:
        call()
        raise error()

    return fault


def _before(error: Callable[[], BaseException]) -> Callable[[str, Call, dict[str, Any]], Any]:
    def fault(_operation: str, _call: Call, _parameters: dict[str, Any]) -> Any:
        raise error()

    return fault


def _partly(operation: str, call: Call, parameters: dict[str, Any]) -> Any:
    """Half of a batch is unprocessed; a transaction conflicts; other calls are throttled."""
    if operation == "delete_objects":
        whole, objects = parameters["Delete"], parameters["Delete"]["Objects"]
        half = len(objects) // 2
        if half:
            parameters["Delete"] = whole | {"Objects": objects[:half]}
            call()
            parameters["Delete"] = whole
        # Status 200, with an error for each object that is left.
        left = [{"Key": each["Key"], "Code": "InternalError"} for each in objects[half:]]
        return {"Errors": left}
    if operation == "batch_get_item":
        wanted: dict[str, Any] = parameters["RequestItems"]
        keys = [(table, key) for table, request in wanted.items() for key in request["Keys"]]
        half = len(keys) // 2
        now, later = _only(wanted, keys[:half] or keys), _only(wanted, keys[half:])
        parameters["RequestItems"] = now
        response = call()
        parameters["RequestItems"] = wanted
        if half:
            response["UnprocessedKeys"] = later
        return response
    if operation == "batch_execute_statement":
        statements = parameters["Statements"]
        half = len(statements) // 2
        refused = [
            {"Error": {"Code": code, "Message": ""}}
            for code, _ in zip(
                ["ThrottlingError", "TransactionConflict", "InternalServerError"] * len(statements),
                statements[half:],
                strict=False,
            )
        ]
        if not half:
            return {"Responses": refused}
        parameters["Statements"] = statements[:half]
        response = call()
        parameters["Statements"] = statements
        response["Responses"] += refused
        return response
    if operation == "transact_write_items":
        error = _error(operation, "TransactionCanceledException")
        reasons = [{"Code": "None"} for _ in parameters["TransactItems"]]
        reasons[-1] = {"Code": "TransactionConflict"}
        error.response["CancellationReasons"] = reasons  # type: ignore[typeddict-item]
        raise error
    raise _error(operation, "ThrottlingException")


def _only(wanted: dict[str, Any], keys: list[tuple[str, Any]]) -> dict[str, Any]:
    """A read of these keys alone."""
    found: dict[str, Any] = {}
    for table, key in keys:
        found.setdefault(table, wanted[table] | {"Keys": []})["Keys"].append(key)
    return found


_URL = {"endpoint_url": "http://emulator"}

#: Refusals and broken connections take the same code path, so each call gets one of them in turn.
#: So do the two ways in which a response is lost.
_NOT_APPLIED = {
    "throttled": _refuse("ProvisionedThroughputExceededException"),
    "request limit": _refuse("RequestLimitExceeded"),
    "internal error": _refuse("InternalServerError", 500),
    "unavailable": _refuse("ServiceUnavailable", 503),
    "conflict": _refuse("TransactionConflictException"),
    "reset": _before(lambda: ConnectionClosedError(**_URL)),
    "connect timeout": _before(lambda: ConnectTimeoutError(**_URL)),
}

_LOST = {
    "applied, then timeout": _applied_then(lambda: ReadTimeoutError(**_URL)),
    "applied, then reset": _applied_then(lambda: ConnectionClosedError(**_URL)),
}

#: Retryable faults: the run must survive them.
RETRYABLE = _NOT_APPLIED | _LOST | {"partly": _partly}

#: The calls that can fail in part. `_partly` refuses all others, as another fault does.
_WITH_PARTS = {
    *("batch_get_item", "batch_execute_statement"),
    *("transact_write_items", "delete_objects"),
}

#: Fatal faults: the run ends, and another worker must finish accepted work.
FATAL = {
    "killed before": _before(Killed),
    "killed after": _applied_then(Killed),
    "access denied": _refuse("AccessDeniedException"),
}


def faults_of_call(number: int) -> dict[str, Callable[[str, Call, dict[str, Any]], Any]]:
    """The ways in which call ``number`` of a run shall fail."""
    kinds = [list(each)[number % len(each)] for each in (_NOT_APPLIED, _LOST)]
    return {kind: RETRYABLE[kind] for kind in (*kinds, "partly")} | FATAL


@dataclass
class _Run:
    """A run of a worker, whose threads see it in their context."""

    dead: bool = False


_run: ContextVar[_Run] = ContextVar("_run", default=_Run())  # noqa: B039 - never changed


@dataclass
class FaultyClient:
    """Passes calls to ``real``; the call numbered ``at`` (from 0) gets ``fault`` instead.

    With ``every``, all calls meet it.
    """

    real: Any = None
    fault: Callable[[str, Call, dict[str, Any]], Any] | None = None
    at: int = -1
    every: bool = False
    calls: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return self._call(self.real, operation)

    def beside(self, real: Any) -> _Beside:
        """A client of another service, whose calls are counted together with these."""
        return _Beside(self, real)

    def _call(self, client: Any, operation: str) -> Callable[..., Any]:
        real = getattr(client, operation)

        def call(**parameters: Any) -> Any:
            # Read before `dead`, because a test removes the fault of a run after its end.
            fault = self.fault
            if _run.get().dead:
                raise Killed
            with self._lock:
                number = len(self.calls)
                self.calls.append(operation)
            if fault is not None and (self.every or number == self.at):
                return fault(operation, lambda: real(**parameters), parameters)
            return real(**parameters)

        return call


@dataclass
class _Beside:
    faulty: FaultyClient
    real: Any

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return self.faulty._call(self.real, operation)


def faulty_world(
    deployed: dict[str, str], workspace_id: str | None = None
) -> tuple[World, FaultyClient]:
    """A workspace whose calls of DynamoDB may fail."""
    faulty = FaultyClient(aws.client("dynamodb"))
    return make_world(deployed, faulty, workspace_id), faulty


def attempt(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """The result of a worker; None if it was killed or raised an error.

    A thread of a killed worker may have a call left to begin, which raises ``Killed``.
    """
    run = _Run()
    before = _run.set(run)
    try:
        return work(*args, **kwargs)
    except Killed:
        run.dead = True
        return None
    except UnlinkError:
        return None
    finally:
        _run.reset(before)


@dataclass
class FaultPoint:
    """A call of a run, by its number, and the way in which it fails."""

    at: int
    kind: str
    fault: Callable[[str, Call, dict[str, Any]], Any]
    #: The operation of that call; "" if the run did not make it.
    operation: str = ""

    def __str__(self) -> str:
        return f"call {self.at} ({self.kind})"

    @property
    def reached(self) -> bool:
        """Whether the run made the call."""
        return bool(self.operation)

    @contextmanager
    def strikes(self, faulty: FaultyClient) -> Iterator[None]:
        """The run within this block meets the fault, and no later one does."""
        faulty.calls.clear()
        faulty.fault, faulty.at, faulty.every = self.fault, self.at, False
        yield
        self.operation = "".join(faulty.calls[self.at : self.at + 1])
        faulty.fault = None


def every_fault() -> Iterator[FaultPoint]:
    """Each call in each way, up to the last call that a run makes."""
    for at in count():
        operations: set[str] = set()
        for kind, fault in faults_of_call(at).items():
            if kind != "partly" or operations & _WITH_PARTS:
                point = FaultPoint(at, kind, fault)
                yield point
                operations.add(point.operation)
        if operations == {""}:
            return


def drop_error_items(client: Any) -> None:
    """Remove ``Error.Item`` from failed batch statements, as AWS may do.

    A hook on the response as botocore has parsed it: the statements themselves are the real ones.
    """

    def drop(parsed: dict[str, Any], **_: Any) -> None:
        for response in parsed.get("Responses", ()):
            response.get("Error", {}).pop("Item", None)

    client.meta.events.register("after-call.dynamodb.BatchExecuteStatement", drop)


def kill_from(
    faulty: FaultyClient, at: int, *, after: bool = True, operation: str = ""
) -> list[str]:
    """Kill the function at this call (from 0) of this or any operation: none is sent from it on.

    Returns the calls as they begin, up to this one. With ``after`` this call is still applied. One
    call at a time, so that none is applied when the function is dead.
    """
    faulty.calls.clear()
    begun: list[str] = []
    one_at_a_time = threading.Lock()

    def fault(name: str, call: Call, _parameters: dict[str, Any]) -> Any:
        with one_at_a_time:
            number = len(begun)
            if number <= at and name.startswith(operation):
                begun.append(name)
            if number < at or (number == at and not name.startswith(operation)):
                return call()
            if number == at and after:
                call()
        raise Killed

    faulty.fault, faulty.every = fault, True
    return begun


def kill_after_second(faulty: FaultyClient, operation: str) -> None:
    """Kill the function after its second call of this operation was applied."""
    seen = count(1)

    def fault(name: str, call: Call, _parameters: dict[str, Any]) -> Any:
        response = call()
        if name == operation and next(seen) == 2:
            raise Killed
        return response

    faulty.fault, faulty.every = fault, True
