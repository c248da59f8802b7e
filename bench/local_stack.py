"""How fast the local stack is over HTTP, for somebody who tries it with `make run`.

    .venv/bin/python -m bench local_stack
    .venv/bin/python -m bench.local_stack --against REVISION

With a revision, the stack of its sources runs next to that of this tree, and they are measured in
turns. CPU is that of all processes of a stack together: the gateway proxy, the emulator and the
functions' workers. On a busy machine it is more reliable than the wall time.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bench.local_trees import Served, serving, tree_of
from infra.packaging import ROOT

#: Requests on one connection, in this many turns.
REQUESTS = 200
TURNS = 4

CONNECTIONS = 8
DELETED = 10_000
ERASED = 2_000
PAGE = 1_000
RECEIPT_SECONDS = 1_800


@dataclass(frozen=True)
class Figure:
    """``value`` in the unit of its measurement, and the CPU seconds that the stack used for it."""

    value: float
    cpu: float


Measure = Callable[[Served], Figure]


def main(against: str | None = None) -> None:
    with ExitStack() as running:
        stacks = {}
        if against:
            stacks["before"] = running.enter_context(
                serving(running.enter_context(tree_of(against)))
            )
        stacks["now"] = running.enter_context(serving(ROOT))
        _table(stacks)


def _table(stacks: Mapping[str, Served]) -> None:
    names = list(stacks)
    ratio = [f"{names[0]} ÷ {names[-1]}"] if len(names) > 1 else []
    columns = [*names, *ratio, *(f"CPU {name}" for name in names), "load average"]
    print(f"| | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}", flush=True)
    for name, unit, turns, measure in _measurements(stacks):
        taken: dict[str, list[Figure]] = {stack: [] for stack in names}
        for _ in range(turns):
            for stack, served in stacks.items():
                taken[stack].append(measure(served))
        values = [statistics.median(each.value for each in taken[stack]) for stack in names]
        cells = [f"{value:.1f} {unit}" for value in values]
        if ratio:
            first, last = values
            cells.append(f"{last / first if unit == '/s' else first / last:.1f}")
        cells += [f"{sum(each.cpu for each in taken[stack]) / turns:.2f} s" for stack in names]
        print(f"| {name} | {' | '.join(cells)} | {os.getloadavg()[0]:.1f} |", flush=True)
    delays = {stack: served.erase_delay for stack, served in stacks.items()}
    print(f"\nThe erase queue's delay, in seconds, is not part of the receipt's time: {delays}.")


def _measurements(stacks: Mapping[str, Served]) -> list[tuple[str, str, int, Measure]]:
    """Name, unit, number of turns, measurement. Values are medians of the turns."""
    links = {
        served: Caller(served).ask("POST", "/api/links", {"originalUrl": "https://example.com/"})
        for served in stacks.values()
    }

    def read(served: Served) -> Figure:
        return _requests(served, f"/api/links/{links[served]['id']}", 200)

    def redirect(served: Served) -> Figure:
        return _requests(served, f"/{links[served]['shortCode']}", 302)

    def document(served: Served) -> Figure:
        return _requests(served, "/api/openapi.json", 200)

    def compressed(served: Served) -> Figure:
        return _requests(served, "/api/openapi.json", 200, encoding="gzip")

    def redirects(served: Served) -> Figure:
        return _redirects_in_parallel(served, f"/{links[served]['shortCode']}")

    return [
        ("read a link, p50", "ms", TURNS, read),
        ("redirect, p50", "ms", TURNS, redirect),
        ("the OpenAPI document, p50", "ms", TURNS, document),
        ("the same as browsers ask for it (gzip), p50", "ms", TURNS, compressed),
        (f"redirects on {CONNECTIONS} connections", "/s", TURNS, redirects),
        (f"{DELETED:,} links soft-deleted", "s", 1, _soft_delete),
        (f"receipt of {ERASED:,} erased links", "s", 1, _erase),
        ("10 idle seconds", "s", 1, _idle),
    ]


def _requests(served: Served, path: str, expected: int, *, encoding: str = "identity") -> Figure:
    caller = Caller(served, encoding=encoding)
    for _ in range(20):
        caller.send("GET", path)
    took = []
    before = served.cpu_seconds()
    for _ in range(REQUESTS // TURNS):
        began = time.perf_counter()
        status, _ = caller.send("GET", path)
        took.append((time.perf_counter() - began) * 1000)
        if status != expected:
            raise RuntimeError(f"GET {path}: {status}")
    return Figure(statistics.median(took), served.cpu_seconds() - before)


def _redirects_in_parallel(served: Served, path: str) -> Figure:
    callers = [Caller(served) for _ in range(CONNECTIONS)]

    def load(caller: Caller) -> int:
        return sum(caller.send("GET", path)[0] != 302 for _ in range(REQUESTS // 4))

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        # Each connection gets a worker process of the function in the first round.
        list(pool.map(load, callers))
        before, began = served.cpu_seconds(), time.perf_counter()
        failed = sum(pool.map(load, callers))
        seconds = time.perf_counter() - began
    if failed:
        raise RuntimeError(f"{failed} redirects failed")
    return Figure(CONNECTIONS * (REQUESTS // 4) / seconds, served.cpu_seconds() - before)


def _soft_delete(served: Served) -> Figure:
    caller = Caller(served)
    ids = [link["id"] for link in caller.create(DELETED)]
    before, began = served.cpu_seconds(), time.perf_counter()
    caller.ask("DELETE", "/api/links", ids)
    deletion = caller.finished()
    seconds = time.perf_counter() - began
    assert deletion["counts"]["deleted"] == DELETED, deletion
    return Figure(seconds, served.cpu_seconds() - before)


def _erase(served: Served) -> Figure:
    """Seconds until the receipt is complete, less the erase queue's delay."""
    caller = Caller(served)
    ids = [link["id"] for link in caller.create(ERASED)]
    before, began = served.cpu_seconds(), time.perf_counter()
    caller.ask("POST", "/api/deletions", {"ids": ids, "mode": "erase", "reason": "bench"})
    deletion = caller.finished()
    seconds = time.perf_counter() - began
    assert deletion["receipt"]["links"] == ERASED, deletion
    return Figure(seconds - served.erase_delay, served.cpu_seconds() - before)


