"""The cost of erasing: the worker against a simulated DynamoDB.

The simulation holds the items in memory and answers each call after a fixed time, so figures are
requests, capacity by DynamoDB's rules, and the client's own time; no network is measured.
"""

from __future__ import annotations

import bisect
import statistics
import threading
import time
import uuid
from collections import Counter
from typing import Any

from functions.aws.events import EventBus
from functions.aws.s3 import Bucket
from functions.aws.sqs import Queue
from functions.domain.clock import now_iso
from functions.domain.ids import SHARDS, new_time_ordered_id
from functions.repositories.clicks import PARTITIONS, ClicksTable
from functions.repositories.deletions import DeletionsTable
from functions.repositories.erasing_deletions import KINDS
from functions.repositories.erasures import ErasuresTable
from functions.repositories.exports import ExportsBucket
from functions.repositories.links import LinksTable
from functions.services.expired_links import EraseStores
from functions.services.purge import purge_dependents
from functions.services.purge_message import LINKS_A_MESSAGE, Removed

#: The deletion of the erasures, with a time-ordered id.
DELETION = new_time_ordered_id()

#: Seconds that each simulated call takes.
LATENCY = 0.008

#: Bytes of an ordinary click, for the units of reading it.
CLICK_BYTES = 400

#: Write units a second of one partition (DynamoDB Developer Guide, "Designing partition keys").
PARTITION_WRITES = 1_000

CLICKS = (10_000, 20_000, 40_000, 80_000)


