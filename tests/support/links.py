"""Links that were never stored."""

from __future__ import annotations

from typing import Any

from functions.domain.link import Link


def a_link(**fields: Any) -> Link:
    """A live link with these fields."""
    given: dict[str, Any] = {
        "id": "550e8400-e29b-41d4-a716-446655440000",
        "workspace_id": "ws",
        "short_code": "spring",
        "original_url": "https://example.com/",
        "created_at": "2026-01-01T00:00:00.000Z",
        "updated_at": "2026-01-01T00:00:00.000Z",
    }
    return Link(**given | fields)
