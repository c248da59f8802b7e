"""The details of events on the bus, for other systems."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from functions.domain.deletion_names import Mode
from functions.domain.json_types import Time, TimeOrderedUuid, Uuid
from functions.domain.record_types import Actor, DeletionCounts, Receipt, RestoreCounts


class DeletionEvent(TypedDict):
    """A deletion that ended."""

    id: TimeOrderedUuid
    """The deletion. An event that comes twice has the same one."""
    workspaceId: str
    mode: Mode
    state: Literal["complete", "failed"]
    url: str
    """Where the deletion's record can be read, with an API key."""
    actor: Actor
    reason: NotRequired[str]
    createdAt: Time
    completedAt: Time
    counts: DeletionCounts
    receipt: NotRequired[Receipt]
    """What an erasure removed."""
    failure: NotRequired[str]
    """Why a deletion failed. It deleted nothing."""


class RestoreEvent(TypedDict):
    """A restore that ended."""

    id: TimeOrderedUuid
    """The deletion whose links were restored."""
    restoreId: TimeOrderedUuid
    """The restore. An event that comes twice has the same one."""
    workspaceId: str
    state: Literal["complete"]
    url: str
    """Where the deletion's record can be read, with an API key."""
    actor: Actor
    reason: NotRequired[str]
    createdAt: Time
    completedAt: Time
    counts: RestoreCounts


class LinkEvent(TypedDict):
    """One link of a deletion, for workspaces with ``linkEvents``."""

    workspaceId: str
    linkId: Uuid
    deletionId: TimeOrderedUuid
    """The deletion that deleted the link, or from which it was restored."""
