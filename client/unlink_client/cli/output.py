"""The data on standard output, in the requested format."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeVar

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from unlink_client.calls import to_json
from unlink_client.cli.link_files import CsvWriter, link_record
from unlink_client.cli.terminal import output_console, printable
from unlink_client.models import Actor, DeletionSummary, Link, Receipt, TrashedLink
from unlink_client.receipts import Removed

_Record = TypeVar("_Record", Link, DeletionSummary, TrashedLink)


#: Formats of links, and of other records.
Output = Literal["table", "json", "ndjson", "csv", "ids"]
RecordOutput = Literal["table", "json", "ndjson", "ids"]

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
    """Write links in any format, each on arrival if the format allows it; returns their number."""
    if output == "csv":
        writer = CsvWriter(sys.stdout)
        return _each(links, lambda link: writer.write(link_record(link)))
    return _write_records(links, output, _LINK_COLUMNS, _link_row, _link_style)


def _each(records: Iterable[_Record], write: Callable[[_Record], None]) -> int:
    count = 0
    for each in records:
        write(each)
        count += 1
    return count


def _link_row(link: Link) -> tuple[str, ...]:
    return (
        link.short_code,
        link.original_url,
        link.title or "",
        ", ".join(link.tags),
        f"{link.click_count:,}",
        link.created_at.strftime("%Y-%m-%d"),
    )


def _link_style(link: Link) -> str:
    return "" if link.is_active else "dim"


def _write_records(
    records: Iterable[_Record],
    output: RecordOutput,
    columns: Sequence[tuple[str, int]],
    row: Callable[[_Record], Sequence[str]],
    style: Callable[[_Record], str] = lambda _: "",
) -> int:
    """Records in any format, each as it arrives where the format allows it; how many they were."""
    if output == "ndjson":
        return _each(records, write_json_line)
    if output == "ids":
        return _each(records, lambda each: write_line(each.id))
    found = list(records)
    if output == "json":
        write_json(found)
    else:
        print_table(columns, [row(each) for each in found], styles=[style(each) for each in found])
    return len(found)


#: Columns that are cut if the terminal is narrow; all others are shown completely.
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
    # The narrowest first: the width that they do not need is left for the others.
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
    """Write deletions in any format; returns their number."""
    return _write_records(deletions, output, _DELETION_COLUMNS, _deletion_row)


def _deletion_row(deletion: DeletionSummary) -> tuple[str, ...]:
    return (
        deletion.id,
        deletion.state,
        deletion.mode,
        f"{deletion.counts.requested:,}",
        deletion.created_at.strftime("%Y-%m-%d %H:%M"),
        name_of(deletion.actor),
        deletion.reason or "",
    )


def name_of(actor: Actor) -> str:
    """Who made a deletion."""
    return actor.user_id or actor.key_id or actor.service or ""


_TRASH_COLUMNS = (
    ("Code", 0),
    ("Destination", 0),
    ("Deleted", 60),
    ("Until", 100),
    ("Deletion", 80),
)


def write_trash(links: Iterable[TrashedLink], output: RecordOutput) -> int:
    """Write soft-deleted links in any format; returns their number."""
    return _write_records(links, output, _TRASH_COLUMNS, _trash_row)


def _trash_row(link: TrashedLink) -> tuple[str, ...]:
    return (
        link.short_code,
        link.original_url,
        link.deleted_at.strftime("%Y-%m-%d %H:%M"),
        link.restorable_until.strftime("%Y-%m-%d") if link.restorable_until else "kept",
        link.deletion_id,
    )


def counted(count: int, noun: str) -> str:
    """``1 link``, ``2,000 links``."""
    return f"{count:,} {noun if count == 1 else f'{noun}s'}"


def removed_kinds(removed: Receipt | Removed) -> str:
    """What an erasure removed, by kind."""
    kinds = {
        "link": removed.links,
        "code": removed.codes,
        "click": removed.clicks,
        "install": removed.installs,
        "QR image": removed.qr_objects,
    }
    return ", ".join(counted(count, noun) for noun, count in kinds.items())


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Names and values, one a line; a fact without a value is left out."""
    console = output_console()
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in facts:
        if value:
            table.add_row(name, Text(printable(value)))
    _print(console, table)


def _print(console: Console, table: Table) -> None:
    """The table; in a file or pipe without the spaces that fill its last column."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    sys.stdout.write(re.sub(r" +$", "", capture.get(), flags=re.MULTILINE))
