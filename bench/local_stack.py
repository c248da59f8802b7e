"""How fast the local stack is over HTTP, for somebody who tries it with `make run`.

CPU is that of all processes together: the gateway proxy, the emulator and the functions' workers.
On a busy machine it is more reliable than the wall time.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.stack import LocalStack, bind, running

REQUESTS = 200
CONNECTIONS = 8
DELETED = 10_000
ERASED = 2_000
PAGE = 1_000
RECEIPT_SECONDS = 900


def main() -> None:
    bridge = bind()
    with running(bridge, name="bench", say=lambda _: None) as stack:
        _measure(stack)


def _measure(stack: LocalStack) -> None:
    workspace = stack.new_workspace()
    caller = Caller(stack.base_url, workspace.admin_key)
    link = caller.ask("POST", "/api/links", {"originalUrl": "https://example.com/"})
    print("| one connection | p50, ms | mean, ms | CPU a request, ms |")
    print("|---|---|---|---|")
    for name, path in (
        ("read a link", f"/api/links/{link['id']}"),
        ("redirect", f"/{link['shortCode']}"),
        ("the OpenAPI document", "/api/openapi.json"),
    ):
        for _ in range(20):
            caller.send("GET", path)
        took = []
        with cpu_seconds(stack) as cpu:
            for _ in range(REQUESTS):
                began = time.perf_counter()
                caller.send("GET", path)
                took.append((time.perf_counter() - began) * 1000)
        print(
            f"| {name} | {statistics.median(took):.1f} | {statistics.mean(took):.1f}"
            f" | {cpu[0] * 1000 / REQUESTS:.1f} |",
            flush=True,
        )
    print()
    _redirect_in_parallel(stack, f"/{link['shortCode']}")
    began = time.perf_counter()
    ids = _create(caller, DELETED)
    print(f"- {DELETED:,} links created: {time.perf_counter() - began:.1f} s", flush=True)
    began = time.perf_counter()
    with cpu_seconds(stack) as cpu:
        answered = caller.ask("DELETE", "/api/links", ids)
        deletion = _finished(caller, answered.get("deletionId") or caller.deletion_id, "complete")
    print(
        f"- {deletion['counts']['deleted']:,} links soft-deleted:"
        f" {time.perf_counter() - began:.1f} s, CPU {cpu[0]:.1f} s",
        flush=True,
    )
    ids = _create(caller, ERASED)
    began = time.perf_counter()
    with cpu_seconds(stack) as cpu:
        caller.ask("POST", "/api/deletions", {"ids": ids, "mode": "erase", "reason": "bench"})
        deletion = _finished(caller, caller.deletion_id, "complete")
    seconds = time.perf_counter() - began
    delay = erase_delay(stack)
    print(
        f"- receipt for {deletion['receipt']['links']:,} erased links: {seconds:.1f} s,"
        f" including the queue's delay of {delay} s, CPU {cpu[0]:.1f} s",
        flush=True,
    )


class Caller:
    """One connection of one caller."""

    def __init__(self, base_url: str, key: str) -> None:
        address = urlsplit(base_url)
        self._connection = http.client.HTTPConnection(
            address.hostname or "", address.port, timeout=120
        )
        self._key = key
        #: The `X-Deletion-Id` of the last response that had one.
        self.deletion_id = ""

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """The status and the body of the response."""
        self._connection.request(
            method,
            path,
            body=None if body is None else json.dumps(body),
            headers={"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
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


def _create(caller: Caller, count: int) -> list[str]:
    new = [{"originalUrl": f"https://example.com/{number}"} for number in range(PAGE)]
    return [
        link["id"] for _ in range(0, count, PAGE) for link in caller.ask("POST", "/api/links", new)
    ]


def _finished(caller: Caller, deletion_id: str, state: str) -> Any:
    deadline = time.monotonic() + RECEIPT_SECONDS
    while time.monotonic() < deadline:
        status, response = caller.send("GET", f"/api/deletions/{deletion_id}?limit=1")
        # The stack may be too busy to answer.
        if status == 200 and json.loads(response)["state"] == state:
            return json.loads(response)
        time.sleep(0.5)
    raise RuntimeError(f"The deletion did not become {state}.")


def _redirect_in_parallel(stack: LocalStack, path: str) -> None:
    callers = [Caller(stack.base_url, "") for _ in range(CONNECTIONS)]

    def load(caller: Caller) -> int:
        return sum(caller.send("GET", path)[0] != 302 for _ in range(REQUESTS // 4))

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        # Each connection gets a worker process of the function in the first round.
        list(pool.map(load, callers))
        with cpu_seconds(stack) as cpu:
            began = time.perf_counter()
            failed = sum(pool.map(load, callers))
            seconds = time.perf_counter() - began
    count = CONNECTIONS * (REQUESTS // 4)
    print(
        f"- {CONNECTIONS} connections: {count / seconds:.0f} redirects a second,"
        f" CPU {cpu[0] * 1000 / count:.1f} ms each, {failed} failed",
        flush=True,
    )


def erase_delay(stack: LocalStack) -> int:
    queues = stack.client("sqs")
    [url] = [
        url
        for url in queues.list_queues()["QueueUrls"]
        if "Erase" in url and "Dead" not in url and "Failed" not in url
    ]
    attributes = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])
    return int(attributes["Attributes"]["DelaySeconds"])


@contextmanager
def cpu_seconds(stack: LocalStack) -> Iterator[list[float]]:
    """One number after the block: CPU seconds of this process and of the emulator's group.

    This process has the gateway proxy in it, and the caller.
    """
    spent: list[float] = []
    before = _group_cpu(stack.emulator.process_id)
    yield spent
    after = _group_cpu(stack.emulator.process_id)
    spent.append(sum(seconds - before.get(process, 0.0) for process, seconds in after.items()))


def _group_cpu(group: int) -> dict[int, float]:
    """CPU seconds by process, from Linux's /proc; nothing elsewhere."""
    tick = os.sysconf("SC_CLK_TCK")
    spent = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        process = int(stat.parent.name)
        if int(fields[2]) == group or process == os.getpid():
            spent[process] = (int(fields[11]) + int(fields[12])) / tick
    return spent


if __name__ == "__main__":
    main()
