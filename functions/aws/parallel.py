"""Parallel calls on the threads of the process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from functions.domain.errors import Unavailable

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

#: Parallel calls of one invocation; the connection pool has as many places.
THREADS = 16


@cache
def _workers() -> ThreadPoolExecutor:
    # Imported here: the redirect reads only THREADS, for its client.
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(THREADS, thread_name_prefix="unlink")


_Part = TypeVar("_Part")

_Result = TypeVar("_Result")


def in_parallel(work: Callable[[_Part], _Result], parts: Sequence[_Part]) -> list[_Result]:
    """Apply ``work`` to ``parts`` on at most 16 threads; results are in order.

    Must not be nested. The threads live as long as the process, like its connections. A single part
    runs on the caller's thread. After an error no further part starts.
    """
    if len(parts) <= 1:
        return [work(part) for part in parts]
    results: list[Any] = [None] * len(parts)
    # Each thread takes the next index until there is none. `next` of a range iterator is atomic. A
    # future for each part would take a tenth of the CPU time of a delete.
    numbers = iter(range(len(parts)))

    def take() -> None:
        try:
            for number in numbers:
                results[number] = work(parts[number])
        except BaseException:
            for _ in numbers:
                pass
            raise

    # A copy of the context for each thread: a context runs in one thread at a time. The threads
    # see the deadline of this call, and not one of an earlier call.
    contexts = [copy_context() for _ in range(min(THREADS, len(parts)))]
    list(_workers().map(lambda context: context.run(take), contexts))
    return results


def run_with_timeout(seconds: float, work: Callable[[], _Result]) -> _Result:
    """Run ``work``, but wait no longer than the given seconds.

    A deadline stops retries but not a call that hangs until its read timeout. Such a call continues
    in its thread. Raises ``Unavailable``.
    """
    try:
        return _workers().submit(copy_context().run, work).result(seconds)
    except TimeoutError:
        raise Unavailable from None
