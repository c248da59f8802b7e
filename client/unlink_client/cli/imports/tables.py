"""Reads a file of rows: CSV as Excel and others write it, JSON, or JSON lines.

A row that cannot be read is a fault with its number; the others are still read.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlink_client.cli.exits import USAGE, CommandError
from unlink_client.cli.link_files import restore

#: A quoted cell may have line breaks; one that is never closed must not swallow the file.
_MAX_LINES = 100

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+\Z")
_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: ``number`` is its line in the file (of JSON its place), ``values`` by column.

    ``fault`` says why it could not be read.
    """

    number: int
    values: dict[str, Any]
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file; ``columns`` as in the file."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(
    path: Path, *, without_heading: Sequence[str] = (), inside: Sequence[str] = ()
) -> Table:
    """The rows of a file; raises ``CommandError`` (2) if it is none.

    ``without_heading`` are the columns of a CSV file whose first row is data. ``inside`` are the
    members of a JSON document under which its rows are, the outermost first.
    """
    text = _read(path)
    if not text.strip():
        raise CommandError(f"{path} is empty", code=USAGE)
    if text.lstrip()[0] in "[{":
        return _of_json(text, path, inside)
    return _of_csv(text, path, without_heading)


def _read(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CommandError(f"Cannot read {path}: {error.strerror}", code=USAGE) from None
    wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    # Excel writes UTF-16 as "Unicode text", and the Windows code page as plain "CSV".
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise CommandError(f"{path} is not text", code=USAGE)


# -- JSON -------------------------------------------------------------------------------------


def _of_json(text: str, path: Path, inside: Sequence[str]) -> Table:
    try:
        found = json.loads(text)
    except ValueError:
        return _of_json_lines(text)
    except RecursionError:
        raise CommandError(f"{path} is nested too deeply", code=USAGE) from None
    for name in inside:
        if isinstance(found, dict) and name in found:
            found = found[name]
    if isinstance(found, dict):
        # YOURLS numbers its rows: {"link_1": {...}, "link_2": {...}}.
        values = list(found.values())
        found = values if values and all(isinstance(each, dict) for each in values) else [found]
    if not isinstance(found, list):
        raise CommandError(f"{path} has no list of links", code=USAGE)
    return _table([_json_row(number, each) for number, each in enumerate(found, 1)])


def _of_json_lines(text: str) -> Table:
    rows = []
    # Not splitlines: U+2028 may stand in a text of JSON.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            rows.append(_json_row(number, json.loads(line)))
        except (ValueError, RecursionError):
            rows.append(Row(number, {}, "not JSON"))
    return _table(rows)


def _json_row(number: int, value: Any) -> Row:
    if not isinstance(value, dict):
        return Row(number, {}, "not an object")
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        # JSON can have it, and no text that is sent or written.
        return Row(number, {}, "half of a surrogate pair, which is not a character")
    return Row(number, value)


def _table(rows: list[Row]) -> Table:
    return Table(tuple(dict.fromkeys(name for row in rows for name in row.values)), tuple(rows))


# -- CSV --------------------------------------------------------------------------------------


def _of_csv(text: str, path: Path, without_heading: Sequence[str]) -> Table:
    lines = _LINE.findall(text)
    # Excel's own note of the separator.
    declared = re.fullmatch(r"sep=(.)\s*", lines[0]) if lines else None
    start = 1 if declared else 0
    delimiter = declared[1] if declared else _delimiter(lines[0])
    records = (each for each in _records(lines, start, delimiter) if each[1] != [])
    first = next(records, None)
    if first is None or isinstance(first[1], str):
        raise CommandError(f"{path}: the first row cannot be read", code=USAGE)
    columns = tuple(each.strip() for each in first[1])
    rows = []
    if without_heading and not _is_heading(columns, without_heading):
        columns = tuple(without_heading)
        rows.append(_csv_row(first[0], first[1], columns))
    rows += [_csv_row(number, cells, columns) for number, cells in records]
    return Table(columns, tuple(rows))


def _is_heading(cells: Sequence[str], expected: Sequence[str]) -> bool:
    return any(each.lower() in expected for each in cells)


def _delimiter(line: str) -> str:
    unquoted = re.sub(r'"[^"]*"', "", line)
    return max(_DELIMITERS, key=unquoted.count)


def _records(
    lines: Sequence[str], start: int, delimiter: str
) -> Iterator[tuple[int, list[str] | str]]:
    """(line number, cells) of each record; in place of cells why they could not be read."""
    position = start
    while position < len(lines):
        for span in range(1, min(_MAX_LINES, len(lines) - position) + 1):
            cells = _cells("".join(lines[position : position + span]), delimiter)
            if cells is not None:
                yield position + 1, cells
                position += span
                break
        else:
            yield position + 1, "a quote is not closed, or stands within a cell"
            position += 1


def _cells(text: str, delimiter: str) -> list[str] | None:
    """The cells of one complete record; None if it is incomplete."""
    if text.count('"') % 2:
        return None
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    if len(records) > 1:
        return None
    return records[0] if records and any(cell.strip() for cell in records[0]) else []


def _csv_row(number: int, cells: list[str] | str, columns: Sequence[str]) -> Row:
    if isinstance(cells, str):
        return Row(number, {}, cells)
    extra = [cell for cell in cells[len(columns) :] if cell.strip()]
    if extra or len(cells) < len(columns):
        return Row(
            number,
            dict(zip(columns, cells, strict=False)),
            f"{len(cells)} cells where the heading has {len(columns)}",
        )
    return Row(number, {name: restore(cell) for name, cell in zip(columns, cells, strict=False)})