def _idle(served: Served) -> Figure:
    before = served.cpu_seconds()
    time.sleep(10)
    return Figure(10, served.cpu_seconds() - before)


class Caller:
    """One connection of one caller."""

    def __init__(self, served: Served, *, encoding: str = "identity") -> None:
        address = urlsplit(served.base_url)
        self._connection = http.client.HTTPConnection(
            address.hostname or "", address.port, timeout=120
        )
        self._headers = {
            "Authorization": f"Bearer {served.key}",
            "Content-Type": "application/json",
            "Accept-Encoding": encoding,
        }
        #: The `X-Deletion-Id` of the last response that had one.
        self.deletion_id = ""

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """The status and the body of the response."""
        self._connection.request(
            method,
            path,
            body=None if body is None else json.dumps(body),
            headers=self._headers,
        )
        response = self._connection.getresponse()
        self.deletion_id = response.getheader("X-Deletion-Id") or self.deletion_id
        return response.status, response.read()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a response that must be a success."""
        status, response = self.send(method, path, body)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {response[:500]!r}")
        return json.loads(response)

    def create(self, count: int) -> list[dict[str, Any]]:
        """This number of new links."""
        links: list[dict[str, Any]] = []
        while len(links) < count:
            page = range(len(links), min(len(links) + PAGE, count))
            new = [{"originalUrl": f"https://example.com/{number}"} for number in page]
            links += self.ask("POST", "/api/links", new)
        return links

    def finished(self) -> Any:
        """The last response's deletion, once it is complete."""
        deadline = time.monotonic() + RECEIPT_SECONDS
        while time.monotonic() < deadline:
            status, response = self.send("GET", f"/api/deletions/{self.deletion_id}?limit=1")
            # The stack may be too busy to answer.
            if status == 200 and json.loads(response)["state"] == "complete":
                return json.loads(response)
            time.sleep(0.5)
        raise RuntimeError("The deletion did not become complete.")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--against", metavar="REVISION")
    main(arguments.parse_args().against)
