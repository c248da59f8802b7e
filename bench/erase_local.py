"""Erasing end to end on the local stack: from the request until the receipt is complete.

    .venv/bin/python -m bench.erase_local [links]

CPU is that of all processes of the stack together, as in :mod:`bench.local_stack`. The seconds
after the queue's delay are those of the work: the stream, the erase worker, the receipt.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from bench.local_stack import PAGE, Caller
from bench.local_trees import Served, serving
from infra.packaging import ROOT

LINKS = 10_000

#: Visits of each tenth link.
VISITS = 3

#: Seconds between two reads of the deletion.
POLL_SECONDS = 1.0

TIMEOUT_SECONDS = 1_800


def main(links: int = LINKS) -> None:
    """Erase links without visits, then as many again, where each tenth link has visits."""
    with serving(ROOT) as stack:
        caller = Caller(stack)
        print(
            "| erased links | visits | answered after, s | work after the delay, s | CPU, s"
            " | load average |"
        )
        print("|---:|---:|---:|---:|---:|---:|")
        # One link first: it starts the processes of the functions.
        for count, every in ((1, 0), (links, 0), (links // 10, 1)):
            _erase(stack, caller, count, visited=every)


def _erase(stack: Served, caller: Caller, count: int, *, visited: int) -> None:
    created = _create(caller, count)
    visits = 0
    for link in created if visited else ():
        for _ in range(VISITS):
            caller.send("GET", f"/{link['shortCode']}")
            visits += 1
    load = os.getloadavg()[0]
    before, began = stack.cpu_seconds(), time.perf_counter()
    body = {"ids": [link["id"] for link in created], "mode": "erase", "reason": "bench"}
    caller.ask("POST", "/api/deletions", body)
    answered = time.perf_counter() - began
    deletion = _completed(caller, caller.deletion_id)
    # The last links are queued when the request is answered, or later.
    work = time.perf_counter() - began - stack.erase_delay
    cpu = stack.cpu_seconds() - before
    receipt = deletion["receipt"]
    assert receipt["links"] == count, receipt
    assert receipt["clicks"] == visits, receipt
    print(
        f"| {count:,} | {visits:,} | {answered:.1f} | {work:.1f} | {cpu:.1f} | {load:.1f} |",
        flush=True,
    )


def _create(caller: Caller, count: int) -> list[dict[str, Any]]:
    links: list[dict[str, Any]] = []
    while len(links) < count:
        here = min(PAGE, count - len(links))
        new = [{"originalUrl": f"https://example.com/{number}"} for number in range(here)]
        links += caller.ask("POST", "/api/links", new)
    return links


def _completed(caller: Caller, deletion_id: str) -> Any:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        status, _ = caller.send("GET", f"/api/deletions/{deletion_id}?limit=1")
        if status == 200:
            deletion = caller.ask("GET", f"/api/deletions/{deletion_id}?limit=1")
            if deletion["state"] == "complete":
                return deletion
        time.sleep(POLL_SECONDS)
    raise RuntimeError("The erasure did not complete.")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