class Simulated:
    """The calls that erasing makes of DynamoDB, counted."""

    def __init__(self, latency: float = LATENCY) -> None:
        self.calls: Counter[str] = Counter()
        self.read_units = 0.0
        self.write_units = 0.0
        self._latency = latency
        self._lock = threading.Lock()
        self._partitions: dict[str, list[str]] = {}
        self._erasures: dict[str, dict[str, Any]] = {}
        self.receipt: dict[str, Any] = {}
        self._tallies: dict[str, dict[str, Any]] = {}

    def add_link(self, clicks: int, *, spread: bool = True) -> str:
        """An erased link with this number of clicks, in its shards or in its own partition."""
        link_id = str(uuid.uuid4())
        key = f"LINK#ws#{link_id}"
        zero = {"N": "0"}
        self._erasures[key] = {
            "pk": {"S": key},
            "sk": {"S": "ERASURE"},
            "deletionId": {"S": DELETION},
            "clicks": zero,
            "rollups": zero,
            "installs": zero,
            "installsKept": zero,
        }
        if not spread:
            self._erasures[key]["onePartition"] = {"BOOL": True}
        for number in range(clicks):
            click = {
                "id": str(uuid.UUID(int=number)),
                "linkId": link_id,
                "clickedAt": "2026-01-01T00:00:00.000Z",
            }
            click_key = ClicksTable.key(click, one_partition=not spread)
            self._partitions.setdefault(click_key["pk"]["S"], []).append(click_key["sk"]["S"])
        for partition in self._partitions.values():
            partition.sort()
        return link_id

    def is_empty(self) -> bool:
        """Whether nothing is left of any link."""
        return not any(self._partitions.values())

    def _count(self, name: str, read: float = 0, write: float = 0) -> None:
        time.sleep(self._latency)
        with self._lock:
            self.calls[name] += 1
            self.read_units += read
            self.write_units += write

    def query(self, **parameters: Any) -> dict[str, Any]:
        values = parameters["ExpressionAttributeValues"]
        if ":prefix" in values:
            self._count("Query", read=1)
            return {"Items": list(self._tallies.values())}
        pk = values[":partition"]["S"]
        found = self._partitions.get(pk, [])[: parameters["Limit"]]
        self._count("Query", read=max(1, -(-len(found) * CLICK_BYTES // 4096)))
        return {"Items": [{"pk": {"S": pk}, "sk": {"S": sk}} for sk in found]}

    def batch_write_item(self, *, RequestItems: dict[str, Any], **_: Any) -> dict[str, Any]:
        [requests] = RequestItems.values()
        self._count("BatchWriteItem", write=len(requests))
        with self._lock:
            for request in requests:
                key = request["DeleteRequest"]["Key"]
                partition = self._partitions[key["pk"]["S"]]
                del partition[bisect.bisect_left(partition, key["sk"]["S"])]
        return {}

    def batch_get_item(self, *, RequestItems: dict[str, Any], **_: Any) -> dict[str, Any]:
        [(table, request)] = RequestItems.items()
        self._count("BatchGetItem", read=len(request["Keys"]))
        return {"Responses": {table: [self._erasures[key["pk"]["S"]] for key in request["Keys"]]}}

    def get_item(self, **_: Any) -> dict[str, Any]:
        self._count("GetItem", read=1)
        counts = {"M": {"deleted": {"N": str(len(self._erasures))}}}
        looked_at = {"S": f"{now_iso()}#{DELETION}"}
        return {"Item": {"state": {"S": "erasing"}, "counts": counts, "openSk": looked_at}}

    def update_item(self, **parameters: Any) -> dict[str, Any]:
        self._count("UpdateItem", write=1)
        values = parameters["ExpressionAttributeValues"]
        with self._lock:
            if ":receipt" in values:
                self.receipt = values[":receipt"]["M"]
            else:
                erasure = self._erasures[parameters["Key"]["pk"]["S"]]
                for kind in KINDS:
                    more = int(values.get(f":{kind}", {"N": "0"})["N"])
                    erasure[kind] = {"N": str(int(erasure[kind]["N"]) + more)}
        return {}

    def transact_write_items(self, *, TransactItems: list[Any], **_: Any) -> dict[str, Any]:
        self._count("TransactWriteItems", write=2 * len(TransactItems))
        update = TransactItems[-1]["Update"]
        values = update["ExpressionAttributeValues"]
        with self._lock:
            sums = self._tallies.setdefault(update["Key"]["sk"]["S"], {})
            for name, value in values.items():
                if "N" in value:
                    before = int(sums.get(name[1:], {"N": "0"})["N"])
                    sums[name[1:]] = {"N": str(before + int(value["N"]))}
            sums["verifiedEmptyAt"] = values[":looked"]
        return {}


def erase(simulated: Simulated, link_ids: list[str]) -> float:
    """Seconds of one message's work."""
    stores = EraseStores(
        links=LinksTable(simulated, "links"),
        clicks=ClicksTable(simulated, "clicks"),
        deletions=DeletionsTable(simulated, "deletions"),
        erasures=ErasuresTable(simulated, "deletions"),
        images=Bucket(simulated, "images"),
        exports=ExportsBucket(simulated, "exports"),
        events=EventBus(simulated, "bus"),
        erase_queue=Queue(simulated, "erase"),
    )
    began = time.perf_counter()
    removed = [Removed(link_id) for link_id in link_ids]
    assert purge_dependents("ws", removed, stores=stores)
    return time.perf_counter() - began


def main() -> None:
    """Print the figures as Markdown."""
    _links_of_a_message()
    _erased_clicks()


def _erased_clicks() -> None:
    print(f"One erased link, {LATENCY * 1000:.0f} ms a call:\n")
    print(
        "| Clicks | Seconds | Clicks a second | Requests | a click | Read units a click | Write |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|")
    waited = []
    for clicks in CLICKS:
        simulated = Simulated()
        seconds = erase(simulated, [simulated.add_link(clicks)])
        assert simulated.receipt["clicks"]["N"] == str(clicks)
        requests = simulated.calls.total()
        waited.append(seconds)
        print(
            f"| {clicks:,} | {seconds:.2f} | {clicks / seconds:,.0f} | {requests:,} "
            f"| {requests / clicks:.4f} | {simulated.read_units / clicks:.3f} "
            f"| {simulated.write_units / clicks:.3f} |"
        )
    slope, start = statistics.linear_regression(CLICKS, waited)
    waiting = start + slope * 1_000_000
    bound = 1_000_000 / SHARDS / PARTITION_WRITES
    print(
        f"\nStraight line: {start:.2f} s and {slope * 1e6:.0f} s a million clicks. A link with "
        f"1,000,000 clicks would wait {waiting:.0f} s for these calls; DynamoDB itself takes at "
        f"least {bound:.0f} s, because each of its {SHARDS} partitions takes "
        f"{PARTITION_WRITES:,} writes a second. The worker has 280 s a run and re-queues itself.\n"
    )


#: Clicks of each link of a message, and whether they are spread over the link's shards.
LINKS = ((0, False), (3, False), (0, True), (3, True), (1_000, True))


def erased_message(clicks: int, *, spread: bool, latency: float = LATENCY) -> Simulated:
    """The cost of one message of links, each with this number of clicks."""
    simulated = Simulated(latency)
    link_ids = [simulated.add_link(clicks, spread=spread) for _ in range(LINKS_A_MESSAGE)]
    erase(simulated, link_ids)
    assert simulated.is_empty()
    assert simulated.receipt["clicks"]["N"] == str(clicks * LINKS_A_MESSAGE)
    return simulated


def _links_of_a_message() -> None:
    print(f"{LINKS_A_MESSAGE} erased links, one message, {LATENCY * 1000:.0f} ms a call:\n")
    print("| Clicks a link | Partitions | Seconds | Requests a link | Read units | Write units |")
    print("|---:|---:|---:|---:|---:|---:|")
    for clicks, spread in LINKS:
        began = time.perf_counter()
        simulated = erased_message(clicks, spread=spread)
        seconds = time.perf_counter() - began
        print(
            f"| {clicks:,} | {PARTITIONS if spread else 1} | {seconds:.2f} "
            f"| {simulated.calls.total() / LINKS_A_MESSAGE:.2f} "
            f"| {simulated.read_units / LINKS_A_MESSAGE:.2f} "
            f"| {simulated.write_units / LINKS_A_MESSAGE:.2f} |"
        )
    print()
