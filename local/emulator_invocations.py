"""Runs the invocations of API Gateway in the thread of the emulator's event loop.

MiniStack runs each one in a thread. With eight connections these threads and the event loop wait
for each other's turn in the interpreter: 90 system calls for one redirect. An invocation is
synchronous code that only has to wait for its process. So it runs as a greenlet, which leaves the
thread to the event loop while it waits, as SQLAlchemy does for its asyncio engines.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet
from ministack.services import apigateway_v1

_MANY_THREADS = 10_000

Result = TypeVar("Result")

# An invocation never waits for a thread: a new one is started when none is idle.
_threads = ThreadPoolExecutor(_MANY_THREADS, thread_name_prefix="invocation")


def patch() -> None:
    """Patch MiniStack's REST APIs. Their functions must be Python's: those of Docker block."""
    apigateway_v1.run_reentrant = _run


def in_event_loop() -> bool:
    """Whether the caller is such an invocation, which must not block its thread."""
    return getcurrent().parent is not None


def wait(awaitable: Awaitable[Result]) -> Result:
    """The result of `awaitable`; the event loop goes on meanwhile."""
    result: Result = getcurrent().parent.switch(awaitable)
    return result


def without_blocking(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function that blocks; in a thread if the caller is in the event loop."""
    if not in_event_loop():
        return function(*arguments)
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return wait(loop.run_in_executor(_threads, context.run, function, *arguments))


async def _run(function: Callable[..., Any], *arguments: Any, thread_name: str = "") -> Any:
    """What MiniStack's `run_reentrant` does in a thread of this name."""
    del thread_name
    invocation = greenlet(function)
    invocation.gr_context = contextvars.copy_context()
    awaited = invocation.switch(*arguments)
    while not invocation.dead:
        try:
            result = await awaited
        except BaseException as error:  # noqa: BLE001 (the invocation raises it)
            awaited = invocation.throw(error)
        else:
            awaited = invocation.switch(result)
    return awaited
