"""Removes and counts everything that belongs to an erased link.

A link's erasure is recorded by the transaction that erases the link (or, for a link that its TTL
removed, by :mod:`~functions.services.expired_links`). After that, workers may run late, twice or
concurrently. A page of clicks is counted in the write that moves the page's cursor, a link is added
to its deletion's sums in the transaction that finishes it, and the receipt is written once.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from functions import metrics
from functions.aws.codec import runs
from functions.aws.parallel import in_parallel
from functions.aws.sqs import Queue
from functions.domain.clock import current_deadline, now_iso, shutdown_deadline
from functions.domain.errors import UnlinkError
from functions.domain.ids import time_of
from functions.domain.outcomes import Outcome
from functions.repositories.clicks import OWN_PARTITION, partitions_of
from functions.repositories.deletions import DeletionsTable
from functions.repositories.erasing_deletions import DeletionHeader
from functions.repositories.erasures import Erasure, ErasuresTable
from functions.repositories.exports import RECORD, objects_of
from functions.repositories.kept_installs import detached_installs
from functions.services.expired_links import EraseStores, erasures_of
from functions.services.purge_message import LINKS_A_MESSAGE, Removed, message_of

if TYPE_CHECKING:
    from functions.schemas.events import LinkEvent

#: Seconds for finishing after the deadline, within the reserved time of the function.
SHUTDOWN_SECONDS = 10.0

log = Logger()


# -- erase ----------------------------------------------------------------------------------


def purge_dependents(workspace_id: str, removed: Sequence[Removed], *, stores: EraseStores) -> bool:
    """Remove all dependents of these links, finish the links without remaining items, and close
    their deletions after the last link.

    What is left at the deadline is put back on the queue. False after an error that may be
    temporary: the same message should be delivered again.
    """
    erasures = erasures_of(workspace_id, removed, stores)
    open_ones = [erasure for erasure in erasures if erasure.finished_at is None]
    heads = _heads(workspace_id, erasures, stores)
    units = [
        (erasure, partition)
        for erasure in open_ones
        for partition in partitions_of(one_partition=erasure.one_partition)
    ]
    looks = in_parallel(lambda unit: _empty(*unit, heads=heads, stores=stores), units)
    left = {erasure.link_id for (erasure, _), look in zip(units, looks, strict=True) if not look}
    failed = None in looks
    done = [each for each in open_ones if each.link_id not in left and each.deletion_id]
    # Finish what is empty even after the deadline: the next worker would have to read it again.
    with shutdown_deadline(max(current_deadline().remaining(), 0) + SHUTDOWN_SECONDS):
        # Images once more: by now no request that saw the live link can still render one.
        stores.images.remove([key for each in done for key in each.qr_keys])
        completed = {""}
        for deletion_id in {each.deletion_id: None for each in erasures if each.deletion_id}:
            finished = [each.link_id for each in done if each.deletion_id == deletion_id]
            if finished:
                _send_link_events(
                    workspace_id,
                    deletion_id,
                    finished,
                    head=heads[deletion_id],
                    stores=stores,
                )
                last_look = max(
                    look
                    for (erasure, _), look in zip(units, looks, strict=True)
                    if look and erasure.link_id in finished
                )
                stores.erasures.finish(workspace_id, deletion_id, finished, looked_at=last_look)
            # Also when nothing was left to do: the previous worker may have died at this point.
            if complete_if_done(workspace_id, deletion_id, erasures=stores.erasures):
                completed.add(deletion_id)
        if left and not failed:
            rest = [link for link in removed if link.id in left]
            stores.erase_queue.send(message_of(workspace_id, rest), delay=0)
        if not failed:
            # Also when links were only put back on the queue. Otherwise the schedule would consider
            # the erasure stalled and queue the rest of it again every ten minutes.
            for deletion_id in {each.deletion_id for each in open_ones} - completed:
                stores.erasures.postpone_stall_check(
                    workspace_id, deletion_id, seen=heads[deletion_id].looked_at
                )
    return not failed


def complete_if_done(workspace_id: str, deletion_id: str, *, erasures: ErasuresTable) -> bool:
    """Close a deletion with its receipt if all of its links are finished."""
    head = erasures.head(workspace_id, deletion_id)
    if head is None or head.state != "erasing":
        return False
    receipt = erasures.receipt(workspace_id, deletion_id)
    if receipt["links"] != head.links:
        return False
    closed = erasures.complete(workspace_id, deletion_id, receipt)
    if closed:
        metrics.measure("ErasureLag", time.time() - time_of(deletion_id))
    return closed


def _heads(
    workspace_id: str, erasures: Sequence[Erasure], stores: EraseStores
) -> dict[str, DeletionHeader]:
    heads = {}
    for deletion_id in {each.deletion_id: None for each in erasures if each.deletion_id}:
        head = stores.erasures.head(workspace_id, deletion_id)
        # The header is written before, or in, the transaction that erases.
        heads[deletion_id] = head or DeletionHeader("erasing", 0, {})
    return heads


def _empty(
    erasure: Erasure,
    partition: int,
    *,
    heads: dict[str, DeletionHeader],
    stores: EraseStores,
) -> str | None:
    """Delete one partition page by page until a strongly consistent read finds nothing.

    Returns the time of that read, "" when the deadline came first, None after an error.
    """
    policies = heads[erasure.deletion_id].policies if erasure.deletion_id else {}
    keep_installs = partition == OWN_PARTITION and not policies.get("cascadeInstalls")
    try:
        while not current_deadline().passed:
            now = now_iso()
            page = stores.clicks.first_page(erasure.link_id, partition, whole=keep_installs)
            if not page:
                return now
            if not _counted(
                erasure,
                partition,
                page,
                keep_installs=keep_installs,
                stores=stores,
            ):
                continue
            # Before the records with their keys.
            stores.exports.remove_exports(objects_of(erasure.workspace_id, page))
            if keep_installs:
                stores.clicks.write(put=detached_installs(erasure.workspace_id, page))
            stores.clicks.write(delete=page)
    except UnlinkError:
        log.exception("erasing failed", extra={"linkId": erasure.link_id, "partition": partition})
        return "" if current_deadline().passed else None
    return ""


def _counted(
    erasure: Erasure,
    partition: int,
    page: Sequence[dict[str, Any]],
    *,
    keep_installs: bool,
    stores: EraseStores,
) -> bool:
    """Whether every item of the page is counted, so that it may be deleted."""
    if not erasure.deletion_id:
        return True
    if erasure.finished_at is not None:
        log.error("items came after the receipt", extra={"linkId": erasure.link_id})
        return True
    counted_to = erasure.cursors.get(partition, "")
    fresh = [item["sk"]["S"] for item in page if item["sk"]["S"] > counted_to]
    if not fresh:
        return True
    counts = Counter(_kind(sk) for sk in fresh)
    del counts[_UNCOUNTED]
    if keep_installs:
        counts["installsKept"] = counts.pop("installs", 0)
    return stores.erasures.count_page(erasure, partition, through=fresh[-1], counts=counts)


#: Exports and idempotency records: they are removed with the link, but are not in its receipt.
_UNCOUNTED = "records"


def _kind(sk: str) -> str:
    if sk.startswith("CLICK#"):
        return "clicks"
    if sk.startswith((RECORD, "IDEM#")):
        return _UNCOUNTED
    return "installs" if sk.startswith("INSTALL#") else "rollups"


def _send_link_events(
    workspace_id: str,
    deletion_id: str,
    link_ids: Sequence[str],
    *,
    head: DeletionHeader,
    stores: EraseStores,
) -> None:
    """Send an event for each erased link, if the workspace's policy asks for it."""
    if head.policies.get("linkEvents"):
        details: list[LinkEvent] = [
            {"workspaceId": workspace_id, "linkId": link_id, "deletionId": deletion_id}
            for link_id in link_ids
        ]
        stores.events.put([("link.erased", detail) for detail in details])


# -- look after what stalled ----------------------------------------------------------------


def requeue(
    workspace_id: str,
    deletion_id: str,
    *,
    deletions: DeletionsTable,
    erasures: ErasuresTable,
    erase_queue: Queue,
) -> int:
    """Requeue a stalled erasure from its record; returns how many links are left.

    The record has every link, and each link's erasure has what is left to remove. So a lost stream
    record, message or worker does not matter.
    """
    if complete_if_done(workspace_id, deletion_id, erasures=erasures):
        return 0
    deletion = deletions.load(workspace_id, deletion_id)
    if deletion is None or deletion.state != "erasing":
        return 0
    found = erasures.find(workspace_id, deletion.ids_with(Outcome.ERASED))
    left = [Removed(each.link_id) for each in found.values() if each.finished_at is None]
    for part in runs(left, LINKS_A_MESSAGE):
        erase_queue.send(message_of(workspace_id, part))
    erasures.postpone_stall_check(workspace_id, deletion_id)
    return len(left)
