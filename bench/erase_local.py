"""Erasing end to end on the local stack: from the request until the receipt is complete.

    .venv/bin/python -m bench.erase_local [links]

CPU is that of all processes of the stack together, as in :mod:`bench.local_stack`. The seconds
after the queue's delay are those of the work: the stream, the erase worker, the receipt.
"""

from __future__ import annotations

import os
import sys
import time

from bench.local_stack import Caller
from bench.local_trees import Served, serving
from infra.packaging import ROOT

LINKS = 10_000

#: Visits of each tenth link.
VISITS = 3


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
    created = caller.create(count)
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
    receipt = caller.finished()["receipt"]
    # The last links are queued when the request is answered, or later.
    work = time.perf_counter() - began - stack.erase_delay
    cpu = stack.cpu_seconds() - before
    assert receipt["links"] == count, receipt
    assert receipt["clicks"] == visits, receipt
    print(
        f"| {count:,} | {visits:,} | {answered:.1f} | {work:.1f} | {cpu:.1f} | {load:.1f} |",
        flush=True,
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
