"""The cost of a soft delete, compared with simpler implementations.

    .venv/bin/python -m bench soft_delete
    .venv/bin/python -m bench.soft_delete --against REVISION

With a revision, its soft delete and this one run in turns, each in its own process. All on one CPU,
against the simulated DynamoDB. The alternatives only write: no validation, no record, no resume.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import capacity
from bench.implementations import IMPLEMENTATIONS, Unlink, UpdateLoop
from bench.instructions import instructions
from bench.local_trees import tree_of
from bench.simulated import Simulation, isolate, link_ids, link_item
from functions.domain.outcomes import Outcome
from infra.packaging import ROOT

#: Seconds that a call to DynamoDB takes in the runs of wall time.
LATENCY = 0.008
SIZES = (100, 500, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 9_000, 10_000)
REPETITIONS = 7

#: Run in a source tree: for each line of input, microseconds of CPU a link of one soft delete and
#: of the loop. All names exist since the first revision with this benchmark.
_TURNS = """
import sys
from bench.soft_delete import (
    Simulation, Unlink, UpdateLoop, isolate, link_ids, measure, one_processor
)
isolate()
with one_processor():
    ids = link_ids(10_000)
    runs = []
    for implementation, some in ((Unlink, ids), (UpdateLoop, ids[:1_000])):
        simulation = Simulation()
        runs.append((implementation(simulation).delete, some, simulation))
    for selected in sys.stdin:
        for delete, some, simulation in runs[: int(selected)]:
            print(measure(delete, some, simulation).seconds / len(some) * 1e6, flush=True)
"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one run: processor seconds without the simulation's, requests by operation, units."""

    seconds: float
    requests: dict[str, int]
    read_units: int
    write_units: int


def measure(delete: Callable[[Sequence[str]], Any], ids: Sequence[str], sim: Simulation) -> Cost:
    """Run once and count."""
    sim.forget()
    started = time.process_time()
    delete(ids)
    seconds = time.process_time() - started - sim.own_seconds
    requests = dict(sim.requests)
    one = link_item(ids[0])
    read = len(ids) * capacity.read_units(one) if "BatchGetItem" in requests else 0
    # Each write also removes the link's entry from the index of live links.
    write = len(ids) * capacity.write_units(one, index_entries=1)
    if "BatchExecuteStatement" in requests:
        write += capacity.record_write_units(sim.written)
    elif "TransactWriteItems" in requests:
        # Double for the item; the guide does not say whether the index part doubles as well.
        write = len(ids) * (2 * capacity.write_units(one) + 1)
    return Cost(seconds=seconds, requests=requests, read_units=read, write_units=write)


