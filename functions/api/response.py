"""What a route responds, before it becomes JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

#: The type of a response's body, one of ``schemas``.
Body_co = TypeVar("Body_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Response(Generic[Body_co]):
    """The response of a route; ``log_fields`` go into the request's log line.

    ``body`` is sent as JSON, unless a ``content_type`` says that it is sent as it is (text or
    bytes).
    """

    status: int
    body: Body_co
    headers: dict[str, str] = field(default_factory=dict)
    log_fields: dict[str, Any] = field(default_factory=dict)
    content_type: str | None = None


def to_json(body: Any) -> str:
    """Compact UTF-8 JSON."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
