"""A deletion: what was requested, by whom, and what became of each id."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from functions.domain.code_release import CodeRelease
from functions.domain.ids import time_of
from functions.domain.outcomes import Outcome, count
from functions.domain.policies import Policies

if TYPE_CHECKING:
    from functions.domain.deletion_names import DeletionState, Mode
    from functions.domain.record_types import Actor, DeletionCounts, Receipt


@dataclass(frozen=True, slots=True)
class FilterRequest:
    """What a deletion by filter was asked to find: the filter as the caller wrote it.

    ``most`` is the plan's limit of ids, ``digest`` the exact set that the caller confirmed,
    ``reads_per_minute`` how fast the background may read links, ``slot`` which of the workspace's
    slots the deletion holds while it waits for that.
    """

    filter: dict[str, Any]
    maximum: int
    digest: str | None = None
    reads_per_minute: int | None = None
    slot: int | None = None


@dataclass(slots=True)
class Deletion:
    """One deletion: what was asked, by whom, and what became of each id.

    ``link_ids`` is [] when only the header was read and the ids are in chunks; ``outcomes`` has
    one byte per id, in the order of the request; ``counts`` is what the record last said of them.
    ``lease`` names the worker that holds it. A deletion by filter has a ``selector`` and, while
    it is ``accepted``, no ids yet; ``failure`` says why one was given up before deleting anything.
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
    #: ``outcomes`` as the record that was read has them: packed anew they may be other bytes.
    packed_outcomes: bytes = b""
    id_chunks: int = 0
    chunk_prefix: str = ""
    filter_request: FilterRequest | None = None
    failure: str | None = None
    counts: DeletionCounts = field(default_factory=lambda: count(b""))
    lease: str | None = None
    lease_until: float = 0.0
    retention_days: int | None = None
    policies: dict[str, Any] = field(default_factory=dict)
    #: Where an export that comes first stands: ``baseUrl``, ``position``, ``done``,
    #: and the ``slot`` of the workspace that it holds.
    export: dict[str, Any] | None = None
    receipt: Receipt | None = None
    #: When (Unix seconds) DynamoDB may remove the record; only one that deletes nothing has it.
    #: Until DynamoDB does, within days, it is shown as any other.
    ttl: int | None = None

    @property
    def open(self) -> bool:
        """Whether deleting is still going on (an erasure's cleanup is not deleting)."""
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
    """From whom the codes of an erasure are kept for a time, by its workspace's policies.

    Counted from the deletion's own time, so that a repeated transaction is identical.
    """
    policies = Policies.read(deletion.policies)
    return CodeRelease.by(
        policies, deletion.workspace_id, time_of(deletion.id), deletion_id=deletion.id
    )
