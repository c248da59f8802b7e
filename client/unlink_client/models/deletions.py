"""Deletions, previews and restores."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from unlink_client.models.account import Actor
from unlink_client.models.links import Link

Mode = Literal["soft", "erase"]
State = Literal["accepted", "exporting", "deleting", "erasing", "complete", "failed"]
Outcome = Literal["deleted", "erased", "notFound", "pending", "failed", "restored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedLinks:
    """The response of ``DELETE /api/links``: ids in request order, duplicates once.

    ``not_found_ids`` were deleted by another request at the same moment. ``pending_ids`` are
    deleted in the background; ``deletion_id`` names the record.
    """

    deleted_ids: tuple[str, ...]
    not_found_ids: tuple[str, ...] = ()
    pending_ids: tuple[str, ...] = ()
    _deletion_id: str | None = None

    @property
    def deletion_id(self) -> str | None:
        return self._deletion_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedLinks:
    """The response of ``POST /api/links/bulk-delete``: the outcome of each id. If there are
    ``failed_ids``, they still exist and ``success`` is False.
    """

    success: bool
    deleted_ids: tuple[str, ...]
    not_found_ids: tuple[str, ...]
    failed_ids: tuple[str, ...] = ()
    pending_ids: tuple[str, ...] = ()
    _deletion_id: str | None = None

    @property
    def deletion_id(self) -> str | None:
        return self._deletion_id


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionCounts:
    """Ids by outcome; ``deleted`` counts erased ones too."""

    requested: int
    deleted: int
    not_found: int
    pending: int
    restored: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionResult:
    """The outcome of one id."""

    id: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionExport:
    """Where the export before the delete can be fetched until ``expires_at``, by anyone.

    For seven days each request signs a new ``url``, for a caller with ``analyticsRead``.
    """

    url: str | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreCounts:
    """The number of ids of a restore, by outcome."""

    requested: int
    restored: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreSummary:
    """Who restored links of a deletion, when and why."""

    id: str
    state: Literal["restoring", "complete"]
    reason: str | None
    actor: Actor
    source_ip: str | None
    created_at: datetime
    completed_at: datetime | None
    counts: RestoreCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What an erasure removed, by kind, and when a last read found nothing left.

    ``signed`` says whether `Unlink.receipt` has a signed form of it.
    """

    links: int
    codes: int
    clicks: int
    rollups: int
    installs: int
    installs_kept: int
    qr_objects: int
    verified_empty_at: datetime
    signed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionSummary:
    """The durable record of one delete request, without the outcome of each id.

    ``receipt`` exists when an erasure is complete. ``undo_until`` is the time until which this
    caller may undo the deletion without the scope ``linksRestore``.
    """

    id: str
    mode: Mode
    state: State
    reason: str | None
    actor: Actor
    source_ip: str | None
    created_at: datetime
    completed_at: datetime | None
    counts: DeletionCounts
    filter: dict[str, Any] | None
    failure: str | None
    receipt: Receipt | None
    export: DeletionExport | None
    undo_until: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether the deletion is still running."""
        return self.state not in ("complete", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionRecord(DeletionSummary):
    """A deletion with a page of its outcomes; ``next_cursor`` leads to the next page.

    ``not_found_ids`` belong to a new erasure: ids without a link in the workspace.
    """

    results: tuple[DeletionResult, ...]
    next_cursor: str | None
    restores: tuple[RestoreSummary, ...] = ()
    not_found_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionPage:
    """Deletions, newest first."""

    deletions: tuple[DeletionSummary, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewCounts:
    """How many ids there are of each kind."""

    requested: int
    deletable: int
    unknown: int
    invalid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a deletion would do. Nothing was written.

    ``clicks`` are those of all links together. At most 100 ids of each kind are named.
    """

    dry_run: bool
    mode: Mode
    counts: PreviewCounts
    clicks: int
    last_click_at: datetime | None
    unknown_ids: tuple[str, ...]
    invalid_ids: tuple[str, ...]
    confirmation_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRestore:
    """A link that was not restored, and why."""

    id: str
    reason: Literal["erased", "expired", "deletedAgain", "notDeleted", "notInDeletion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgedLater:
    """A restored link whose workspace purges expired links, and when that will be."""

    id: str
    purge_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredLinks:
    """The outcome of each id of a restore; ``pending_ids`` are restored in the background."""

    restored_ids: tuple[str, ...]
    refused: tuple[RefusedRestore, ...]
    to_be_purged: tuple[PurgedLater, ...] = ()
    pending_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrashedLink(Link):
    """A soft-deleted link. ``restorable_until`` is None if the workspace never erases it."""

    deleted_at: datetime
    deletion_id: str
    deleted_by: Actor
    reason: str | None
    restorable_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrashPage:
    """Soft-deleted links, newest deletion first. A page may be short and have a next one."""

    links: tuple[TrashedLink, ...]
    next_cursor: str | None
