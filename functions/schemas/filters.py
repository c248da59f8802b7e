"""The filter of ``GET /api/links`` and of deletions by filter."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
)
from pydantic import StringConstraints as Text

from functions.domain.clock import iso_moment
from functions.domain.error_texts import shortened
from functions.domain.errors import InvalidRequest
from functions.domain.link import Link
from functions.domain.unicode_text import fold, folded_needle, nfc
from functions.schemas.links import MOST_NAME, ExternalId, Moment, Tag, format_validation_errors

#: Largest number of clicks in a filter: the largest integer that a double holds exactly, as in
#: JavaScript.
MAX_CLICKS = 2**53 - 1


def _integer(value: object) -> object:
    """In JSON ``0.0`` is an integer too (JSON Schema, section 6.1.1)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Clicks = Annotated[StrictInt, BeforeValidator(_integer), Field(ge=0, le=MAX_CLICKS)]


class FilterFields(BaseModel):
    """A filter as JSON; links must match all members."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

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


#: The names of a filter's members in the API.
NAMES = tuple(FilterFields.model_fields)

_NUMBER = re.compile(r"[0-9]{1,16}")
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class LinkFilter:
    """The conditions of a filter; None matches any link.

    ``title`` is a substring, compared caselessly (:func:`functions.domain.unicode_text.fold`);
    ``tag`` is one whole tag. Timestamps have the format of a link's; ``created_before`` and
    ``created_after`` are exclusive.
    """

    tag: str | None = None
    title: str | None = None
    is_active: bool | None = None
    expired: bool | None = None
    created_before: str | None = None
    created_after: str | None = None
    min_clicks: int | None = None
    max_clicks: int | None = None
    external_id: str | None = None

    @classmethod
    def parse(cls, body: object) -> Self:
        """A filter from JSON; raises ``InvalidRequest`` with all errors.

        Null is an error: a missing value must not widen a delete.
        """
        if isinstance(body, dict) and (lost := [name for name in body if body[name] is None]):
            names = [shortened(name, MOST_NAME) for name in lost[:20]]
            raise InvalidRequest(details=[f"{name}: must not be null" for name in names])
        try:
            fields = FilterFields.model_validate(body)
        except ValidationError as error:
            raise InvalidRequest(details=format_validation_errors(error)) from None
        return cls(
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

    @classmethod
    def parse_query(cls, query: Mapping[str, str]) -> Self:
        """A filter from query parameters, which are all text."""
        body: dict[str, Any] = {}
        for name, text in query.items():
            if name in ("isActive", "expired"):
                body[name] = _BOOLEANS.get(text, text)
            elif name in ("minClicks", "maxClicks") and _NUMBER.fullmatch(text):
                body[name] = int(text)
            else:
                body[name] = text
        return cls.parse(body)

    @property
    def empty(self) -> bool:
        """Whether every link matches."""
        return self == LinkFilter()

    @property
    def fingerprint(self) -> str:
        """A text that is equal exactly for equal filters; "" for the empty one."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        if not given:
            return ""
        return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:16]

    def matches(self, link: Link, *, now: str) -> bool:
        """Whether a link matches at the moment ``now`` (text, as in links)."""
        expires_at = link.expires_at
        return (
            (self.tag is None or _has_tag(link, self.tag))
            and (self.title is None or folded_needle(self.title) in fold(link.title or ""))
            and (self.is_active is None or link.is_active is self.is_active)
            and (
                self.expired is None
                or (expires_at is not None and expires_at <= now) is self.expired
            )
            and (self.created_before is None or link.created_at < self.created_before)
            and (self.created_after is None or link.created_at > self.created_after)
            and (self.min_clicks is None or link.click_count >= self.min_clicks)
            and (self.max_clicks is None or link.click_count <= self.max_clicks)
            and (self.external_id is None or link.external_id == self.external_id)
        )


def _has_tag(link: Link, tag: str) -> bool:
    # Links of an older release may have tags in another normal form.
    return any(nfc(own) == tag for own in link.tags)
