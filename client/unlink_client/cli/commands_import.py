"""`import`, and `create --csv`."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from unlink_client.cli.exits import NOT_ALL, USAGE, CommandError
from unlink_client.cli.imports.checks import REJECTED, Entry, Existing, Status, check
from unlink_client.cli.imports.creating import create_entries
from unlink_client.cli.imports.runs import ImportRuns
from unlink_client.cli.imports.sources import SOURCES, drafts_of
from unlink_client.cli.imports.tables import Table, read_table
from unlink_client.cli.link_files import CsvWriter
from unlink_client.cli.output import print_table, write_json_line
from unlink_client.cli.session import connected
from unlink_client.cli.settings import state_directory, write_private, writing
from unlink_client.cli.terminal import progress_bar, say
from unlink_client.sync.client import Unlink

_SHOWN = 10
_MAX_TAG = 50


Product = Literal["yourls", "shlink", "kutt", "dub", "bitly", "csv"]
ImportOutput = Literal["table", "ndjson"]


def import_links(
    context: typer.Context,
    product: Annotated[Product, typer.Argument(help="Where the file is from.")],
    file: Annotated[Path, typer.Argument(help="CSV, JSON or JSON lines.", metavar="FILE")],
    *,
    plan: Annotated[bool, typer.Option("--plan", help="Only show what would happen.")] = False,
    tags: Annotated[
        list[str] | None, typer.Option("--tag", help="Another tag for every link; may be repeated.")
    ] = None,
    new_codes: Annotated[
        bool,
        typer.Option(
            "--new-codes", help="Generate a code where the own one is taken or not allowed."
        ),
    ] = False,
    rejects: Annotated[Path, typer.Option(help="File for the rows that are not imported.")] = Path(
        "rejects.csv"
    ),
    output: Annotated[ImportOutput, typer.Option("--output", "-o")] = "table",
) -> None:
    """Import links from YOURLS, Shlink, Kutt, Dub, Bitly, or a CSV file.

    unlinkctl import yourls yourls_url.csv --plan

    unlinkctl import bitly bitlinks.json

    Running it again creates nothing twice. All links get a tag of the import, so that one delete
    undoes it.
    """
    run_import(
        context,
        product,
        file,
        extra_tags=tags or [],
        plan=plan,
        new_codes=new_codes,
        rejects=rejects,
        output=output,
    )


def run_import(
    context: typer.Context,
    product: Product,
    file: Path,
    *,
    extra_tags: Sequence[str],
    plan: bool = False,
    new_codes: bool = False,
    rejects: Path = Path("rejects.csv"),
    output: ImportOutput = "table",
) -> None:
    """Import a file, or show the plan."""
    if any(not 0 < len(tag) <= _MAX_TAG for tag in extra_tags):
        raise CommandError(f"A tag has 1 to {_MAX_TAG} characters", code=USAGE)
    if not rejects.parent.is_dir():
        raise CommandError(f"There is no directory {rejects.parent}", code=USAGE)
    source = SOURCES[product]
    table = read_table(file, without_heading=source.without_heading, inside=source.inside)
    drafts = drafts_of(source, table.rows)
    with connected(context) as unlink:
        existing = _existing(unlink)
        if plan:
            entries = check(table.rows, drafts, existing, tags=extra_tags, new_codes=new_codes)
            _report(entries, output)
            _write_rejects(rejects, table, entries)
            say("Nothing was created: this was a plan.")
            return
        content = repr(
            [(row.number, row.values) for row in table.rows] + [[*extra_tags, new_codes]]
        )
        with ImportRuns(state_directory()) as runs:
            tag = runs.begin(product, unlink.url, content)
            entries = check(
                table.rows, drafts, existing, tags=[*extra_tags, tag], new_codes=new_codes
            )
            count = sum(entry.status is Status.CREATE for entry in entries)
            with progress_bar("Importing", count) as bar:
                entries = create_entries(unlink, entries, bar.show)
            runs.finish(tag)
    _report(entries, output)
    rejected = _write_rejects(rejects, table, entries)
    if any(entry.status is Status.CREATED for entry in entries):
        say(f"To undo it: unlinkctl delete --tag {tag} --erase")
    if rejected:
        raise CommandError(
            f"{rejected:,} of {len(entries):,} rows were not imported; they are in {rejects}",
            code=NOT_ALL,
        )


def _existing(unlink: Unlink) -> Existing:
    with progress_bar("Reading the existing links", 1):
        return Existing.of(list(unlink.links()))


def _report(entries: Sequence[Entry], output: ImportOutput) -> None:
    if output == "ndjson":
        for entry in entries:
            write_json_line(
                {
                    "row": entry.row.number,
                    "status": entry.status.value,
                    "reason": entry.reason or None,
                    "shortCode": entry.link.short_code if entry.link else None,
                    "originalUrl": entry.link.original_url if entry.link else None,
                    "id": entry.created or None,
                }
            )
        return
    counts = Counter(entry.status for entry in entries)
    print_table(
        (("Rows", 0), ("", 0)),
        [(f"{counts[each]:,}", each.value) for each in Status if counts[each]],
    )
    rejected = [entry for entry in entries if entry.status in REJECTED]
    for entry in rejected[:_SHOWN]:
        say(f"row {entry.row.number}: {_what(entry)}")
    if len(rejected) > _SHOWN:
        say(f"and {len(rejected) - _SHOWN:,} more")


def _what(entry: Entry) -> str:
    """The status with its reason, without saying it twice."""
    if entry.reason.startswith(entry.status.value):
        return entry.reason
    return f"{entry.status.value}: {entry.reason}"


def _write_rejects(path: Path, table: Table, entries: Sequence[Entry]) -> int:
    """Write the rejected rows with their reasons, as a file that can be imported again."""
    rejected = [entry for entry in entries if entry.status in REJECTED]
    if not rejected:
        return 0
    columns = tuple(name for name in table.columns if name not in ("row", "reason"))
    target = io.StringIO(newline="")
    writer = CsvWriter(target, ("row", "reason", *columns))
    for entry in rejected:
        values = {name: _cell(entry.row.values.get(name)) for name in columns}
        writer.write({"row": str(entry.row.number), "reason": _what(entry), **values})
    with writing(path):
        write_private(path, target.getvalue())
    say(f"The rejected rows, with reasons: {path}")
    return len(rejected)


def _cell(value: object) -> str:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)
