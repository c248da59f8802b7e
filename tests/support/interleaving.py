"""Other requests that act between two steps of a test's own request, or at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest


def interleave(
    patch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    *,
    before: Callable[[], Any] | None = None,
    after: Callable[[], Any] | None = None,
) -> list[Any]:
    """Let another request act right before or after the next call of a method, and only then.

    Returns the list that gets the other's result.
    """
    real, first = getattr(owner, name), iter([True])
    results: list[Any] = []

    def call(*given: Any, **more: Any) -> Any:
        acts = next(first, False)
        if acts and before:
            results.append(before())
        found = real(*given, **more)
        if acts and after:
            results.append(after())
        return found

    patch.setattr(owner, name, call)
    return results


def at_once(work: Iterable[Callable[[], Any]]) -> list[Any]:
    """Begin all at the same time; each result, or the exception that was raised."""
    callers = list(work)
    start = threading.Barrier(len(callers))

    def run(each: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return each()
        except Exception as error:  # noqa: BLE001
            return error

    with ThreadPoolExecutor(len(callers)) as pool:
        return list(pool.map(run, callers))
