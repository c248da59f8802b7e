"""DynamoDB's tables, S3's bucket and a queue in virtual time, as botocore's clients answer.

They count their calls. Each call takes 8 ms and the client's processor time; objects also travel at
50 MB a second. A worker can be killed at any of its durable saves.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from bench.simulated import WORKSPACE, link_ids, link_item
from bench.virtual import VirtualClock
from functions.aws.codec import to_item
from functions.domain.ids import SHARDS
from functions.repositories.clicks import OWN_PARTITION, ClicksTable, partition_key
from functions.repositories.exports import ExportsBucket
from functions.repositories.links import LinksTable
from functions.services.export_lines import ExportStores

LATENCY = 0.008
BYTES_A_SECOND = 50_000_000

#: The client's processor seconds for a call, and for each click in its response, on one whole vCPU.
#: More than was measured (`MEASURED_CPU` in `export.py`).
CALL_CPU, CLICK_CPU = 0.000_4, 0.000_03

#: A Query answers at most this much (API reference, Query).
PAGE_BYTES = 1 << 20

#: S3 refuses parts below this, except the last (EntityTooSmall).
LEAST_PART_BYTES = 5 << 20


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
    #: Bytes of clicks in one response.
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
        assert all(len(body) >= LEAST_PART_BYTES for body in bodies[:-1])
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
