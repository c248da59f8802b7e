"""What a deletion works with, who requests it, and what a used Idempotency-Key leads to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from functions.aws.sqs import Queue
from functions.domain.deletion import Deletion
from functions.domain.errors import (
    StillRunning,
)
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


#: How long the record of a deletion that had nothing to delete is kept, in seconds.
EMPTY_RECORD_SECONDS = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Stores:
    """What the engine works with."""

    links: LinksTable
    deletions: DeletionsTable
    erasures: ErasuresTable
    resume_queue: Queue
    slots: FilterSlots
    open_exports: OpenExports
    #: For those who write exports; others hand such a deletion over.
    exports: ExportStores | None = None


@dataclass(frozen=True, slots=True)
class DeletionRequest:
    """Who asks for a deletion, from where, why, and under which Idempotency-Key."""

    workspace_id: str
    actor: Actor
    source_ip: str | None = None
    reason: str | None = None
    key: IdempotencyKey | None = None
    retention_days: int | None = None
    #: Where short links live, if links and clicks are to be exported before they are deleted.
    export_base_url: str | None = None
    #: How many unfinished exports the workspace may have, with those that belong to deletions.
    open_exports: int = 2
    #: The workspace's policies at this moment, for what finishes the deletion later.
    policies: Mapping[str, Any] = field(default_factory=dict)


def replay(deletion_request: DeletionRequest, deletions: DeletionsTable) -> Deletion | None:
    """The deletion that this Idempotency-Key stands for by now, closed and complete with ids.

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
    """The deletion that a used key leads to; raises ``StillRunning`` while it is open."""
    deletion_id = record.details["deletionId"]
    deletion = deletions.load(workspace_id, deletion_id)
    if deletion is None or deletion.open:
        raise StillRunning(deletion_id)
    return deletion


def short_life(deletion: Deletion) -> int:
    """The ``ttl`` of a record that deletes nothing: it is no part of the audit trail.

    It is kept long enough for whoever asked to look at it, and for its Idempotency-Key. A record
    for good would let anybody fill the table with ids that do not exist.
    """
    return int(time_of(deletion.id)) + EMPTY_RECORD_SECONDS
