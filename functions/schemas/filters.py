"""The filter of ``GET /api/links`` and of deletions by filter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictBool, StrictInt
from pydantic import StringConstraints as Text

from functions.domain.clock import iso_moment
from functions.domain.error_texts import shortened
from functions.domain.errors import InvalidRequest
from functions.domain.link_filter import LinkFilter
from functions.schemas.links import ExternalId, Moment, Tag
from functions.schemas.request_model import MAX_MEMBER_NAME, Conditions

#: Largest number of clicks in a filter: the largest integer that a double holds exactly, as in
#: JavaScript.
MAX_CLICKS = 2**53 - 1


def _integer(value: object) -> object:
    """In JSON ``0.0`` is an integer too (JSON Schema, section 6.1.1)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Clicks = Annotated[StrictInt, Field(ge=0, le=MAX_CLICKS), BeforeValidator(_integer)]


class FilterFields(Conditions):
    """A filter as JSON; links must match all members."""

    tag: Annotated[Tag | None, Field(description="Has this tag.")] = None
    title: Annotated[
        Annotated[str, Text(min_length=1, max_length=200)] | None,
        Field(description="The title contains this text, ignoring case (Unicode case folding)."),
    ] = None
    isActive: Annotated[StrictBool | None, Field(description="Is active, or is not.")] = None
    expired: Annotated[StrictBool | None, Field(description="`expiresAt` is past, or not.")] = None
    createdBefore: Annotated[
        Moment | None, Field(description="Was created before this time; exclusive.")
    ] = None
    createdAfter: Annotated[
        Moment | None, Field(description="Was created after this time; exclusive.")
    ] = None
    minClicks: Annotated[_Clicks | None, Field(description="Has at least so many clicks.")] = None
    maxClicks: Annotated[_Clicks | None, Field(description="Has at most so many clicks.")] = None
    externalId: Annotated[ExternalId | None, Field(description="Has this external id.")] = None


_NUMBER = re.compile(r"[0-9]{1,16}")
_BOOLEANS = {"true": True, "false": False}


def parse_filter(body: object) -> LinkFilter:
    """A filter from JSON; raises ``InvalidRequest`` with all errors.

    Null is an error: a missing value must not widen a delete.
    """
    if isinstance(body, dict) and (nulls := [name for name in body if body[name] is None]):
        names = [shortened(name, MAX_MEMBER_NAME) for name in nulls[:20]]
        raise InvalidRequest(details=[f"{name}: must not be null" for name in names])
    fields = FilterFields.parse(body)
    return LinkFilter(
        tag=fields.tag,
        title=fields.title,
        is_active=fields.isActive,
        expired=fields.expired,
        created_before=iso_moment(fields.createdBefore) if fields.createdBefore else None,
        created_after=iso_moment(fields.createdAfter) if fields.createdAfter else None,
        min_clicks=fields.minClicks,
        max_clicks=fields.maxClicks,
        external_id=fields.externalId,
    )


def parse_query(query: Mapping[str, str]) -> LinkFilter:
    """A filter from query parameters, which are all text."""
    body: dict[str, Any] = {}
    for name, text in query.items():
        if name in ("isActive", "expired"):
            body[name] = _BOOLEANS.get(text, text)
        elif name in ("minClicks", "maxClicks") and _NUMBER.fullmatch(text):
            body[name] = int(text)
        else:
            body[name] = text
    return parse_filter(body)
