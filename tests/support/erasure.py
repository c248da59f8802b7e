"""Shared by tests of purges: repositories on the emulator, and a stream of link records."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from functions.aws.codec import from_item, to_item
from functions.aws.events import EventBus
from functions.aws.s3 import Bucket
from functions.aws.sqs import Queue
from functions.domain.clock import deadline, now_iso
from functions.domain.deletion import Deletion
from functions.domain.outcomes import Outcome
from functions.repositories.clicks import partitions_of
from functions.repositories.exports import ExportsBucket, object_key
from functions.repositories.failed_records import FailuresBucket
from functions.repositories.link_counts import LinkCounts
from functions.services.expired_links import EraseStores
from functions.services.link_stream import CleanupStores, clean_up
from functions.services.purge import purge_dependents, requeue
from functions.services.purge_message import read_message
from tests.conftest import World, make_world


class FakeS3:
    """A bucket in memory that counts its calls."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.calls: list[str] = []

    def delete_objects(self, *, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:
        self.calls.append("delete_objects")
        assert len(Delete["Objects"]) <= 1000
        for entry in Delete["Objects"]:
            self.objects.pop(entry["Key"], None)
        return {}

    def list_objects_v2(self, *, Prefix: str, **_: Any) -> dict[str, Any]:
        self.calls.append("list_objects_v2")
        return {"Contents": [{"Key": key} for key in self.objects if key.startswith(Prefix)]}

    def put_object(self, *, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:
        self.calls.append("put_object")
        self.objects[Key] = Body
        return {}


class FakeEvents:
    """A bus in memory."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        assert len(Entries) <= 10
        self.entries += Entries
        return {"Entries": [{"EventId": "1"} for _ in Entries]}


class FakeSqs:
    """A queue in memory: it keeps its messages until the test takes them."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.delays: list[int | None] = []

    def send_message(self, *, MessageBody: str, **more: Any) -> dict[str, Any]:
        self.messages.append(json.loads(MessageBody))
        self.delays.append(more.get("DelaySeconds"))
        return {}


@dataclass
class Erasing:
    """An environment with all background work of deletes, driven by the test."""

    world: World
    environment: dict[str, str]
    s3: Any = field(default_factory=FakeS3)
    bus: Any = field(default_factory=FakeEvents)
    sqs: FakeSqs = field(default_factory=FakeSqs)
    queue: Any = None

    def __post_init__(self) -> None:
        self.queue = self.queue or Queue(self.sqs, "erase")

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of the erase queue."""
        return self.sqs.messages

    def with_clients(self, wrap: Callable[[Any], Any]) -> Erasing:
        """The same environment with other clients, for example failing ones."""
        world = make_world(self.environment, wrap(self.world.dynamodb))
        world.workspace_id = self.world.workspace_id
        return Erasing(
            world,
            self.environment,
            s3=wrap(self.s3),
            bus=wrap(self.bus),
            queue=Queue(wrap(self.sqs), "erase"),
            sqs=self.sqs,
        )

    def cleanup_stores(self) -> CleanupStores:
        return CleanupStores(
            counts=LinkCounts(self.world.dynamodb, self.world.stores.links.name),
            erasures=self.world.stores.erasures,
            images=Bucket(self.s3, "images"),
            events=EventBus(self.bus, "bus"),
            failures=FailuresBucket(self.s3, "failures", function="arn:cleanup:live"),
            erase_queue=self.queue,
        )

    def erase_stores(self) -> EraseStores:
        stores = self.world.stores
        return EraseStores(
            links=stores.links,
            clicks=self.world.clicks,
            deletions=stores.deletions,
            erasures=stores.erasures,
            images=Bucket(self.s3, "images"),
            exports=ExportsBucket(self.s3, "exports"),
            events=EventBus(self.bus, "bus"),
            erase_queue=self.queue,
        )

    # -- a link with a life behind it ---------------------------------------------------------

    def click(self, link_id: str, times: int = 1) -> None:
        for _ in range(times):
            self.world.clicks.put(
                {
                    "id": str(uuid.uuid4()),
                    "linkId": link_id,
                    "workspaceId": self.world.workspace_id,
                    "clickedAt": now_iso(),
                },
                one_partition=self.world.one_partition(link_id),
            )

    def write_clicks(self, link_id: str, numbers: Iterable[int], *, spread: bool) -> None:
        """Many clicks at once, in the link's own partition or, once it is busy, in its shards."""
        if spread:
            self.world.spread(link_id)
        items = []
        for number in numbers:
            click = {
                "id": str(uuid.UUID(int=number)),
                "linkId": link_id,
                "clickedAt": "2026-01-01T00:00:00.000Z",
            }
            items.append(self.world.clicks.key(click, one_partition=not spread) | to_item(click))
        self.world.clicks.write(put=items)

    def put_beside(self, link_id: str, sk: str, **more: Any) -> None:
        """A rollup or an install of the link."""
        self.world.dynamodb.put_item(
            TableName=self.world.clicks.name,
            Item=to_item({"pk": link_id, "sk": sk, "linkId": link_id} | more),
        )

    def render(self, link_id: str, *variants: str) -> list[str]:
        keys = [f"qr/{self.world.workspace_id}/{link_id}/{variant}" for variant in variants]
        self.world.dynamodb.update_item(
            TableName=self.world.stores.links.name,
            Key=self.world.link_key(link_id),
            UpdateExpression="ADD qrKeys :keys",
            ConditionExpression="attribute_exists(livePk)",
            ExpressionAttributeValues={":keys": {"SS": keys}},
        )
        for key in keys:
            self.s3.objects[key] = b"image"
        return keys

    def export(self, link_id: str, export_id: str) -> str:
        """An export of the link, with its file; the file's key."""
        self.put_beside(link_id, f"EXPORT#{export_id}")
        key = object_key(self.world.workspace_id, export_id)
        self.s3.objects[key] = b"clicks"
        return key

    def image_of(self, link_id: str) -> dict[str, Any] | None:
        item: dict[str, Any] | None = self.world.dynamodb.get_item(
            TableName=self.world.stores.links.name,
            Key=self.world.link_key(link_id),
            ConsistentRead=True,
        ).get("Item")
        return item

    # -- deletes, with the stream records that they set off ------------------------------------

    def erase(self, ids: list[str], **more: Any) -> tuple[Deletion, list[dict[str, Any]]]:
        before = {link_id: self.image_of(link_id) for link_id in ids}
        deletion = self.world.erase(ids, **more)
        assert deletion.state == "erasing"
        gone = deletion.ids_with(Outcome.ERASED)
        return deletion, [self.record("REMOVE", link_id, before[link_id]) for link_id in gone]

    def erase_completely(self, ids: list[str], **more: Any) -> Deletion:
        """An erasure with all that follows it; its record as it was accepted."""
        deletion, records = self.erase(ids, **more)
        assert self.cleanup(records) == []
        self.work_all()
        return deletion

    def soft_delete(self, ids: list[str], **more: Any) -> tuple[Deletion, list[dict[str, Any]]]:
        before = {link_id: self.image_of(link_id) for link_id in ids}
        deletion = self.world.soft_delete(ids, **more)
        return deletion, [
            self.record("MODIFY", link_id, before[link_id], self.image_of(link_id))
            for link_id in ids
        ]

    def expire(self, link_id: str) -> dict[str, Any]:
        """The stream record of a TTL removal, which MiniStack does not emit."""
        before = self.image_of(link_id)
        self.world.dynamodb.delete_item(
            TableName=self.world.stores.links.name, Key=self.world.link_key(link_id)
        )
        service = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
        return self.record("REMOVE", link_id, before) | {"userIdentity": service}

    def record(
        self,
        event: str,
        link_id: str,
        old: dict[str, Any] | None,
        new: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        data: dict[str, Any] = {
            "Keys": self.world.link_key(link_id),
            "SequenceNumber": str(uuid.uuid4().int),
        }
        # Sets arrive as JSON arrays, in any order.
        if old is not None:
            data["OldImage"] = old
        if new is not None:
            data["NewImage"] = new
        return {"eventName": event, "eventSource": "aws:dynamodb", "dynamodb": data}

    # -- the functions ------------------------------------------------------------------------

    def cleanup(self, records: list[dict[str, Any]]) -> list[str]:
        return clean_up(records, stores=self.cleanup_stores())

    def requeue(self, deletion_id: str) -> int:
        """Queue what is left of a deletion, by its record; how many links."""
        stores = self.world.stores
        return requeue(
            self.world.workspace_id,
            deletion_id,
            deletions=stores.deletions,
            erasures=stores.erasures,
            erase_queue=self.queue,
        )

    def work(self, message: dict[str, Any], seconds: float = 20) -> bool:
        workspace_id, removed = read_message(message)
        with deadline(seconds):
            return purge_dependents(workspace_id, removed, stores=self.erase_stores())

    def work_all(self) -> None:
        while self.messages:
            assert self.work(self.messages.pop(0))

    # -- what is left -------------------------------------------------------------------------

    def header(self, deletion_id: str) -> Deletion:
        deletion = self.world.stores.deletions.header(self.world.workspace_id, deletion_id)
        assert deletion is not None
        return deletion

    def receipt(self, deletion_id: str) -> dict[str, Any]:
        """The receipt without the time of the last read; {} while there is none."""
        receipt: Mapping[str, Any] = self.header(deletion_id).receipt or {}
        return {
            name: value
            for name, value in receipt.items()
            if name not in ("verifiedEmptyAt", "signed")
        }

    def left_of(self, link_id: str) -> list[dict[str, Any]]:
        return [
            from_item(item)
            for partition in partitions_of(one_partition=False)
            for item in self.world.clicks.first_page(link_id, partition)
        ]


class Erasure:
    """An erasure, step by step. The queue's delay lets the last begin only when every writer
    that could have seen the link alive has ended."""

    def __init__(self, erasing: Erasing, link_id: str) -> None:
        self._erasing = erasing
        self._link_id = link_id
        self._steps = iter([self._transaction, self._cleanup])
        self.deletion_id = ""
        self._records: list[dict[str, Any]] = []

    def step(self) -> None:
        next(self._steps, lambda: None)()

    def _transaction(self) -> None:
        deletion, self._records = self._erasing.erase([self._link_id])
        self.deletion_id = deletion.id

    def _cleanup(self) -> None:
        assert self._erasing.cleanup(self._records) == []


def receipt(links: int = 1, **counts: int) -> dict[str, int]:
    """A receipt of so many links with these counts, as `Erasing.receipt` shows it."""
    nothing = {"clicks": 0, "rollups": 0, "installs": 0, "installsKept": 0, "qrObjects": 0}
    return {"links": links, "codes": links} | nothing | counts


@pytest.fixture
def erasing(world: World, deployed: dict[str, str]) -> Erasing:
    return Erasing(world, deployed)
