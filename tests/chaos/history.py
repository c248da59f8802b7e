"""The requests that clients sent and the responses: the input of the checker."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal[
    "create",
    "update",
    "get",
    "list",
    "qr",
    "read",
    "redirect",
    "soft",
    "erase one",
    "erase",
    "filter",
    "dry run",
    "restore",
    "export",
    "install",
]

FOREVER = float("inf")


@dataclass(slots=True)
class Operation:
    """One request. Times are Unix seconds; ``status`` is None if the connection broke.

    ``token`` is unique. It is in the reason of a delete or restore, and in the URL of each link
    that the request creates, so that every record of the tables leads to its request.
    """

    token: str
    workspace: str
    kind: Kind
    begin: float
    method: str
    path: str
    end: float = FOREVER
    body: Any = None
    #: The ids of links that the request names, as far as they are well formed.
    ids: list[str] = field(default_factory=list)
    code: str | None = None
    key: str | None = None
    status: int | None = None
    response: Any = None
    deletion_id: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the response says that it was done, or accepted."""
        return self.status is not None and 200 <= self.status < 400

    @property
    def unknown(self) -> bool:
        """Whether it may have happened or not."""
        return self.status is None or self.status >= 500

    def __str__(self) -> str:
        end = "…" if self.end == FOREVER else f"{self.end:.3f}"
        status = "no response" if self.status is None else str(self.status)
        return f"{self.begin:.3f}-{end} {self.token} {self.method} {self.path[:60]} -> {status}"


class History:
    """Collects operations from several threads."""

    def __init__(self, operations: Iterable[Operation] = ()) -> None:
        self._operations = list(operations)
        self._lock = threading.Lock()

    def begin(self, operation: Operation) -> Operation:
        """Add an operation that is about to be sent."""
        with self._lock:
            self._operations.append(operation)
        return operation

    def __iter__(self) -> Iterator[Operation]:
        with self._lock:
            return iter(list(self._operations))

    def __len__(self) -> int:
        return len(self._operations)

    def write(self, path: Path) -> None:
        """Write one JSON line for each operation; an unknown end is null."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            for each in self:
                end = None if each.end == FOREVER else each.end
                file.write(json.dumps(asdict(each) | {"end": end}) + "\n")
