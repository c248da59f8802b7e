"""A link in the trash as responses show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.domain.clock import iso
from functions.domain.deletion import Deletion
from functions.domain.link import Link
from functions.schemas.link_views import link_view

if TYPE_CHECKING:
    from functions.schemas.link_responses import TrashedLink


def trashed_link_view(link: Link, deletion: Deletion, base_url: str) -> TrashedLink:
    """A soft-deleted link with who deleted it, when, why, and until when it can be restored."""
    return {
        **link_view(link, base_url),
        "deletedAt": link.deleted_at or deletion.created_at,
        "deletionId": deletion.id,
        "deletedBy": deletion.actor,
        "reason": deletion.reason,
        "restorableUntil": iso(link.ttl) if link.ttl is not None else None,
    }
