"""The body of ``POST /api/deletions``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StringConstraints

from functions.domain.errors import InvalidRequest
from functions.schemas.request_model import RequestModel


class NewDeletion(RequestModel):
    """The body of ``POST /api/deletions``: ids (checked one by one elsewhere) or a filter."""

    ids: list[Any] | None = None
    filter: dict[str, Any] | None = None
    mode: Literal["soft", "erase"] = "soft"
    reason: Annotated[str, StringConstraints(max_length=500)] | None = None
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
    asked = NewDeletion.parse(body)
    given = asked.model_fields_set & {"ids", "filter"}
    if len(given) != 1 or (asked.ids is None and asked.filter is None):
        raise InvalidRequest("Either ids or filter is required")
    if asked.confirmationToken and asked.filter is None:
        raise InvalidRequest("confirmationToken belongs to a filter")
    return asked
