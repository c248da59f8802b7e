"""What a deletion works with, who requests it, and what a used Idempotency-Key leads to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from functions.aws.sqs import Queue
from functions.domain.deletion import Deletion
from functions.domain.errors import StillRunning
from functions.domain.idempotency import IdempotencyKey, IdempotencyRecord
from functions.domain.ids import time_of
from functions.repositories.deletions import DeletionsTable
from functions.repositories.erasures import ErasuresTable
from functions.repositories.filter_slots import FilterSlots
from functions.repositories.links import LinksTable
from functions.repositories.open_exports import OpenExports

if TYPE_CHECKING:
    from functions.domain.record_types import Actor
    from functions.services.export_lines import ExportStores


#: Seconds that the record of a deletion without matching links is kept.
EMPTY_RECORD_SECONDS = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Stores:
    """The repositories and queues that deletions use."""

    links: LinksTable
    deletions: DeletionsTable
    erasures: ErasuresTable
    resume_queue: Queue
    slots: FilterSlots
    open_exports: OpenExports
    #: Only for functions that write exports; others requeue such a deletion.
    exports: ExportStores | None = None


@dataclass(frozen=True, slots=True)
class DeletionRequest:
    """The request of a deletion: actor, address, reason and Idempotency-Key."""

    workspace_id: str
    actor: Actor
    source_ip: str | None = None
    reason: str | None = None
    key: IdempotencyKey | None = None
    retention_days: int | None = None
    #: The base of short URLs, if links and clicks are exported before the delete.
    export_base_url: str | None = None
    #: Maximum unfinished exports of the workspace, including those of deletions.
    open_exports: int = 2
    #: The workspace's current policies, for the functions that finish the deletion.
    policies: Mapping[str, Any] = field(default_factory=dict)


def replay(deletion_request: DeletionRequest, deletions: DeletionsTable) -> Deletion | None:
    """The closed deletion of this Idempotency-Key, with all ids.

    Raises ``KeyReused`` and ``StillRunning``.
    """
    if deletion_request.key is None:
        return None
    record = deletions.keys.find(deletion_request.workspace_id, deletion_request.key)
    if record is None:
        return None
    return deletion_of(record, deletion_request.workspace_id, deletions)


def deletion_of(
    record: IdempotencyRecord, workspace_id: str, deletions: DeletionsTable
) -> Deletion:
    """The deletion of a used key; raises ``StillRunning`` while it is open."""
    deletion_id = record.details["deletionId"]
    deletion = deletions.load(workspace_id, deletion_id)
    if deletion is None or deletion.open:
        raise StillRunning(deletion_id)
    return deletion


def short_life(deletion: Deletion) -> int:
    """The ``ttl`` of a record without links, which is not part of the audit trail.

    It is kept long enough for the caller to read it, and for its Idempotency-Key. Permanent records
    would let a caller fill the table with unknown ids.
    """
    return int(time_of(deletion.id)) + EMPTY_RECORD_SECONDS
