"""Removes and counts everything that belongs to an erased link.

A link's erasure is recorded by the transaction that erases the link (or, for a link that its TTL
removed, by :mod:`~functions.services.expired_links`). After that, workers may run late, twice or
concurrently. A page of clicks is counted in the write that moves the page's cursor, a link is added
to its deletion's sums in the transaction that finishes it, and the receipt is written once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from functions import metrics
from functions.aws.codec import runs
from functions.aws.sqs import Queue
from functions.domain.clock import current_deadline, shutdown_deadline
from functions.domain.ids import time_of
from functions.domain.outcomes import Outcome
from functions.repositories.deletions import DeletionsTable
from functions.repositories.erasing_deletions import DeletionHeader
from functions.repositories.erasures import Erasure, ErasuresTable
from functions.services.expired_links import EraseStores, erasures_of
from functions.services.purge_items import empty_partitions
from functions.services.purge_message import LINKS_A_MESSAGE, Removed, message_of

if TYPE_CHECKING:
    from functions.schemas.events import LinkEvent

#: Seconds for finishing after the deadline, within the reserved time of the function.
SHUTDOWN_SECONDS = 10.0


def purge_dependents(workspace_id: str, removed: Sequence[Removed], *, stores: EraseStores) -> bool:
    """Remove all dependents of these links, finish the links without remaining items, and close
    their deletions after the last link.

    What is left at the deadline is put back on the queue. False after an error that may be
    temporary: the same message should be delivered again.
    """
    erasures = erasures_of(workspace_id, removed, stores)
    open_ones = [erasure for erasure in erasures if erasure.finished_at is None]
    headers = _headers(workspace_id, erasures, stores)
    partitions = empty_partitions(open_ones, headers, stores)
    unfinished = {each.link_id for each in partitions if not each.empty_at}
    failed = any(each.failed for each in partitions)
    done = [each for each in open_ones if each.link_id not in unfinished and each.deletion_id]
    # Finish what is empty even after the deadline: the next worker would have to read it again.
    with shutdown_deadline(max(current_deadline().remaining(), 0) + SHUTDOWN_SECONDS):
        # A second time: a request that read the live link may have stored an image after the first.
        # None is running any more.
        stores.images.remove([key for each in done for key in each.qr_keys])
        completed = {""}
        for deletion_id, header in headers.items():
            finished = {each.link_id: each for each in done if each.deletion_id == deletion_id}
            if finished:
                _send_link_events(
                    workspace_id,
                    deletion_id,
                    list(finished),
                    header=header,
                    stores=stores,
                )
                last_look = max(each.empty_at for each in partitions if each.link_id in finished)
                stores.erasures.finish(
                    workspace_id, deletion_id, list(finished.values()), looked_at=last_look
                )
            # Also when nothing was left to do: the previous worker may have been killed at this
            # point.
            if complete_if_done(workspace_id, deletion_id, erasures=stores.erasures):
                completed.add(deletion_id)
        if unfinished and not failed:
            rest = [link for link in removed if link.id in unfinished]
            stores.erase_queue.send(message_of(workspace_id, rest), delay=0)
        if not failed:
            # Also when links were only put back on the queue. Otherwise the schedule would consider
            # the erasure stalled and queue the rest of it again every ten minutes.
            for deletion_id in {each.deletion_id for each in open_ones} - completed:
                stores.erasures.postpone_stall_check(
                    workspace_id, deletion_id, seen=headers[deletion_id].looked_at
                )
    return not failed


def complete_if_done(workspace_id: str, deletion_id: str, *, erasures: ErasuresTable) -> bool:
    """Close a deletion with its receipt if all of its links are finished."""
    header = erasures.header(workspace_id, deletion_id)
    if header is None or header.state != "erasing":
        return False
    receipt = erasures.receipt(workspace_id, deletion_id)
    if receipt["links"] != header.links:
        return False
    closed = erasures.complete(workspace_id, deletion_id, receipt)
    if closed:
        metrics.measure("ErasureLag", time.time() - time_of(deletion_id))
    return closed


def _headers(
    workspace_id: str, erasures: Sequence[Erasure], stores: EraseStores
) -> dict[str, DeletionHeader]:
    """The header of each deletion of these erasures."""
    headers = {}
    for deletion_id in {each.deletion_id: None for each in erasures if each.deletion_id}:
        header = stores.erasures.header(workspace_id, deletion_id)
        # The header is written before, or in, the transaction that erases.
        headers[deletion_id] = header or DeletionHeader("erasing", 0, {})
    return headers


def _send_link_events(
    workspace_id: str,
    deletion_id: str,
    link_ids: Sequence[str],
    *,
    header: DeletionHeader,
    stores: EraseStores,
) -> None:
    """Send an event for each erased link, if the workspace's policy asks for it."""
    if header.policies.get("linkEvents"):
        details: list[LinkEvent] = [
            {"workspaceId": workspace_id, "linkId": link_id, "deletionId": deletion_id}
            for link_id in link_ids
        ]
        stores.events.put([("link.erased", detail) for detail in details])


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
    unfinished = [Removed(each.link_id) for each in found.values() if each.finished_at is None]
    for part in runs(unfinished, LINKS_A_MESSAGE):
        erase_queue.send(message_of(workspace_id, part))
    erasures.postpone_stall_check(workspace_id, deletion_id)
    return len(unfinished)
