"""Links as CSV: written so that a spreadsheet runs no formula, and read back unchanged."""

from __future__ import annotations

import csv
import re
from typing import Any, TextIO

from unlink_client.calls import to_json
from unlink_client.models import Link

UTM = ("source", "medium", "campaign", "term", "content")

#: The columns, in order. `shortUrl` and the columns after it are information; an import skips them.
COLUMNS = (
    "shortCode",
    "originalUrl",
    "title",
    "description",
    "tags",
    "iosUrl",
    "androidUrl",
    "webFallbackUrl",
    *(f"utm_{name}" for name in UTM),
    "externalId",
    "expiresAt",
    "forwardQuery",
    "isActive",
    "shortUrl",
    "clickCount",
    "createdAt",
    "updatedAt",
    "id",
)

#: Characters that start a formula in a spreadsheet (OWASP, "CSV Injection"), and the mark itself.
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "'")

#: Between tags in one cell. A tag may hold a comma.
TAG_SEPARATOR = "|"


def neutralise(text: str) -> str:
    """A cell that no spreadsheet runs: ``'`` is put before a leading ``= + - @``, tab or CR."""
    return f"'{text}" if text.startswith(_DANGEROUS) else text


def restore(text: str) -> str:
    """The inverse of :func:`neutralise`; text that it did not change stays."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_DANGEROUS) else text


def join_tags(tags: tuple[str, ...]) -> str:
    """Tags in one cell; a separator of any kind within a tag is escaped with a backslash."""
    return TAG_SEPARATOR.join(re.sub(r"([\\|,;])", r"\\\1", tag) for tag in tags)


def split_tags(text: str) -> list[str]:
    """The inverse of :func:`join_tags`."""
    tags, current, escaped = [], "", False
    for character in text:
        if escaped:
            current, escaped = current + character, False
        elif character == "\\":
            escaped = True
        elif character == TAG_SEPARATOR:
            tags.append(current)
            current = ""
        else:
            current += character
    return [tag for tag in (*tags, current) if tag]


def link_record(link: Link) -> dict[str, str]:
    """A link as the text of each column."""
    document: dict[str, Any] = to_json(link)
    utm = document.get("utmParameters") or {}
    values = document | {f"utm_{name}": utm.get(name) for name in UTM}
    values["tags"] = join_tags(link.tags)
    return {name: _text(values.get(name)) for name in COLUMNS}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


class CsvWriter:
    """Writes records as CSV (RFC 4180) with a heading."""

    def __init__(self, target: TextIO, columns: tuple[str, ...] = COLUMNS) -> None:
        self._columns = columns
        self._writer = csv.writer(target, lineterminator="\r\n")
        self._writer.writerow(columns)

    def write(self, record: dict[str, str]) -> None:
        """One row."""
        self._writer.writerow([neutralise(record.get(name, "")) for name in self._columns])
