"""The details of events on the bus, for other systems."""

from __future__ import annotations

from typing import Literal, NamedTuple, NotRequired

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


class EventType(NamedTuple):
    """When an event is sent, the type of its detail, and the only state that the detail has."""

    sent: str
    detail: type
    state: str = ""


#: Every event by its detail type.
EVENTS = {
    "deletion.completed": EventType("A deletion is done", DeletionEvent, "complete"),
    "deletion.failed": EventType(
        "A deletion was given up. It deleted nothing", DeletionEvent, "failed"
    ),
    "restore.completed": EventType("A restore is done", RestoreEvent),
    "link.soft_deleted": EventType("A link was soft-deleted", LinkEvent),
    "link.restored": EventType("A link was restored", LinkEvent),
    "link.erased": EventType("Everything of an erased link is gone", LinkEvent),
}
