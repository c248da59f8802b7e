"""The query parameters that narrow the audit trail and the trash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, StringConstraints

from functions.domain.clock import iso_moment
from functions.domain.deletion_filter import DeletionFilter
from functions.domain.deletion_names import DeletionState, Mode
from functions.schemas.links import Moment
from functions.schemas.request_model import Conditions

Actor = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class AuditFields(Conditions):
    """What ``GET /api/deletions`` takes; every member narrows it."""

    state: Annotated[DeletionState | None, Field(description="Is in this state.")] = None
    mode: Annotated[Mode | None, Field(description="Has this mode.")] = None
    actor: Annotated[
        Actor | None, Field(description="Was requested by exactly this key, user or service.")
    ] = None
    createdAfter: Annotated[
        Moment | None, Field(description="Was requested after this time; exclusive.")
    ] = None
    createdBefore: Annotated[
        Moment | None, Field(description="Was requested before this time; exclusive.")
    ] = None


class TrashFields(Conditions):
    """What ``GET /api/trash`` takes; every member narrows it."""

    actor: Annotated[
        Actor | None, Field(description="Was deleted by exactly this key, user or service.")
    ] = None
    deletedAfter: Annotated[
        Moment | None, Field(description="Was deleted after this time; exclusive.")
    ] = None
    deletedBefore: Annotated[
        Moment | None, Field(description="Was deleted before this time; exclusive.")
    ] = None


def parse_audit_filter(query: Mapping[str, str]) -> DeletionFilter:
    """Raises ``InvalidRequest`` with all errors."""
    fields = AuditFields.parse(query)
    return DeletionFilter(
        state=fields.state,
        mode=fields.mode,
        actor=fields.actor,
        created_after=iso_moment(fields.createdAfter) if fields.createdAfter else None,
        created_before=iso_moment(fields.createdBefore) if fields.createdBefore else None,
    )


def parse_trash_filter(query: Mapping[str, str]) -> DeletionFilter:
    """Soft deletions only. A link's ``deletedAt`` is its deletion's ``createdAt``.

    Raises ``InvalidRequest`` with all errors.
    """
    fields = TrashFields.parse(query)
    return DeletionFilter(
        mode="soft",
        actor=fields.actor,
        created_after=iso_moment(fields.deletedAfter) if fields.deletedAfter else None,
        created_before=iso_moment(fields.deletedBefore) if fields.deletedBefore else None,
    )
