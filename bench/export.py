"""Exports: many links before a delete, one link with many clicks, and workers that are killed.

The real code in virtual time against simulated services: the stores of links, clicks and objects
count their calls. Each call takes 8 ms and the client's processor time; objects also travel at
50 MB a second. Nothing here waits in real time, and every run gives the same figures.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from bench.simulated import WORKSPACE, Simulation, isolate, link_ids, link_item
from bench.virtual import START, VirtualClock
from functions.aws import client as aws
from functions.aws.codec import from_item, to_item
from functions.domain.clock import current_deadline, deadline, iso
from functions.domain.deletion import Deletion
from functions.domain.ids import SHARDS
from functions.domain.outcomes import Outcome
from functions.repositories.clicks import (
    OWN_PARTITION,
    PARTITIONS,
    ClicksTable,
    partition_key,
)
from functions.repositories.exports import ExportGone, ExportsBucket
from functions.repositories.links import LinksTable
from functions.services.deletion import Stores
from functions.services.export import run_export
from functions.services.export_lines import ExportStores
from functions.services.run_deletion import resume

if TYPE_CHECKING:
    from functions.domain.deletion_names import DeletionState

LATENCY = 0.008
BYTES_A_SECOND = 50_000_000

#: The client's processor seconds for a call, and for each click in its answer, on one whole vCPU.
#: `python -m bench export` measures them and prints both.
CALL_CPU, CLICK_CPU = 0.000_4, 0.000_03

#: What a deletion's worker and an export's have between their start and their deadline.
RESUME_SECONDS, EXPORT_SECONDS = 295.0, 55.0

#: The schedule that finds leases that have run out.
SCHEDULE_SECONDS = 60.0

#: A Query answers at most this much (API reference, Query).
PAGE_BYTES = 1 << 20


class Killed(BaseException):
    """The worker was killed."""


@dataclass
class Services:
    """Simulated DynamoDB tables, S3 bucket and queue; clients of botocore's form."""

    clock: VirtualClock
    #: Clicks in each shard of every link. With `one_partition` all are in the link's own instead.
    clicks: tuple[int, ...] = (0,) * SHARDS
    one_partition: bool = False
    #: Seconds that every call takes.
    latency: float = LATENCY
    call_cpu: float = CALL_CPU
    click_cpu: float = CLICK_CPU
    #: Queries that are answered in each second; more are throttled. 0: all.
    queries_a_second: int = 0
    #: Bytes of clicks in one answer.
    page_bytes: int = PAGE_BYTES
    #: The n-th durable save (from 1) after which the worker is killed.
    kill_at: int = 0

    calls: Counter[str] = field(default_factory=Counter)
    objects: dict[str, bytes] = field(default_factory=dict)
    saves: list[float] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._answered: dict[int, int] = {}
        self._uploads: dict[str, dict[int, bytes]] = {}
        self._click_bytes = len(json.dumps(click(link_ids(1)[0], 0, 0)))

    def called(self, operation: str, size: int = 0, cpu: float = 0.0) -> None:
        self.calls[operation] += 1
        self.clock.sleep(self.latency + size / BYTES_A_SECOND)
        self.clock.compute(self.call_cpu + cpu)

    def saved(self) -> None:
        """A position became durable; the worker may be killed here."""
        self.called("save")
        self.saves.append(self.clock.now)
        if len(self.saves) == self.kill_at:
            raise Killed

    # -- DynamoDB ---------------------------------------------------------------------------

    def get_item(self, *, Key: dict[str, Any], **_: Any) -> dict[str, Any]:
        self.called("GetItem")
        return {"Item": self._link(Key["pk"]["S"].partition("#")[2])}

    def _link(self, link_id: str) -> dict[str, Any]:
        mark: dict[str, Any] = {"onePartition": {"BOOL": True}} if self.one_partition else {}
        return link_item(link_id) | mark

    def _throttle(self) -> None:
        second = int(self.clock.now)
        self._answered = {second: self._answered.get(second, 0) + 1}
        if self.queries_a_second and self._answered[second] > self.queries_a_second:
            response: Any = {"Error": {"Code": "ProvisionedThroughputExceededException"}}
            raise ClientError(response, "Query")

    def batch_get_item(self, *, RequestItems: dict[str, Any], **_: Any) -> dict[str, Any]:
        self.called("BatchGetItem")
        [(table, request)] = RequestItems.items()
        keys = [json.loads(key) if isinstance(key, str) else key for key in request["Keys"]]
        ids = [key["pk"]["S"].partition("#")[2] for key in keys]
        return {"Responses": {table: [self._link(each) for each in ids]}}

    def query(self, **given: Any) -> dict[str, Any]:
        link_id, _, shard = given["ExpressionAttributeValues"][":partition"]["S"].partition("#")
        if shard:
            number, clicks = int(shard), self.clicks[int(shard)]
        else:
            number, clicks = OWN_PARTITION, sum(self.clicks) if self.one_partition else 0
        after = given.get("ExclusiveStartKey")
        start = int(after["sk"]["S"].rpartition("-")[2]) + 1 if after else 0
        room = min(given.get("Limit", 1 << 30), max(1, self.page_bytes // self._click_bytes))
        end = min(clicks, start + room)
        self.called("Query", cpu=self.click_cpu * max(0, end - start))
        self._throttle()
        items = [click(link_id, number, position) for position in range(start, end)]
        # As DynamoDB does: a full page may have a successor.
        more = {"LastEvaluatedKey": items[-1]} if items and end - start == room else {}
        return {"Items": items} | more

    # -- S3 ---------------------------------------------------------------------------------

    def put_object(self, *, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:
        self.called("PutObject", len(Body))
        self.objects[Key] = Body
        return {}

    def get_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        self.called("GetObject", len(self.objects[Key]))
        return {"Body": _Body(self.objects[Key])}

    def delete_objects(self, *, Delete: dict[str, Any], **_: Any) -> dict[str, Any]:
        self.called("DeleteObjects")
        for each in Delete["Objects"]:
            self.objects.pop(each["Key"], None)
        return {}

    def create_multipart_upload(self, **_: Any) -> dict[str, Any]:
        self.called("CreateMultipartUpload")
        upload_id = f"upload-{len(self._uploads)}"
        self._uploads[upload_id] = {}
        return {"UploadId": upload_id}

    def upload_part(
        self,
        *,
        UploadId: str,
        PartNumber: int,
        Body: bytes,
        **_: Any,
    ) -> dict[str, Any]:
        self.called("UploadPart", len(Body))
        self._uploads[UploadId][PartNumber] = Body
        return {"ETag": str(PartNumber)}

    def list_parts(self, *, UploadId: str, **_: Any) -> dict[str, Any]:
        self.called("ListParts")
        numbers = sorted(self._uploads[UploadId])
        return {"Parts": [{"PartNumber": each, "ETag": str(each)} for each in numbers]}

    def complete_multipart_upload(
        self,
        *,
        Key: str,
        UploadId: str,
        MultipartUpload: dict[str, Any],
        **_: Any,
    ) -> dict[str, Any]:
        self.called("CompleteMultipartUpload")
        parts = self._uploads.pop(UploadId)
        bodies = [parts[each["PartNumber"]] for each in MultipartUpload["Parts"]]
        # S3 refuses parts below 5 MiB, except the last (EntityTooSmall).
        assert all(len(body) >= 5 << 20 for body in bodies[:-1])
        self.objects[Key] = b"".join(bodies)
        return {}

    # -- what the code is given -------------------------------------------------------------

    def export_stores(self) -> ExportStores:
        return ExportStores(
            links=LinksTable(self, "links"),
            clicks=ClicksTable(self, "clicks"),
            bucket=ExportsBucket(self, "exports"),
        )


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self) -> bytes:
        return self._content


def click(link_id: str, shard: int, number: int) -> dict[str, Any]:
    """A click of ordinary size as it is stored."""
    moment = "2026-01-31T12:00:00.000Z"
    click_id = f"{shard:08d}-0000-4000-8000-{number:012d}"
    return _click_of(link_id) | {
        "pk": {"S": partition_key(link_id, shard)},
        "sk": {"S": f"CLICK#{moment}#{click_id}"},
        "id": {"S": click_id},
    }


def _click_of(link_id: str) -> dict[str, Any]:
    if link_id not in _CLICKS:
        _CLICKS.clear()
        _CLICKS[link_id] = to_item(
            {
                "linkId": link_id,
                "workspaceId": WORKSPACE,
                "clickedAt": "2026-01-31T12:00:00.000Z",
                "ipAddress": "198.51.100.23",
                "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0.0.0",
                "deviceType": "desktop",
                "platform": "linux",
                "countryCode": "DE",
                "city": "Berlin",
                "timezone": "Europe/Berlin",
                "referrer": "https://news.example/",
                "isBot": False,
            }
        )
    return _CLICKS[link_id]


_CLICKS: dict[str, dict[str, Any]] = {}


# -- an export before a delete ----------------------------------------------------------------


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
        # The export is what is measured here; deleting has a benchmark of its own.
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
        queue = _Queue(given)
        queue.send({})

        def work() -> None:
            if given.messages:
                with deadline(seconds):
                    run_export(
                        WORKSPACE,
                        link_id,
                        "export-1",
                        records=records,  # type: ignore[arg-type]
                        stores=given.export_stores(),
                        queue=queue,  # type: ignore[arg-type]
                    )
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


# -- the figures --------------------------------------------------------------------------------


def _measured_cpu() -> tuple[float, float]:
    """Processor seconds of a ``Query`` that finds nothing, and of each click that it finds."""
    simulation = _Queries()
    aws.client.cache_clear()
    table = ClicksTable(simulation.serve(aws.client("dynamodb")), "clicks")
    given: dict[str, Any] = {"after": None, "until": iso(START)}
    [link_id] = link_ids(1)

    def measure(times: int, count: int) -> float:
        items = [click(link_id, 0, number) for number in range(count)]
        simulation.answer = json.dumps({"Items": items}, separators=(",", ":")).encode()
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
    from functions.services.export_lines import LineReader

    stores = ExportStores(None, table, None)  # type: ignore[arg-type]

    def read(link_id: str, given: dict[str, Any]) -> Any:
        reader = LineReader([], WORKSPACE, given["until"], "", stores, current_deadline())
        return reader.page(link_id, 0, None)

    return read


class _Queries(Simulation):
    """Answers every ``Query`` with the same bytes."""

    answer = b""

    def _Query(self, _body: bytes) -> bytes:  # noqa: N802 - the operation's name
        return self.answer


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
