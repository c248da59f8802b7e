"""The cost of a redirect: CPU time of the handler and calls, for a cold and a warm code.

The time is this process's own, HTTP client included, against an emulator that answers at once; the
emulator's is not in it. Compare the rows, and the shares of the parts that were measured
separately.
"""

from __future__ import annotations

import logging
import statistics
import time
from typing import Any

from bench.emulator import Reads, new_links, tables
from functions import container
from functions.domain.user_agent import describe
from functions.handlers import redirect
from functions.services import visits

LINKS = 200
AGENTS = (
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_{n} like Mac OS X) AppleWebKit/605.1.15 "
        "(KHTML, like Gecko) Version/18.{n} Mobile/15E148 Safari/604.1"
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/{n}.0.0.0 Safari/537.36"
    ),
)


def main() -> None:
    logging.getLogger("unlink").setLevel("CRITICAL")
    with tables():
        _measure()


def _measure() -> None:
    codes = [link.short_code for link in new_links(LINKS)]
    reads = Reads(container.low_latency_dynamodb())
    began = time.process_time()
    _visit("no-such-code", 0)
    _visit(codes[0], 0)
    first = time.process_time() - began
    rows = []
    for name in ("cold code", "warm code"):
        if name == "cold code":
            visits.forget()
        reads.clear()
        describe.cache_clear()
        spent = [_timed(code, n) for n, code in enumerate(codes)]
        calls = reads.calls
        rows.append((f"{name}, new user agent", spent, calls.copy(), reads.units))
    reads.clear()
    rows.append(("warm code, known user agent", [_timed(c, 0) for c in codes], reads.calls, 0.0))
    print("| | CPU a request, ms | strongly consistent reads | writes |")
    print("|---|---|---|---|")
    for name, spent, calls, _ in rows:
        print(
            f"| {name} | {statistics.median(spent) * 1000:.2f} |"
            f" {calls['GetItem'] / LINKS:g} | {calls['PutItem'] / LINKS:g} |"
        )
    print(
        f"\nThe first two requests of the process, parser and lists loaded: {first * 1000:.0f} ms."
    )


def _timed(code: str, number: int) -> float:
    began = time.process_time()
    _visit(code, number)
    return time.process_time() - began


def _visit(code: str, number: int) -> dict[str, Any]:
    event = {
        "httpMethod": "GET",
        "pathParameters": {"code": code},
        "queryStringParameters": None,
        "headers": {"User-Agent": AGENTS[number % 2].replace("{n}", str(number))},
        "requestContext": {"requestId": "bench", "identity": {"sourceIp": "192.0.2.1"}},
    }
    return redirect.handler(event, None)
