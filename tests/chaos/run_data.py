"""A finished run, as all checks get it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from tests.chaos.facts import Facts
from tests.chaos.history import Operation
from tests.chaos.link_events import LinkEvents, created_links
from tests.chaos.requests import Created, Requests

Fault = Literal["lost", "resurrected", "stale redirect", "residue", "other"]


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise; ``subject`` is the link or deletion, ``tokens`` the requests about it."""

    fault: Fault
    subject: str
    text: str
    tokens: tuple[str, ...] = ()


class FinishedRun:
    """A history with its facts, and what several checks need of them."""

    def __init__(self, history: list[Operation], facts: Facts) -> None:
        self.history, self.facts = history, facts
        self.requests = Requests(history)

    @cached_property
    def created(self) -> dict[str, Created]:
        """Every link whose creation is known, by id."""
        return created_links(self.requests, self.facts)

    @cached_property
    def events(self) -> LinkEvents:
        """What happened to each link."""
        return LinkEvents(self.requests, self.facts, self.created)
