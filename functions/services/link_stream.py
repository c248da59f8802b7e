"""Handles the stream of the links table: removes images at once and queues purges.

Every record may be delivered more than once, late, or with others that fail. Every effect is safe
to repeat.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.aws.codec import from_item, runs
from functions.aws.events import Event, EventBus
from functions.aws.parallel import in_parallel
from functions.aws.s3 import Bucket
from functions.aws.sqs import Queue
from functions.domain.clock import current_deadline
from functions.domain.errors import UnlinkError
from functions.domain.ids import NO_RESTORE
from functions.domain.policies import Policies
from functions.powertools import Logger
from functions.repositories.erasures import ErasuresTable
from functions.repositories.failed_records import FailuresBucket
from functions.repositories.link_counts import LinkCounts
from functions.repositories.link_items import is_live, link_of_key
from functions.services.purge_message import LINKS_A_MESSAGE, Removed, message_of
from functions.services.stream_records import parse_records, sequence_number

if TYPE_CHECKING:
    from functions.schemas.events import LinkEvent

#: The principal that removes items whose TTL has passed (DynamoDB Developer Guide, "Time to Live
#: and Streams").
TTL_SERVICE = "dynamodb.amazonaws.com"

log = Logger()


@dataclass(frozen=True, slots=True)
class CleanupStores:
    """The repositories and queues of the stream reader."""

    counts: LinkCounts
    erasures: ErasuresTable
    images: Bucket
    events: EventBus
    #: None during a replay from this bucket: records that fail again stay where they are.
    failures: FailuresBucket | None
    erase_queue: Queue


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one link. ``event`` is ``link.soft_deleted``, ``link.restored`` or
    ``link.removed``; ``deletion_id`` is the deletion or restore that caused it, if known.
    """

    sequence_number: str
    event: str
    workspace_id: str
    removed: Removed
    deletion_id: str | None
    #: The change of the number of live links.
    live: int


def clean_up(records: Sequence[dict[str, Any]], *, stores: CleanupStores) -> list[str]:
    """Handle a batch of stream records; returns the sequence numbers of the records to retry."""
    changes, failed = parse_records(records, _change, failures=stores.failures)
    # Erasures first: they need no S3 call, and S3 may take all of the time.
    for effect in (_queue_erasures, _delete_images, _send_events):
        failed |= _isolated(effect, changes, stores)
    _count_links(records, changes, failed, stores)
    return sorted(failed)


_Effect = Callable[[Sequence[Change], CleanupStores], None]


def _isolated(effect: _Effect, changes: Sequence[Change], stores: CleanupStores) -> set[str]:
    """Apply one effect to all changes together or, if that fails, to each alone."""
    try:
        effect(changes, stores)
    except UnlinkError:
        log.exception("cleaning up a batch failed", extra={"effect": effect.__name__})
    else:
        return set()
    failed = set()
    for change in changes:
        if current_deadline().passed:
            # A hanging call for each change would exceed the function's timeout.
            failed.add(change.sequence_number)
            continue
        try:
            effect([change], stores)
        except UnlinkError:
            failed.add(change.sequence_number)
    return failed


def _count_links(
    records: Sequence[dict[str, Any]],
    changes: Sequence[Change],
    failed: set[str],
    stores: CleanupStores,
) -> None:
    """Change the counters of the workspaces, one write each.

    Subtracting twice is worse than not subtracting: a workspace could get too many links. So this
    is the last effect, it skips the records that Lambda will deliver again (everything from the
    first failure on), it subtracts nothing in a replay, and it is not repeated if it fails. Then
    the counter is too high until the next recount.
    """
    numbers = [sequence_number(record) for record in records]
    if "unknown" in failed:
        # A failure without a position: Lambda delivers the whole batch again.
        return
    first = next((i for i, number in enumerate(numbers) if number in failed), len(numbers))
    done = set(numbers[:first])
    moved: Counter[str] = Counter()
    # An operator may replay the same records again.
    replayed = stores.failures is None
    for change in changes:
        if change.sequence_number in done and (change.live > 0 or not replayed):
            moved[change.workspace_id] += change.live

    def add(workspace_id: str) -> None:
        try:
            stores.counts.add(workspace_id, moved[workspace_id])
        except UnlinkError:
            log.exception("links were not counted", extra={"workspaceId": workspace_id})

    in_parallel(add, [workspace_id for workspace_id, links in moved.items() if links])


def _delete_images(changes: Sequence[Change], stores: CleanupStores) -> None:
    stores.images.remove([key for change in changes for key in change.removed.qr_keys])


def _queue_erasures(changes: Sequence[Change], stores: CleanupStores) -> None:
    removed: dict[str, dict[str, Removed]] = {}
    for change in changes:
        if change.event == "link.removed":
            removed.setdefault(change.workspace_id, {})[change.removed.id] = change.removed
    messages = [
        message_of(workspace_id, part)
        for workspace_id, links in removed.items()
        for part in runs(list(links.values()), LINKS_A_MESSAGE)
    ]
    in_parallel(stores.erase_queue.send, messages)


def _send_events(changes: Sequence[Change], stores: CleanupStores) -> None:
    """One event per link, if its workspace enables them; those of erased links follow after the
    purge.
    """
    events: list[Event] = []
    for change in changes:
        if change.event == "link.removed" or change.deletion_id is None:
            continue
        if stores.erasures.wants_link_events(change.workspace_id, change.deletion_id):
            detail: LinkEvent = {
                "workspaceId": change.workspace_id,
                "linkId": change.removed.id,
                "deletionId": change.deletion_id,
            }
            events.append((change.event, detail))
    stores.events.put(events)


def _change(record: dict[str, Any]) -> Change | None:
    """The change in a record; None if there is nothing to do.

    Raises ``KeyError``, ``TypeError``, ``ValueError`` or ``AttributeError`` for a record that is
    not one of the links table.
    """
    data = record["dynamodb"]
    link = link_of_key(data["Keys"])
    if link is None:
        return None
    workspace_id, link_id = link
    old = from_item(data.get("OldImage", {}))
    new = from_item(data.get("NewImage", {}))
    qr_keys: list[str] = []
    if record["eventName"] == "REMOVE":
        event, deletion_id, live = "link.removed", None, -1 if is_live(old) else 0
        qr_keys = sorted(old.get("qrKeys", ()))
    elif is_live(old) and not is_live(new):
        event, deletion_id, live = "link.soft_deleted", str(new["deletionId"]), -1
        qr_keys = sorted(old.get("qrKeys", ()))
    elif is_live(new) and "deletedAt" in old:
        event, deletion_id, live = "link.restored", str(old["deletionId"]), 1
    else:
        return None
    prefix = f"qr/{workspace_id}/{link_id}/"
    if strange := [key for key in qr_keys if not key.startswith(prefix)]:
        raise ValueError(f"not an image of this link: {strange[0]}")
    return Change(
        sequence_number=data["SequenceNumber"],
        event=event,
        workspace_id=workspace_id,
        removed=Removed(
            id=link_id,
            code=old.get("shortCode"),
            external_id=old.get("externalId"),
            deletion_id=old.get("deletionId"),
            policies=Policies.read(old["policies"]).record() if "policies" in old else None,
            expired=(record.get("userIdentity") or {}).get("principalId") == TTL_SERVICE,
            qr_keys=tuple(qr_keys),
            one_partition="onePartition" in old,
            fencing_token=old.get("fencingToken", NO_RESTORE),
        ),
        deletion_id=deletion_id,
        live=live,
    )
