"""The requests of a history: repetitions with one Idempotency-Key are one request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from tests.chaos.history import FOREVER, Kind, Operation


def url_of(workspace: str, token: str, number: int) -> str:
    """The destination of the link ``number`` of a create; it leads back to the request."""
    return f"https://example.com/{workspace}/{token}/{number}"


def origin_of(url: str) -> tuple[str, str, int] | None:
    """(workspace, token, number) of a destination made by :func:`url_of`."""
    parts = urlsplit(url).path.strip("/").split("/")
    if len(parts) != 3 or not parts[2].isdecimal():
        return None
    return parts[0], parts[1], int(parts[2])


class Request:
    """One logical request: all attempts with its token."""

    def __init__(self, attempts: list[Operation]) -> None:
        self.attempts = attempts
        first = attempts[0]
        self.token, self.workspace, self.kind = first.token, first.workspace, first.kind
        self.body = first.body

    @property
    def begin(self) -> float:
        """When the first attempt began."""
        return min(each.begin for each in self.attempts)

    @cached_property
    def successes(self) -> list[Operation]:
        """The attempts whose response was success or acceptance, the earliest first."""
        done = [each for each in self.attempts if each.succeeded]
        return sorted(done, key=lambda each: each.end)

    @property
    def end(self) -> float:
        """The first response of success (not acceptance); before that it may still run."""
        done = [each.end for each in self.successes if each.status != 202]
        return min(done, default=FOREVER)

    @property
    def unknown(self) -> bool:
        """Whether it may have happened although no attempt got such a response."""
        return not self.successes and any(each.unknown for each in self.attempts)

    def describe(self) -> str:
        """Its attempts, a line each."""
        return "\n".join(f"    {each}" for each in self.attempts)


@dataclass(frozen=True, slots=True)
class Created:
    """A link that a request created; ``title`` and ``code`` as it was created."""

    id: str
    workspace: str
    request: Request
    number: int
    title: str
    code: str


class Requests:
    """All requests of a history, by token and by kind."""

    def __init__(self, history: Iterable[Operation]) -> None:
        attempts: dict[str, list[Operation]] = defaultdict(list)
        for operation in history:
            attempts[operation.token].append(operation)
        self.by_token = {token: Request(each) for token, each in attempts.items()}

    def of(self, *kinds: Kind) -> list[Request]:
        """The requests of these kinds."""
        return [each for each in self.by_token.values() if each.kind in kinds]
