"""Dry runs with an Idempotency-Key: their numbers are kept for a repeated request.

A preview names only ids of its own request, so it is enough to keep their positions. No id,
destination or visitor is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from functions.domain.error_texts import NAMED_IDS

if TYPE_CHECKING:
    from functions.schemas.deletion_responses import Preview


def kept_preview(preview: Preview, link_ids: Sequence[str]) -> dict[str, Any]:
    """The stored form of a preview of these distinct well-formed ids (none for a filter)."""
    places = {link_id: position for position, link_id in enumerate(link_ids)}
    return {
        "mode": preview["mode"],
        "counts": preview["counts"],
        "clicks": preview["clicks"],
        "lastClickAt": preview["lastClickAt"],
        "unknownAt": [places[link_id] for link_id in preview["unknownIds"]],
    }


def repeated_preview(
    details: dict[str, Any], link_ids: Sequence[str], invalid_ids: Sequence[str]
) -> Preview:
    """The inverse of :func:`kept_preview`, with the ids of the same request."""
    return {
        "dryRun": True,
        "mode": details["mode"],
        "counts": details["counts"],
        "clicks": details["clicks"],
        "lastClickAt": details.get("lastClickAt"),
        "unknownIds": [link_ids[position] for position in details["unknownAt"]],
        "invalidIds": list(invalid_ids)[:NAMED_IDS],
    }
