"""How many records a command that lists them reads and writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Annotated, TypeVar

import typer

from unlink_client.cli.output import Output, RecordOutput
from unlink_client.cli.terminal import say

_T = TypeVar("_T")
_Format = TypeVar("_Format", Output, RecordOutput)

#: Rows of a table unless --limit is given. The other formats have every record.
_TABLE_ROWS = 50

Limit = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help=f"At most this many; a table shows {_TABLE_ROWS} unless given."
    ),
]


def write_list(
    read: Callable[[int], Iterator[_T]],
    write: Callable[[Iterable[_T], _Format], int],
    output: _Format,
    *,
    limit: int | None,
    largest_page: int,
    none: str,
) -> None:
    """Write what ``read`` finds in pages of a size; a table says if there is more, or ``none``."""
    is_table = output == "table"
    most = limit or (_TABLE_ROWS if is_table else None)
    found = read(largest_page if most is None else min(largest_page, most + 1))
    count = write(islice(found, most), output)
    if is_table and limit is None and next(found, None) is not None:
        say(f"The first {count}; --limit or another format (-o ndjson) shows more.")
    elif is_table and count == 0:
        say(none)
