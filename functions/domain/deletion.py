"""A deletion: request, actor, and the outcome of each id."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.domain.code_release import CodeRelease
from functions.domain.ids import time_of
from functions.domain.outcomes import Outcome, count
from functions.domain.policies import Policies

if TYPE_CHECKING:
    from functions.domain.deletion_names import DeletionState, Mode
    from functions.domain.record_types import Actor, DeletionCounts, Receipt


class FilterRequest(NamedTuple):
    """The request of a deletion by filter, with the filter as the caller wrote it.

    ``maximum`` is the plan's limit of ids, ``reads_per_minute`` is the rate of reads in the
    background, ``digest`` identifies the set that the caller confirmed, and ``slot`` is the
    workspace's slot that the deletion holds while it waits.
    """

    filter: dict[str, Any]
    maximum: int
    reads_per_minute: int
    digest: str | None = None
    slot: int | None = None


@dataclass(slots=True)
class Deletion:
    """One deletion: the request, the actor and the outcome of each id.

    ``link_ids`` is [] if only the header was read and the ids are in chunks. ``outcomes`` has one
    byte per id, in request order; ``counts`` are the stored counts. ``lease`` names the worker that
    holds it. A deletion by filter has a ``filter_request`` and, while ``accepted``, no ids;
    ``failure`` is the reason of one that failed before it deleted anything.
    """

    id: str
    workspace_id: str
    mode: Mode
    state: DeletionState
    actor: Actor
    created_at: str
    source_ip: str | None = None
    reason: str | None = None
    completed_at: str | None = None
    link_ids: list[str] = field(default_factory=list)
    outcomes: bytearray = field(default_factory=bytearray)
    #: ``outcomes`` as stored: compressing them again may give other bytes.
    packed_outcomes: bytes = b""
    id_chunks: int = 0
    filter_request: FilterRequest | None = None
    failure: str | None = None
    counts: DeletionCounts = field(default_factory=lambda: count(b""))
    lease: str | None = None
    lease_until: float = 0.0
    retention_days: int | None = None
    policies: dict[str, Any] = field(default_factory=dict)
    #: The progress of the export before the delete: ``baseUrl``, ``position``, ``done``, and the
    #: workspace's ``slot`` that it holds.
    export: dict[str, Any] | None = None
    receipt: Receipt | None = None
    #: When DynamoDB may remove the record (Unix seconds). Only a deletion without links has it.
    #: Until its removal, which may take days, it is shown like any other.
    ttl: int | None = None

    @property
    def open(self) -> bool:
        """Whether links are still being deleted (the purge after an erase does not count)."""
        return self.state in ("accepted", "exporting", "deleting")

    @property
    def pending(self) -> list[int]:
        """Positions of the ids without an outcome."""
        return [i for i, outcome in enumerate(self.outcomes) if outcome == Outcome.PENDING]

    def ids_with(self, *wanted: Outcome) -> list[str]:
        """The ids with one of these outcomes, in request order."""
        return [
            link_id
            for link_id, outcome in zip(self.link_ids, self.outcomes, strict=True)
            if outcome in wanted
        ]


def release_of_codes(deletion: Deletion) -> CodeRelease | None:
    """The reservation of the codes of an erasure, by its workspace's policies.

    Times start at the deletion's own time, so that a repeated transaction is identical.
    """
    policies = Policies.read(deletion.policies)
    return CodeRelease.by(
        policies, deletion.workspace_id, time_of(deletion.id), deletion_id=deletion.id
    )
