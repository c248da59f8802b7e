"""Exports: many links before a delete, one link with many clicks, and workers that are killed.

The real code in virtual time ([export_workers](export_workers.py)) against simulated services
([simulated_services](simulated_services.py)). Nothing here waits in real time, and every run gives
the same figures.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from bench.export_workers import EXPORT_SECONDS, export_before_delete, export_of_one_link
from bench.simulated import WORKSPACE, Simulation, isolate, link_ids
from bench.simulated_services import click
from bench.virtual import START
from functions.aws import client as aws
from functions.domain.clock import current_deadline, iso
from functions.repositories.clicks import PARTITIONS, ClicksTable
from functions.services.export_lines import ExportStores, LineReader


def _measured_cpu() -> tuple[float, float]:
    """Processor seconds of a ``Query`` that finds nothing, and of each click that it finds."""
    simulation = _Queries()
    aws.client.cache_clear()
    table = ClicksTable(simulation.serve(aws.client("dynamodb")), "clicks")
    given: dict[str, Any] = {"after": None, "until": iso(START)}
    [link_id] = link_ids(1)

    def measure(times: int, count: int) -> float:
        items = [click(link_id, 0, number) for number in range(count)]
        simulation.response = json.dumps({"Items": items}, separators=(",", ":")).encode()
        simulation.forget()
        started = time.process_time()
        reader = _reader(table)
        for _ in range(times):
            reader(link_id, given)
        return (time.process_time() - started - simulation.own_seconds) / times

    measure(200, 0)
    call = measure(2_000, 0)
    return call, (measure(50, 1_000) - call) / 1_000


def _reader(table: ClicksTable) -> Callable[[str, dict[str, Any]], Any]:
    stores = ExportStores(None, table, None)  # type: ignore[arg-type]

    def read(link_id: str, given: dict[str, Any]) -> Any:
        reader = LineReader([], WORKSPACE, given["until"], "", stores, current_deadline())
        return reader.page(link_id, 0, None)

    return read


class _Queries(Simulation):
    """Answers every ``Query`` with the same bytes."""

    response = b""

    def _Query(self, _body: bytes) -> bytes:  # noqa: N802 - the operation's name
        return self.response


def main() -> None:
    isolate()
    call_cpu, click_cpu = _measured_cpu()
    print(
        f"Client CPU measured here: {call_cpu * 1e6:.0f} µs a Query,"
        f" {click_cpu * 1e6:.1f} µs a click.\n"
    )
    print("### Links and clicks before a delete: 3 clicks a link, 8 ms a call\n")
    print(
        "| links | partitions | CPU | worker's seconds | workers | Query | BatchGetItem | saves"
        " | gap |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    three = (1, 0, 0, 1, 0, 0, 1, 0)
    cpus = {"none": (0.0, 0.0), "measured": (call_cpu, click_cpu)}
    for count in (100, 1_000, 10_000):
        for one_partition in (True, False):
            for name, (each_call, each_click) in cpus.items():
                done = export_before_delete(
                    count,
                    clicks=three,
                    one_partition=one_partition,
                    call_cpu=each_call,
                    click_cpu=each_click,
                )
                assert done.lines == count * 4
                print(
                    f"| {count:,} | {1 if one_partition else PARTITIONS} | {name}"
                    f" | {done.working:.1f} | {done.workers}"
                    f" | {done.calls['Query']:,} | {done.calls['BatchGetItem']:,}"
                    f" | {done.calls['save']} | {done.longest_gap:.1f} s |",
                    flush=True,
                )
    print("\n### The same, 10,000 links, with the worker killed at its n-th save\n")
    print("| killed at save | workers | seconds, waits included | working | lines |")
    print("|---|---|---|---|---|")
    at = 1
    while True:
        done = export_before_delete(10_000, clicks=three, kill_at=at)
        if done.workers == 1:
            break
        print(
            f"| {at} | {done.workers} | {done.seconds:.0f} | {done.working:.1f} | {done.lines:,} |",
            flush=True,
        )
        assert done.lines == 40_000
        at += 1
    print("\n### One link with 2,000,000 clicks, in short runs\n")
    print("| seconds a run | runs | seconds | Query | UploadPart | saves | lines | MB |")
    print("|---|---|---|---|---|---|---|---|")
    for seconds in (EXPORT_SECONDS, 18.0):
        done = export_of_one_link(
            2_000_000, seconds=seconds, call_cpu=call_cpu, click_cpu=click_cpu
        )
        print(
            f"| {seconds:.0f} | {done.workers} | {done.seconds:.0f} | {done.calls['Query']:,}"
            f" | {done.calls['UploadPart']} | {done.calls['save']}"
            f" | {done.lines:,} | {len(done.file) / 1e6:.0f} |",
            flush=True,
        )
        assert done.lines == 2_000_001
