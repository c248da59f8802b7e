"""The body of ``POST /api/deletions``."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StrictBool, StringConstraints

from functions.domain.deletion_names import Mode
from functions.domain.errors import InvalidRequest
from functions.domain.plans import MAX_REASON
from functions.schemas.request_model import RequestModel

Reason = Annotated[str, StringConstraints(max_length=MAX_REASON)]


class NewDeletion(RequestModel):
    """The body of ``POST /api/deletions``: ids (checked one by one elsewhere) or a filter."""

    ids: list[Any] | None = None
    filter: dict[str, Any] | None = None
    mode: Mode = "soft"
    reason: Reason | None = None
    dryRun: StrictBool = False
    export: StrictBool = False
    # Not null: a lost token must not turn into an unconfirmed delete.
    confirmationToken: Annotated[
        str,
        StringConstraints(min_length=1),
        Field(description="Of a dry run. The request is refused if other links match by now."),
    ] = ""


def parse_new_deletion(body: object) -> NewDeletion:
    """Raises ``InvalidRequest`` with all errors."""
    deletion = NewDeletion.parse(body)
    members = deletion.model_fields_set & {"ids", "filter"}
    if len(members) != 1 or (deletion.ids is None and deletion.filter is None):
        raise InvalidRequest("Either ids or filter is required")
    if deletion.confirmationToken and deletion.filter is None:
        raise InvalidRequest("confirmationToken belongs to a filter")
    return deletion
