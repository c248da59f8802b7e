"""Checks each row of an import before links are created."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import urlsplit

from unlink_client.cli.imports.reserved import is_reserved
from unlink_client.cli.imports.sources import Draft
from unlink_client.cli.imports.tables import Row
from unlink_client.models import Link, NewLink, UtmParameters

_CODE = re.compile(r"[A-Za-z0-9_-]{4,30}")
_MAX_URL = 2_048
_MAX_TITLE = 200
_MAX_DESCRIPTION = 500
_MAX_TAG = 50
#: One of the twenty is the import's own.
_MAX_TAGS = 19


class Status(StrEnum):
    """The result of a row."""

    CREATE = "would create"
    CREATED = "created"
    EXISTS = "already there"
    TAKEN = "code taken"
    NOT_ALLOWED = "code not allowed"
    REFUSED = "URL refused"
    DUPLICATE = "duplicate"
    INVALID = "not importable"


#: Rows that a person must check.
REJECTED = (Status.TAKEN, Status.NOT_ALLOWED, Status.REFUSED, Status.DUPLICATE, Status.INVALID)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row with its link (None if it has none) and its result."""

    row: Row
    status: Status
    reason: str = ""
    link: NewLink | None = None
    created: str = ""

    def rejected(self, status: Status, reason: str) -> Entry:
        """The same, not to be created."""
        return replace(self, status=status, reason=reason)


@dataclass(frozen=True, slots=True)
class Existing:
    """The links that the workspace has already."""

    urls_by_code: dict[str, str]
    external_ids: frozenset[str]

    @classmethod
    def of(cls, links: Sequence[Link]) -> Existing:
        return cls(
            {link.short_code: link.original_url for link in links},
            frozenset(link.external_id for link in links if link.external_id),
        )


def check(
    rows: Sequence[Row],
    drafts: Sequence[Draft | str],
    existing: Existing,
    *,
    tags: Sequence[str],
    new_codes: bool,
) -> list[Entry]:
    """Every row with its expected result, in order.

    ``tags`` are added to each link. ``new_codes`` gives a generated code to links whose own is
    taken or not allowed.
    """
    entries = []
    codes: dict[str, int] = {}
    external_ids: dict[str, int] = {}
    for row, draft in zip(rows, drafts, strict=True):
        if isinstance(draft, str):
            entries.append(Entry(row, Status.INVALID, draft))
            continue
        entry = _entry(row, draft, existing, tags=tags, new_codes=new_codes)
        if entry.status is Status.CREATE and entry.link is not None:
            for value, seen in (
                (entry.link.short_code, codes),
                (entry.link.external_id, external_ids),
            ):
                if value and value in seen:
                    entry = entry.rejected(Status.DUPLICATE, f"duplicate of row {seen[value]}")
                elif value:
                    seen[value] = row.number
        entries.append(entry)
    return entries


def _entry(
    row: Row, draft: Draft, existing: Existing, *, tags: Sequence[str], new_codes: bool
) -> Entry:
    if draft.external_id and draft.external_id in existing.external_ids:
        return Entry(row, Status.EXISTS, draft.external_id)
    if draft.code and existing.urls_by_code.get(draft.code) == draft.url:
        return Entry(row, Status.EXISTS, draft.code)
    if draft.refusal:
        return Entry(row, Status.INVALID, draft.refusal)
    if fault := _url_fault(draft.url):
        return Entry(row, Status.REFUSED, fault)
    code: str | None = draft.code or None
    if code is not None and (fault := _code_fault(code)):
        if not new_codes:
            return Entry(row, Status.NOT_ALLOWED, f"{code}: {fault}")
        code = None
    if code is not None and code in existing.urls_by_code:
        if not new_codes:
            return Entry(row, Status.TAKEN, f"{code}: another link of the workspace has it")
        code = None
    try:
        link = _new_link(draft, code, tags)
    except ValueError as error:
        return Entry(row, Status.INVALID, str(error))
    return Entry(row, Status.CREATE, "", link)


def _new_link(draft: Draft, code: str | None, tags: Sequence[str]) -> NewLink:
    own = tuple(tag[:_MAX_TAG] for tag in draft.tags)
    if len(own) > _MAX_TAGS:
        raise ValueError(f"{len(own)} tags; a link has at most {_MAX_TAGS} and the import's")
    return NewLink(
        original_url=draft.url,
        short_code=code,
        title=draft.title[:_MAX_TITLE] or None,
        description=draft.description[:_MAX_DESCRIPTION] or None,
        tags=tuple(dict.fromkeys((*own, *tags))),
        ios_url=draft.ios_url or None,
        android_url=draft.android_url or None,
        web_fallback_url=draft.web_fallback_url or None,
        utm_parameters=UtmParameters(**draft.utm) if draft.utm else None,
        external_id=draft.external_id or None,
        expires_at=_moment(draft.expires_at),
        forward_query=draft.forward_query,
        is_active=draft.is_active,
    )


def _url_fault(url: str) -> str:
    if not url:
        return "there is no URL"
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return "not a URL"
    if parts.scheme.lower() not in ("http", "https"):
        return "only http and https URLs"
    if not host:
        return "a URL needs a host"
    return f"longer than {_MAX_URL:,} characters" if len(url) > _MAX_URL else ""


def _code_fault(code: str) -> str:
    if not _CODE.fullmatch(code):
        return "a code is 4 to 30 letters, digits, - and _"
    return "this code is reserved" if is_reserved(code) else ""


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"the expiry is not a time: {text[:40]}") from None
