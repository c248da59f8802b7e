"""Dry runs under an Idempotency-Key: their numbers are kept, and answered again.

A preview names ids only from its own request. Their positions are enough: the repeated request has
the ids. No id, destination or visitor is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from functions.domain.errors import NAMED_IDS

#: The members of a preview that are numbers, or the moment of the last click.
_KEPT = ("mode", "counts", "clicks", "lastClickAt")


def kept_preview(preview: dict[str, Any], link_ids: Sequence[str]) -> dict[str, Any]:
    """What is kept of a preview of these distinct well-formed ids (none for a filter)."""
    places = {link_id: position for position, link_id in enumerate(link_ids)}
    return {name: preview[name] for name in _KEPT} | {
        "unknownAt": [places[link_id] for link_id in preview["unknownIds"]]
    }


def repeated_preview(
    kept: dict[str, Any], link_ids: Sequence[str], invalid_ids: Sequence[str]
) -> dict[str, Any]:
    """The inverse of :func:`kept_preview`, with the ids of the same request."""
    return {
        "dryRun": True,
        "mode": kept["mode"],
        "counts": {name: int(number) for name, number in kept["counts"].items()},
        "clicks": int(kept["clicks"]),
        "lastClickAt": kept.get("lastClickAt"),
        "unknownIds": [link_ids[int(position)] for position in kept["unknownAt"]],
        "invalidIds": list(invalid_ids)[:NAMED_IDS],
    }
