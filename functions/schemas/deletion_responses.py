"""Responses about deleted links, deletions and restores."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from functions.domain.deletion_names import (
    DeletionState,
    Mode,
    OutcomeName,
    RefusalReason,
    RestoreState,
)
from functions.domain.json_types import Count, Cursor, NamedIds, Time, TimeOrderedUuid, Uuid
from functions.domain.record_types import Actor, DeletionCounts, Receipt, RestoreCounts


class DeletedLinks(TypedDict):
    """The ids of the deleted links in request order, without duplicates."""

    deletedIds: list[Uuid]
    notFoundIds: NotRequired[list[Uuid]]
    """Present only if another request deleted some of the links at the same moment, after this
    one had found all of its links live."""


class PendingLinks(DeletedLinks):
    """The deadline came before the last id; the rest is finished in the background."""

    pendingIds: list[Uuid]


class ErasedLink(TypedDict):
    """The link, its clicks and its short code are removed permanently."""

    success: Literal[True]


class ErasedLinks(TypedDict):
    """The result of each id, in request order, without duplicates."""

    success: bool
    """False only if there are ``failedIds``."""
    deletedIds: list[Uuid]
    notFoundIds: list[str]
    """Ids that are malformed, unknown or of another workspace."""
    failedIds: NotRequired[list[Uuid]]
    """Links that could not be erased. They still exist and are not tried again."""


class PendingErasure(ErasedLinks):
    """The deadline came before the last id; the rest is finished in the background."""

    pendingIds: list[Uuid]


class DeletionResult(TypedDict):
    """The outcome of one id."""

    id: Uuid
    outcome: OutcomeName


class DeletionExport(TypedDict):
    """Where the export of the deletion can be fetched for seven days, with ``analyticsRead``."""

    url: str | None
    expiresAt: Time | None
    """Until when the URL can be used. It ends earlier when the credentials that signed it do."""


class DeletionSummary(TypedDict):
    """The durable record of one delete request."""

    id: TimeOrderedUuid
    mode: Mode
    state: DeletionState
    reason: str | None
    actor: Actor
    sourceIp: str | None
    createdAt: Time
    completedAt: Time | None
    counts: DeletionCounts
    filter: dict[str, Any] | None
    """The filter that the ids were resolved from, if the request named no ids."""
    failure: str | None
    """Why a deletion by filter was given up. It deleted nothing."""
    receipt: Receipt | None
    export: DeletionExport | None
    undoUntil: Time | None
    """Until when the caller may undo it without ``linksRestore``: its own soft delete, with
    ``linksUndo``. Null when it may not, or while the delete still runs."""


class RestoreSummary(TypedDict):
    """Who restored links of a deletion, when and why."""

    id: TimeOrderedUuid
    state: RestoreState
    reason: str | None
    actor: Actor
    sourceIp: str | None
    createdAt: Time
    completedAt: Time | None
    counts: RestoreCounts


class Deletion(DeletionSummary):
    """The durable record of one delete request, with a page of its outcomes."""

    results: list[DeletionResult]
    nextCursor: Cursor
    restores: NotRequired[list[RestoreSummary]]
    """The newest 25 restores of a soft delete."""


class NewErasure(Deletion):
    """A new deletion. An erasure names the ids that it did not find."""

    notFoundIds: NotRequired[list[str]]


class PendingDeletion(NewErasure):
    """The rest is finished in the background."""


class DeletionPage(TypedDict):
    """Deletions, newest first. With a filter, a page may be short or empty and still have a
    ``nextCursor``."""

    deletions: list[DeletionSummary]
    nextCursor: Cursor


class RefusedRestore(TypedDict):
    """A link that was not restored, and why."""

    id: str
    reason: RefusalReason


class PurgedLater(TypedDict):
    """A restored link that the workspace's policy purges, and when."""

    id: Uuid
    purgeAt: Time


class RestoredLinks(TypedDict):
    """The result of each id."""

    restoredIds: list[Uuid]
    refused: list[RefusedRestore]
    toBePurged: NotRequired[list[PurgedLater]]
    """Restored links that expired so long ago that the workspace's policy would purge them at
    once. They stay for seven days, unless their expiresAt is changed."""


class PendingRestore(RestoredLinks):
    """The deadline came before the last id; the rest is finished in the background."""

    pendingIds: list[Uuid]


class PreviewCounts(TypedDict):
    """Number of ids of each kind."""

    requested: Count
    deletable: Count
    unknown: Count
    invalid: Count


class Preview(TypedDict):
    """What a deletion would do. Nothing was written."""

    dryRun: Literal[True]
    mode: Mode
    counts: PreviewCounts
    clicks: Count
    lastClickAt: Time | None
    unknownIds: NamedIds
    invalidIds: NamedIds
    confirmationToken: NotRequired[str]
    """For a filter. Send it to delete exactly these links, or none if others match by then."""
