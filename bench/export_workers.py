"""Exports by the real code in virtual time: one worker after the other until they are complete."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bench.simulated import WORKSPACE, link_ids
from bench.simulated_services import PAGE_BYTES, Killed, Services
from bench.virtual import START, VirtualClock
from functions.aws.codec import from_item, to_item
from functions.domain.clock import deadline, iso
from functions.domain.deletion import Deletion
from functions.domain.ids import SHARDS
from functions.domain.outcomes import Outcome
from functions.repositories.exports import ExportGone, message_of
from functions.repositories.links import LinksTable
from functions.services.deletion import Stores
from functions.services.export_runs import ExportJobs, run_export
from functions.services.run_deletion import resume

if TYPE_CHECKING:
    from functions.domain.deletion_names import DeletionState

#: Seconds between start and deadline of a deletion's worker and of an export's.
RESUME_SECONDS, EXPORT_SECONDS = 295.0, 55.0

#: The schedule that finds leases that have run out.
SCHEDULE_SECONDS = 60.0


@dataclass
class Record:
    """The deletion's record with the conditions of the real repository."""

    services: Services
    deletion: Deletion
    leases: int = 0

    def load(self, *_: Any, **__: Any) -> Deletion:
        self.services.called("GetItem")
        return replace(self.deletion)

    def acquire_lease(self, deletion: Deletion, *, seconds: float, **_: Any) -> bool:
        self.services.called("UpdateItem")
        mine = self.deletion
        if mine.lease_until > time.time() or mine.lease != deletion.lease or not mine.open:
            return False
        self.leases += 1
        deletion.lease = mine.lease = f"lease-{self.leases}"
        deletion.lease_until = mine.lease_until = time.time() + seconds
        return True

    def save_export(self, deletion: Deletion, *, lease_seconds: float, **_: Any) -> bool:
        if not self._held_by(deletion):
            return False
        self.deletion = replace(
            self.deletion,
            export=deletion.export,
            state=deletion.state,
            lease_until=time.time() + lease_seconds,
        )
        deletion.lease_until = self.deletion.lease_until
        self.services.saved()
        return True

    def save_progress(self, deletion: Deletion, *, lease_seconds: float, **_: Any) -> bool:
        self.services.called("UpdateItem")
        if not self._held_by(deletion):
            return False
        self.deletion.lease_until = time.time() + lease_seconds if lease_seconds else 0.0
        deletion.lease_until = self.deletion.lease_until
        return True

    def close(self, deletion: Deletion, *, state: DeletionState, **_: Any) -> None:
        self.services.called("UpdateItem")
        self.deletion = replace(deletion, state=state)

    def _held_by(self, deletion: Deletion) -> bool:
        return self.deletion.lease == deletion.lease and self.deletion.open


@dataclass(frozen=True)
class Outcomes:
    """The result of a run of workers; seconds are simulated."""

    workers: int
    #: From the first worker's start to the end of the last one.
    seconds: float
    #: The same without the waits between two workers.
    working: float
    #: The longest time between two saves of one worker.
    longest_gap: float
    calls: Counter[str]
    file: bytes

    @property
    def lines(self) -> int:
        return self.file.count(b"\n")


