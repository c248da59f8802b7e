"""Exports: many links before a delete, one link with many clicks, and workers that are killed.

The real code in virtual time ([export_workers](export_workers.py)) against simulated services
([simulated_services](simulated_services.py)). Nothing here waits in real time, and every run gives
the same figures.
"""

from __future__ import annotations

from bench.export_workers import EXPORT_SECONDS, export_before_delete, export_of_one_link
from functions.repositories.clicks import PARTITIONS

#: Processor seconds of a ``Query`` that finds nothing, and of each click that it finds. Measured
#: once with botocore whole and only its connection replaced, on a busy machine.
MEASURED_CPU = (0.000_282, 0.000_022)


def main() -> None:
    print("### Links and clicks before a delete: 3 clicks a link, 8 ms a call\n")
    print(
        "| links | partitions | CPU | worker's seconds | workers | Query | BatchGetItem | saves"
        " | gap |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    three = (1, 0, 0, 1, 0, 0, 1, 0)
    cpus = {"none": (0.0, 0.0), "measured": MEASURED_CPU}
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
        call_cpu, click_cpu = MEASURED_CPU
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
