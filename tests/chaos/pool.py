"""The links and deletions that the clients of one workspace can use."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from random import Random

from tests.chaos.history import Operation
from tests.chaos.link_events import links_in


@dataclass(frozen=True, slots=True)
class KnownLink:
    """A link as it was created."""

    id: str
    code: str
    tag: str


@dataclass
class Pool:
    """What was created and deleted so far; for all threads of a workspace."""

    live: list[KnownLink] = field(default_factory=list)
    #: Soft deletes that were accepted, with their ids.
    deletions: list[tuple[str, list[str]]] = field(default_factory=list)
    by_id: dict[str, KnownLink] = field(default_factory=dict)
    erased_codes: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def created(self, operation: Operation) -> None:
        """Add the links of an answered create."""
        if not operation.succeeded:
            return
        with self.lock:
            for each in links_in(operation.response):
                if each["id"] not in self.by_id:
                    tags = each["tags"] or [""]
                    link = KnownLink(each["id"], each["shortCode"], tags[0])
                    self.by_id[link.id] = link
                    self.live.append(link)

    def removed(self, ids: list[str], *, deletion_id: str | None = None) -> list[KnownLink]:
        """Remove links from the live ones; with ``deletion_id`` they may be restored."""
        with self.lock:
            gone = set(ids)
            links = [self.by_id[each] for each in ids if each in self.by_id]
            self.live = [each for each in self.live if each.id not in gone]
            if deletion_id is not None:
                self.deletions.append((deletion_id, ids))
            else:
                self.erased_codes += [each.code for each in links]
            return links

    def restored(self, ids: list[str]) -> None:
        """Put restored links back."""
        with self.lock:
            known = {each.id for each in self.live}
            self.live += [
                self.by_id[each] for each in ids if each in self.by_id and each not in known
            ]

    def some(self, chance: Random, maximum: int) -> list[KnownLink]:
        """Up to ``maximum`` live links, the newest rather than the oldest."""
        with self.lock:
            recent = self.live[-40:]
            return chance.sample(recent, min(maximum, len(recent)))

    def a_deletion(self, chance: Random) -> tuple[str, list[str]] | None:
        """One of the latest soft deletes."""
        with self.lock:
            return chance.choice(self.deletions[-8:]) if self.deletions else None

    def a_free_code(self) -> str | None:
        """A code of an erased link, once."""
        with self.lock:
            return self.erased_codes.pop() if self.erased_codes else None