@contextmanager
def one_processor() -> Iterator[None]:
    """Like a Lambda function of 1,769 MB; where the system cannot say so, all processors."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def main(against: str | None = None) -> None:
    isolate()
    if against:
        _compare(against)
        return
    with one_processor():
        _client_cpu()
        _wall_time()
        _throttled()
        _memory()
        _cost_against_size()


def _client_cpu() -> None:
    print("### Client CPU, requests, capacity: 10,000 links\n")
    print("| | µs CPU a link | least | × Unlink | requests | RCU a link | WCU a link |")
    print("|---|---|---|---|---|---|---|")
    ids = link_ids(10_000)
    runs: list[tuple[Any, Callable[..., Any], list[str], Simulation, list[Cost]]] = []
    for implementation in IMPLEMENTATIONS:
        simulation = Simulation()
        some = ids if implementation is not UpdateLoop else ids[:1_000]
        runs.append((implementation, implementation(simulation).delete, some, simulation, []))
    # In turns, so that other load on the machine affects all variants equally.
    for repetition in range(REPETITIONS + 1):
        for _, delete, some, simulation, costs in runs:
            cost = measure(delete, some, simulation)
            if repetition:
                costs.append(cost)
    own = [cost.seconds / len(ids) for cost in runs[0][4]]
    for implementation, _, some, _, costs in runs:
        seconds = [cost.seconds / len(some) for cost in costs]
        each, least = statistics.median(seconds) * 1e6, min(seconds) * 1e6
        # Of each turn by itself: both then ran under the same load.
        ratio = statistics.median(theirs / own for theirs, own in zip(seconds, own, strict=True))
        cost = costs[0]
        scale = len(ids) // len(some)
        requests = sum(cost.requests.values()) * scale
        print(
            f"| {implementation.name} | {each:.1f} | {least:.1f} | {ratio:.1f} | {requests:,}"
            f" | {cost.read_units / len(some):.3f} | {cost.write_units / len(some):.3f} |"
        )
    print(f"\nUnlink's requests: {_listed(runs[0][4][0].requests)}")
    print(
        f"Medians of {REPETITIONS} runs; the loop ran 1,000 links. Units by the documented rules."
    )


def _compare(revision: str) -> None:
    """Both soft deletes, and the loop of both trees, which is the same code."""
    with ExitStack() as running:
        trees = [running.enter_context(tree_of(revision)), ROOT]
        processes = [running.enter_context(_turns(tree)) for tree in trees]
        taken: list[list[tuple[float, float]]] = [[], []]
        for repetition in range(REPETITIONS + 1):
            for figures, process in zip(taken, processes, strict=True):
                assert process.stdin is not None
                assert process.stdout is not None
                print(2, file=process.stdin, flush=True)
                turn = float(process.stdout.readline()), float(process.stdout.readline())
                if repetition:
                    figures.append(turn)
        counts = [_instructions(tree) for tree in trees]
    print("| µs CPU a link | before | least | now | least | now ÷ before |")
    print("|---|---|---|---|---|---|")
    for position, name in enumerate((Unlink.name, UpdateLoop.name)):
        first, last = ([turn[position] for turn in figures] for figures in taken)
        ratio = statistics.median(b / a for a, b in zip(first, last, strict=True))
        cells = [f"{statistics.median(each):.1f} | {min(each):.1f}" for each in (first, last)]
        print(f"| {name} | {' | '.join(cells)} | {ratio:.2f} |")
    print(
        f"| {Unlink.name}, instructions a link | {counts[0]:,.0f} | | {counts[1]:,.0f} | "
        f"| {counts[1] / counts[0]:.2f} |"
    )


def _instructions(tree: Path) -> float:
    """A link, the simulation's included. Not a number without Valgrind."""
    counts = [
        instructions([sys.executable, "-c", _TURNS], environment=os.environ, directory=tree, text=n)
        # The same process with one soft delete and with two.
        for n in ("1\n", "1\n1\n")
    ]
    return (counts[1] - counts[0]) / 10_000 if counts[0] and counts[1] else float("nan")


@contextmanager
def _turns(tree: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", _TURNS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tree,
    ) as process:
        yield process


def _listed(requests: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(requests.items()))


def _wall_time() -> None:
    print(f"\n### Seconds at {LATENCY * 1000:.0f} ms a call, one processor\n")
    print(
        "| links | " + " | ".join(implementation.name for implementation in IMPLEMENTATIONS) + " |"
    )
    print("|---" * (len(IMPLEMENTATIONS) + 1) + "|")
    for count in (100, 1_000, 10_000):
        ids = link_ids(count)
        cells = []
        for implementation in IMPLEMENTATIONS:
            # A loop of 10,000 calls takes ten times a loop of 1,000.
            maximum = 1_000 if implementation is UpdateLoop else count
            some = ids[:maximum]
            simulation = Simulation(latency=LATENCY)
            run = implementation(simulation)
            run.delete(some[:100])
            times = []
            for _ in range(3 if implementation is Unlink else 1):
                started = time.perf_counter()
                run.delete(some)
                times.append(time.perf_counter() - started)
            seconds = statistics.median(times) * count / len(some)
            cells.append(f"{'≈ ' if len(some) < count else ''}{seconds:.2f}")
        print(f"| {count:,} | " + " | ".join(cells) + " |", flush=True)
    print("\nThe simulation's own CPU is part of these.")