def export_before_delete(
    count: int,
    *,
    kill_at: int = 0,
    seconds: float = RESUME_SECONDS,
    **services: Any,
) -> Outcomes:
    """Run workers until a deletion with an export of this many links is complete."""
    clock = VirtualClock()
    given = Services(clock, kill_at=kill_at, **services)
    with clock.running():
        ids = link_ids(count)
        deletion_id = "019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b"
        record = Record(
            given,
            Deletion(
                id=deletion_id,
                workspace_id=WORKSPACE,
                mode="soft",
                state="exporting",
                actor={},
                created_at=iso(START),
                link_ids=ids,
                outcomes=bytearray([Outcome.PENDING]) * count,
                lease="request",
                export={"baseUrl": "https://go.example"},
            ),
        )
        links = LinksTable(given, "links")
        # Only the export is measured here; deleting has its own benchmark.
        links.batches.mark_deleted = lambda _, ids, **__: [Outcome.DELETED] * len(ids)  # type: ignore[method-assign, assignment]
        stores = Stores(
            links=links,
            deletions=record,  # type: ignore[arg-type]
            erasures=None,  # type: ignore[arg-type]
            slots=None,  # type: ignore[arg-type]
            open_exports=None,  # type: ignore[arg-type]
            resume_queue=_Queue(given),  # type: ignore[arg-type]
            exports=given.export_stores(),
        )

        def work() -> None:
            with deadline(seconds):
                resume(WORKSPACE, deletion_id, stores=stores)

        return _work_until(lambda: not record.deletion.open, work, given, record)


def export_of_one_link(
    clicks: int, *, seconds: float, kill_at: int = 0, page_bytes: int = PAGE_BYTES, **services: Any
) -> Outcomes:
    """Run workers until the export of one link is complete, each for at most this many seconds."""
    clock = VirtualClock()
    shards = tuple(clicks // SHARDS + (shard < clicks % SHARDS) for shard in range(SHARDS))
    given = Services(clock, clicks=shards, kill_at=kill_at, page_bytes=page_bytes, **services)
    with clock.running():
        [link_id] = link_ids(1)
        records = _Exports(given, link_id)
        jobs = ExportJobs(
            records=records,  # type: ignore[arg-type]
            opened=None,  # type: ignore[arg-type]
            queue=_Queue(given),  # type: ignore[arg-type]
            stores=given.export_stores(),
            deliveries=5,
        )
        jobs.queue.send(message_of(records.record))

        def work() -> None:
            if given.messages:
                with deadline(seconds):
                    run_export(given.messages[0], jobs)
                del given.messages[0]

        return _work_until(lambda: records.record["state"] == "complete", work, given, None)


class _Exports:
    """The export's record, with its version."""

    def __init__(self, services: Services, link_id: str) -> None:
        self._services = services
        self.record: dict[str, Any] = {
            "id": "export-1",
            "linkId": link_id,
            "workspaceId": WORKSPACE,
            "state": "pending",
            "createdAt": iso(START),
            "baseUrl": "https://go.example",
            "slot": 0,
            "version": 0,
        }

    def get(self, *_: Any, **__: Any) -> dict[str, Any]:
        self._services.called("GetItem")
        return from_item(to_item(self.record))

    def advance(self, record: dict[str, Any], **changes: Any) -> None:
        if record["version"] != self.record["version"]:
            raise ExportGone
        record.update(changes | {"version": int(record["version"]) + 1})
        self.record = dict(record)
        self._services.saved()


class _Queue:
    def __init__(self, services: Services) -> None:
        self._services = services

    def send(self, message: dict[str, Any], **_: Any) -> None:
        self._services.called("SendMessage")
        self._services.messages.append(message)


def _work_until(
    done: Callable[[], bool], work: Callable[[], None], given: Services, record: Record | None
) -> Outcomes:
    """Start a worker whenever one is due, until the work is done."""
    clock = given.clock
    began, workers, working, gaps = clock.now, 0, 0.0, [0.0]
    while not done():
        workers += 1
        started, saves = clock.now, len(given.saves)
        with suppress(Killed):
            work()
        working += clock.now - started
        moments = [started, *given.saves[saves:]]
        gaps += [after - before for before, after in pairwise(moments)]
        if not done() and record is not None and record.deletion.lease_until > clock.now:
            # Killed: the schedule finds it when its lease has expired.
            clock.now = record.deletion.lease_until
            clock.now += SCHEDULE_SECONDS - (clock.now - START) % SCHEDULE_SECONDS
        assert workers < 1_000, "it never completes"
    [file] = [body for key, body in given.objects.items() if key.endswith(".ndjson")]
    return Outcomes(workers, clock.now - began, working, max(gaps), given.calls, file)
