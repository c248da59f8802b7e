"""The faults of tests."""

from __future__ import annotations

import threading
from contextvars import copy_context
from types import SimpleNamespace
from typing import Any

from tests.support.faults import FaultyClient, Killed, attempt


def test_a_thread_of_a_killed_worker_begins_no_call() -> None:
    """Also when the test has removed the fault before the thread has come to its call."""
    applied: list[str] = []
    faulty = FaultyClient(SimpleNamespace(put_item=lambda **_: applied.append("put")))
    resumed, threads = threading.Event(), []

    def late() -> None:
        resumed.wait(10)
        attempt_to_put()

    def attempt_to_put() -> None:
        try:
            faulty.put_item()
        except Killed:
            applied.append("killed")

    def worker() -> Any:
        threads.append(threading.Thread(target=copy_context().run, args=[late]))
        threads[0].start()
        raise Killed

    assert attempt(worker) is None
    resumed.set()
    threads[0].join()
    attempt_to_put()

    assert applied == ["killed", "put"]
