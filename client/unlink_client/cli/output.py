"""The data on standard output, in the format that the caller asks for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from unlink_client.calls import to_json
from unlink_client.cli.link_files import CsvWriter, link_record
from unlink_client.cli.terminal import output_console, printable
from unlink_client.models import DeletionSummary, Link, TrashedLink


class Output(StrEnum):
    """Formats of a list."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    IDS = "ids"


class RecordOutput(StrEnum):
    """Formats of deletions."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    IDS = "ids"


#: Columns: heading, smallest terminal width at which it is shown.
_LINK_COLUMNS = (
    ("Code", 0),
    ("Destination", 0),
    ("Title", 90),
    ("Tags", 110),
    ("Clicks", 0),
    ("Created", 70),
)


def write_line(text: str) -> None:
    """A line of data."""
    sys.stdout.write(text + "\n")


def write_json(value: Any) -> None:
    """One JSON document, indented."""
    write_line(json.dumps(to_json(value), ensure_ascii=False, indent=2))


def write_json_line(value: Any) -> None:
    """One line of NDJSON."""
    write_line(json.dumps(to_json(value), ensure_ascii=False, separators=(",", ":")))


def write_links(links: Iterable[Link], output: Output) -> int:
    """Links in any format, each as it arrives where the format allows it; how many they were."""
    if output is Output.TABLE:
        return _link_table(list(links))
    if output is Output.JSON:
        found = list(links)
        write_json(found)
        return len(found)
    writer = CsvWriter(sys.stdout) if output is Output.CSV else None
    count = 0
    for link in links:
        count += 1
        if writer is not None:
            writer.write(link_record(link))
        elif output is Output.IDS:
            write_line(link.id)
        else:
            write_json_line(link)
    return count


def _link_table(links: Sequence[Link]) -> int:
    rows = [
        (
            link.short_code,
            link.original_url,
            link.title or "",
            ", ".join(link.tags),
            f"{link.click_count:,}",
            link.created_at.strftime("%Y-%m-%d"),
        )
        for link in links
    ]
    notes = ["" if link.is_active else "dim" for link in links]
    print_table(_LINK_COLUMNS, rows, styles=notes)
    return len(links)


#: Columns that give way where the terminal is narrow; all others are shown whole.
_FLEXIBLE = frozenset({"Destination", "Title", "Tags", "Reason", "URL", "Name"})
_NUMBERS = frozenset({"Clicks", "Ids", "Row", "Rows"})
_GAP = 2
_LEAST = 8


def print_table(
    columns: Sequence[tuple[str, int]],
    rows: Sequence[Sequence[str]],
    *,
    styles: Sequence[str] = (),
) -> None:
    """A table that fits the width.

    A column is left out where the terminal is narrower than its number in ``columns``; what is
    left of the width is shared by the flexible ones.
    """
    console = output_console()
    shown = [number for number, (_, width) in enumerate(columns) if console.width >= width]
    natural = {
        number: max([len(columns[number][0]), *(cell_len(row[number]) for row in rows)])
        for number in shown
    }
    flexible = [number for number in shown if columns[number][0] in _FLEXIBLE]
    room = console.width - _GAP * (len(shown) - 1)
    room -= sum(natural[number] for number in shown if number not in flexible)
    # The narrowest first: what they do not need is left for the others.
    for position, number in enumerate(sorted(flexible, key=natural.__getitem__)):
        share = max(_LEAST, room // (len(flexible) - position))
        natural[number] = min(natural[number], share)
        room -= natural[number]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for number in shown:
        heading = columns[number][0]
        table.add_column(
            heading,
            justify="right" if heading in _NUMBERS else "left",
            no_wrap=True,
            overflow="ellipsis",
            width=natural[number],
        )
    for position, row in enumerate(rows):
        cells = [Text(printable(row[number]).replace("\n", " ")) for number in shown]
        table.add_row(*cells, style=styles[position] if styles else "")
    if rows:
        _print(console, table)


_DELETION_COLUMNS = (
    ("Deletion", 0),
    ("State", 0),
    ("Mode", 0),
    ("Ids", 0),
    ("Created", 75),
    ("By", 100),
    ("Reason", 90),
)


def write_deletions(deletions: Iterable[DeletionSummary], output: RecordOutput) -> int:
    """Deletions in any format; how many they were."""
    if output in (RecordOutput.NDJSON, RecordOutput.IDS):
        count = 0
        for each in deletions:
            count += 1
            write_line(each.id) if output is RecordOutput.IDS else write_json_line(each)
        return count
    found = list(deletions)
    if output is RecordOutput.JSON:
        write_json(found)
        return len(found)
    rows = [
        (
            each.id,
            each.state,
            each.mode,
            f"{each.counts.requested:,}",
            each.created_at.strftime("%Y-%m-%d %H:%M"),
            each.actor.user_id or each.actor.key_id or each.actor.service or "",
            each.reason or "",
        )
        for each in found
    ]
    print_table(_DELETION_COLUMNS, rows)
    return len(found)


_TRASH_COLUMNS = (
    ("Code", 0),
    ("Destination", 0),
    ("Deleted", 60),
    ("Until", 100),
    ("Deletion", 80),
)


def write_trash(links: Iterable[TrashedLink], output: RecordOutput) -> int:
    """Soft-deleted links in any format; how many they were."""
    found = list(links)
    if output is RecordOutput.JSON:
        write_json(found)
    elif output is RecordOutput.TABLE:
        rows = [
            (
                each.short_code,
                each.original_url,
                each.deleted_at.strftime("%Y-%m-%d %H:%M"),
                each.restorable_until.strftime("%Y-%m-%d") if each.restorable_until else "kept",
                each.deletion_id,
            )
            for each in found
        ]
        print_table(_TRASH_COLUMNS, rows)
    else:
        for each in found:
            write_line(each.id) if output is RecordOutput.IDS else write_json_line(each)
    return len(found)


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Names and values, one a line."""
    console = output_console()
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, Text(printable(value)))
    _print(console, table)


def _print(console: Console, table: Table) -> None:
    """The table; in a file or pipe without the spaces that fill its last column."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        write_line(line.rstrip())