def _throttled() -> None:
    print("\n### 5 % of the statements throttled, 8 ms a call, one processor\n")
    print("| links | deadline | seconds | statements | deleted | requeued | lost | twice |")
    print("|---|---|---|---|---|---|---|---|")
    for count, seconds in ((100, 25.0), (1_000, 25.0), (10_000, 25.0), (10_000, 0.6)):
        ids = link_ids(count)
        simulation = Simulation(latency=LATENCY, throttled=0.05)
        unlink = Unlink(simulation)
        started = time.perf_counter()
        deletion = unlink.delete(ids, seconds=seconds)
        took = time.perf_counter() - started
        deleted = set(deletion.ids_with(Outcome.DELETED))
        pending = set(deletion.ids_with(Outcome.PENDING))
        handed_over = pending if unlink.queue.sent else set()
        applied = simulation.applied
        # Lost: neither reported as deleted nor queued, or reported but not deleted.
        lost = len(set(ids) - deleted - handed_over) + len(deleted - set(applied))
        twice = sum(times > 1 for times in applied.values())
        print(
            f"| {count:,} | {seconds} s | {took:.2f}"
            f" | {simulation.requests['BatchExecuteStatement']} calls"
            f" | {len(deleted):,} | {len(handed_over):,} | {lost} | {twice} |",
            flush=True,
        )
        assert lost == twice == 0


def _memory() -> None:
    print("\n### Memory growth for 10,000 ids (a process of its own)\n")
    grown = {}
    for what in ("rss", "traced"):
        child = subprocess.run(
            [sys.executable, "-c", f"from bench.soft_delete import grow; grow({what!r})"],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        grown[what] = json.loads(child.stdout) / 2**20
    print(f"- peak of the process (resident): + {grown['rss']:.1f} MiB")
    print(f"- peak of Python's allocations (tracemalloc): {grown['traced']:.1f} MiB")


def grow(what: str) -> None:
    """Print by how many bytes memory grows, from a warm client with 16 threads on."""
    isolate()
    simulation = Simulation()
    unlink = Unlink(simulation)
    ids = link_ids(10_000)
    # The simulation's responses must not count, so they are prepared before.
    unlink.delete(link_ids(1_600))
    simulation.prepare(ids)
    simulation.applied.update(ids)
    if what == "traced":
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        unlink.delete(ids)
        print(tracemalloc.get_traced_memory()[1] - before)
    else:
        before = _resident_peak(afresh=True)
        unlink.delete(ids)
        print(_resident_peak() - before)


def _resident_peak(*, afresh: bool = False) -> int:
    """The most memory in bytes that this process has had; ``afresh`` starts from what it has."""
    status, forget = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not status.exists():
        # Not Linux: the peak of the whole life (macOS counts bytes, others kilobytes).
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    if afresh:
        # proc(5): "5" resets the peak resident set size.
        forget.write_text("5")
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def _cost_against_size() -> None:
    print("\n### Cost against size\n")
    simulation = Simulation()
    unlink = Unlink(simulation)
    runs: dict[int, list[Cost]] = {size: [] for size in SIZES}
    unlink.delete(link_ids(SIZES[-1]))
    for _ in range(REPETITIONS):
        for size in SIZES:
            runs[size].append(measure(unlink.delete, link_ids(size), simulation))
    series = {
        "Client CPU, ms": [
            statistics.median(cost.seconds for cost in runs[size]) * 1000 for size in SIZES
        ],
        "Requests": [float(sum(runs[size][0].requests.values())) for size in SIZES],
        "Capacity units": [
            float(runs[size][0].read_units + runs[size][0].write_units) for size in SIZES
        ],
    }
    print("| links | " + " | ".join(series) + " |")
    print("|---" * (len(series) + 1) + "|")
    for position, size in enumerate(SIZES):
        cells = [f"{values[position]:,.0f}" for values in series.values()]
        print(f"| {size:,} | " + " | ".join(cells) + " |")
    print()
    for name, values in series.items():
        slope, start = statistics.linear_regression(SIZES, values)
        r_squared = statistics.correlation(SIZES, values) ** 2
        print(f"- {name} = {slope:.4f} × links + {start:.1f} (R² = {r_squared:.5f})")
    for name, values in series.items():
        # The points of a chart have equal distances, so only the whole thousands.
        points = {size: values[n] for n, size in enumerate(SIZES) if size % 1_000 == 0}
        print("\n```mermaid\nxychart-beta")
        print(f'    title "{name}"\n    x-axis "links" {list(points)}')
        print(f"    y-axis 0 --> {max(values):.0f}")
        print(f"    line [{', '.join(f'{value:.0f}' for value in points.values())}]\n```")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--against", metavar="REVISION")
    main(arguments.parse_args().against)
