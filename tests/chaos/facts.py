"""The content of the tables, the buckets and the API when all work is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class StoredLink:
    """A link's item. ``deletion_id`` is of its soft delete, "" while it is live."""

    id: str
    workspace: str
    live: bool
    title: str
    code: str
    url: str
    deletion_id: str = ""
    clicks: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """A deletion as the API shows it, with the outcome of every id, in order."""

    id: str
    workspace: str
    mode: str
    state: str
    reason: str
    results: tuple[tuple[str, str], ...]
    counts: dict[str, int]
    created: float
    completed: float | None
    receipt: dict[str, Any] | None = None
    #: (reason, state) of each restore.
    restores: tuple[tuple[str, str], ...] = ()
    #: The lines of the export before the delete.
    export: tuple[dict[str, Any], ...] | None = None

    def ids(self, *outcomes: str) -> list[str]:
        """The ids with one of these outcomes."""
        return [link_id for link_id, outcome in self.results if outcome in outcomes]


@dataclass(slots=True)
class Facts:
    """The end of a run, as read from outside at ``time`` (Unix seconds)."""

    time: float
    links: dict[str, StoredLink] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    #: Every deletion that has a header in the table, with its workspace.
    headers: dict[str, str] = field(default_factory=dict)
    #: The link that a code points to; None for a code that is only reserved.
    codes: dict[str, str | None] = field(default_factory=dict)
    #: Records that are still waiting for a worker.
    unfinished: list[str] = field(default_factory=list)
    #: Other places with the id of a link: items and objects, except those that may name it.
    places: dict[str, list[str]] = field(default_factory=dict)
    #: Click items by link, and those of them that are counted.
    clicks: dict[str, int] = field(default_factory=dict)
    counted_clicks: dict[str, int] = field(default_factory=dict)
    #: The ids that the API lists as live, by workspace.
    listed: dict[str, list[str]] = field(default_factory=dict)
    #: Whether no fault was injected, so that every answered redirect has its click.
    fault_free: bool = False
