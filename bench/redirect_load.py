"""Redirects a second that one processor serves: the packaged function behind an HTTP server.

The server ([redirect_server](redirect_server.py)) has one processor, this generator another. What
the server's processor does: HTTP, the event, the handler with its log line, botocore whole
(building, signing, parsing), and the stub that stands for DynamoDB. What is not there: TLS, the
sockets to DynamoDB, and its latency, during which a function waits and uses no processor.

The columns say what limits a rate: the CPU time of a redirect, and how much of its processor each
process had. A server that needs more than it had is behind, so its requests wait. The last column
is the CPU time of a fixed loop in the server. Where it is longer, the processor was slower: compare
rows by it. The given rate is measured between two runs that are as fast as possible.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp
import uvloop

from bench.redirect_server import FIGURES, HOST, code_of
from infra.packaging import ROOT, Target, build_archive

#: Redirects a second, and for how many seconds.
RATE = 1_000
SECONDS = 60

#: Connections that are kept open, as a gateway keeps them.
CONNECTIONS = 32

LINKS = 1_000

#: Requests that may wait at most. Later ones count as errors, so that a server that is too slow
#: does not fill this process's memory.
WAITING = 2_000

AGENTS = [
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    f" Chrome/{version}.0.0.0 Safari/537.36"
    for version in range(100, 140)
]


@dataclass
class Load:
    """The measurements of the generator. Seconds are counted from the time a request was due."""

    seconds: list[float] = field(default_factory=list)
    errors: int = 0

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


def main() -> None:
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        sys.exit("It needs Linux and two processors: one for the server, one for the generator.")
    before = os.sched_getaffinity(0)
    own, *_, server = sorted(before)
    os.sched_setaffinity(0, {own})
    try:
        with _server(server) as port:
            print(
                "| redirects/s due | reached | p50, ms | p99, ms | errors | CPU a redirect, ms:"
                " function | front | stub | the server's processor: had | needed | generator's"
                " | fixed loop, µs |"
            )
            print(f"|{'---|' * 12}")
            uvloop.run(_measure(port))
    finally:
        os.sched_setaffinity(0, before)
    print(
        f"\n{LINKS:,} links, {len(AGENTS)} browsers, {CONNECTIONS} connections."
        f" Load average: {os.getloadavg()[0]:.1f}."
    )


async def _measure(port: int) -> None:
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(f"http://{HOST}:{port}", connector=connector) as session:
        # Each code once: a process caches its link.
        await _as_fast_as_possible(session, Load(), LINKS)
        # A collection of all objects of this process would delay its requests.
        gc.freeze()
        for rate in (None, RATE, None):
            load = Load()
            first, own, started = await _figures(session), time.process_time(), time.perf_counter()
            if rate:
                await _at_rate(session, load)
            else:
                await _as_fast_as_possible(session, load, 10 * RATE)
            took, own = time.perf_counter() - started, time.process_time() - own
            counted = {
                name: value - first[name] for name, value in (await _figures(session)).items()
            }
            each = {name: value / counted["redirects"] for name, value in counted.items()}
            front = each["cpu"] - each["function"] - each["stub"]
            cells = [
                f"{rate:,}" if rate else "as many as possible",
                f"{len(load.seconds) / took:,.0f}",
                *(f"{load.percentile(share):.1f}" for share in (0.5, 0.99)),
                f"{load.errors:,}",
                *(f"{cpu * 1000:.2f}" for cpu in (each["function"], front, each["stub"])),
                f"{counted['cpu'] / took:.2f}",
                f"{each['cpu'] * rate:.2f}" if rate else "1",
                f"{own / took:.2f}",
                f"{counted['loop'] / counted['loops'] * 1e6:.0f}",
            ]
            print(f"| {' | '.join(cells)} |", flush=True)


async def _at_rate(session: aiohttp.ClientSession, load: Load) -> None:
    """Requests that are sent at fixed times, independent of earlier ones."""
    running: set[asyncio.Task[None]] = set()
    began = time.perf_counter()
    for number in range(RATE * SECONDS):
        due = began + number / RATE
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        if len(running) >= WAITING:
            load.errors += 1
            # Let the others run: this loop is behind.
            await asyncio.sleep(0)
            continue
        task = asyncio.create_task(_visit(session, load, number, due))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)


async def _as_fast_as_possible(session: aiohttp.ClientSession, load: Load, visits: int) -> None:
    numbers = iter(range(visits))

    async def work() -> None:
        for number in numbers:
            await _visit(session, load, number, time.perf_counter())

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))


async def _visit(session: aiohttp.ClientSession, load: Load, number: int, due: float) -> None:
    link = number % LINKS
    try:
        async with session.get(
            f"/{code_of(link)}",
            allow_redirects=False,
            headers={"User-Agent": AGENTS[number % len(AGENTS)]},
        ) as response:
            location = response.headers.get("Location", "")
            right = response.status == 302 and f"item={link}&" in f"{location}&"
    except aiohttp.ClientError:
        right = False
    if right:
        load.seconds.append(time.perf_counter() - due)
    else:
        load.errors += 1


async def _figures(session: aiohttp.ClientSession) -> dict[str, float]:
    async with session.get(FIGURES) as response:
        found: dict[str, float] = await response.json()
        return found


@contextmanager
def _server(core: int) -> Iterator[int]:
    """The server's port, while its process runs the unpacked archive."""
    with tempfile.TemporaryDirectory() as directory:
        with zipfile.ZipFile(build_archive(Target.host())[0]) as packed:
            packed.extractall(directory)
        with socket.create_server((HOST, 0)) as free:
            port = free.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.redirect_server", str(core), str(LINKS), str(port)],
            stdout=subprocess.PIPE,
            # The function's log line for each redirect.
            stderr=subprocess.DEVNULL,
            text=True,
            # The first entry of the process's path.
            cwd=directory,
            env={
                "PATH": os.environ.get("PATH", ""),
                # The archive's functions and dependencies; aiohttp is this environment's.
                "PYTHONPATH": os.pathsep.join([directory, str(ROOT)]),
                "AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE",
                "AWS_SECRET_ACCESS_KEY": "w" * 40,
                "AWS_SESSION_TOKEN": "t" * 900,
                "AWS_DEFAULT_REGION": "eu-central-1",
                "AWS_LAMBDA_FUNCTION_NAME": "redirect",
                "LINKS_TABLE": "links",
                "CLICKS_TABLE": "clicks",
                "POWERTOOLS_SERVICE_NAME": "redirect",
            },
        )
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            if not ready.startswith(directory):
                raise RuntimeError(f"the server did not start with the archive's function: {ready}")
            _wait_for(port)
            yield port
        finally:
            process.kill()
            process.wait()


def _wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the server did not start")


if __name__ == "__main__":
    main()
