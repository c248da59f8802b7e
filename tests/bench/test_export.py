"""Exports in virtual time: the real code, fast enough for many links and killable at any save."""

from __future__ import annotations

import pytest

from bench import simulated_services
from bench.export_workers import export_before_delete, export_of_one_link
from bench.virtual import START, VirtualClock
from functions.aws import client as aws
from functions.aws import parallel
from functions.services import export, export_lines, leases
from tests.conftest import ReportFigure

pytestmark = pytest.mark.exhaustive

#: Three clicks in eight shards.
THREE = (1, 0, 0, 1, 0, 0, 1, 0)


def test_a_thousand_links_take_a_worker_at_most_a_tenth_of_a_minute(
    report_figure: ReportFigure,
) -> None:
    done = export_before_delete(1_000, clicks=THREE)

    assert done.workers == 1
    # Busy links: eight shards and the link's own partition each.
    # The bar is 60 s for 10,000 links; `python -m bench export` runs them.
    assert done.working <= 6.0
    assert done.calls["Query"] == 9_000
    assert done.calls["BatchGetItem"] == 13
    assert done.lines == 4_000
    report_figure(f"export of 1,000 links with 3 clicks: {done.working:.2f} simulated seconds")


def test_links_that_are_not_busy_are_read_in_one_query_each() -> None:
    done = export_before_delete(1_000, clicks=THREE, one_partition=True)

    assert done.calls["Query"] == 1_000
    assert done.calls["BatchGetItem"] == 13
    assert done.lines == 4_000
    assert done.working <= 1.2


@pytest.mark.parametrize("clicks", [(0,) * 8, THREE, (250,) + (0,) * 7], ids=["0", "3", "250"])
def test_a_second_worker_completes_the_same_file_after_a_kill_at_any_save(
    monkeypatch: pytest.MonkeyPatch, clicks: tuple[int, ...]
) -> None:
    monkeypatch.setattr(export, "SAVE_SECONDS", 0.1)
    links = 60 if max(clicks) < 10 else 20
    whole = export_before_delete(links, clicks=clicks)
    assert whole.workers == 1
    assert whole.lines == links * (1 + sum(clicks))
    saves = whole.calls["save"]
    assert saves > 3
    for at in range(1, saves + 1):
        killed = export_before_delete(links, clicks=clicks, kill_at=at)

        assert killed.workers == 2
        assert killed.file == whole.file


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that a few thousand clicks fill."""
    for module, name in ((export, "PART_BYTES"), (simulated_services, "LEAST_PART_BYTES")):
        monkeypatch.setattr(module, name, 1 << 20)


@pytest.mark.usefixtures("small_parts")
def test_a_link_with_many_clicks_is_exported_over_many_short_runs(
    report_figure: ReportFigure,
) -> None:
    seconds = export.RESERVED_SECONDS + 0.05
    whole = export_of_one_link(5_000, seconds=600)

    done = export_of_one_link(5_000, seconds=seconds, page_bytes=1 << 17)

    assert whole.workers == 1
    assert done.workers > 20
    assert done.calls["UploadPart"] == 3
    assert done.lines == 5_001
    assert done.file == whole.file
    report_figure(f"export of 5,000 clicks in runs of 0.05 s: {done.workers} runs")


@pytest.mark.usefixtures("small_parts")
def test_a_short_run_that_is_killed_at_any_save_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export, "SAVE_SECONDS", 0.04)
    whole = export_of_one_link(3_200, seconds=600)
    seconds = export.RESERVED_SECONDS + 0.2
    at = 1
    while True:
        killed = export_of_one_link(3_200, seconds=seconds, page_bytes=1 << 17, kill_at=at)
        assert killed.file == whole.file
        if killed.calls["save"] < at:
            break
        at += 1
    assert at > 10


def test_the_lease_is_renewed_in_time_during_slow_reads(report_figure: ReportFigure) -> None:
    done = export_before_delete(60, clicks=THREE, latency=2.0)

    assert done.lines == 240
    assert done.longest_gap < leases.LEASE_SECONDS - leases.LEASE_MARGIN
    report_figure(f"export with 2 s a call: a save at least every {done.longest_gap:.0f} s")


def test_throttled_reads_are_slower_but_always_end(monkeypatch: pytest.MonkeyPatch) -> None:
    done = export_before_delete(100, clicks=THREE, queries_a_second=6, seconds=100)

    # 900 queries at 6 a second take 150 s: more than one worker has.
    assert done.workers > 1
    assert done.lines == 400
    assert done.longest_gap < leases.LEASE_SECONDS - leases.LEASE_MARGIN


def test_the_time_between_two_saves_is_shorter_than_a_lease() -> None:
    hanging_read = aws.CONNECT_TIMEOUT + aws.READ_TIMEOUT
    # functions/handlers/deletion_worker.py gives its S3 client this read timeout.
    hanging_upload = aws.CONNECT_TIMEOUT + 15
    reading = export.SAVE_SECONDS + export_lines.STEP_SECONDS + hanging_read
    writing = export.UPLOAD_SECONDS + hanging_upload

    assert reading + writing < leases.LEASE_SECONDS - leases.LEASE_MARGIN + 5


def test_simulated_threads_wait_in_parallel_and_share_one_cpu() -> None:
    clock = VirtualClock()

    def work(number: int) -> float:
        clock.sleep(1.0)
        clock.compute(0.1)
        return clock.now

    with clock.running():
        ends = parallel.in_parallel(work, range(32))

    assert ends[0] - START == pytest.approx(1.1)
    # 16 threads wait a second together; then the processor has 32 turns, one after the other.
    assert clock.now - START == pytest.approx(4.2)
