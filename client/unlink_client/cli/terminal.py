"""Messages and progress on standard error, questions on the terminal."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from unlink_client.cli.exits import USAGE, CommandError

#: A table in a file or pipe is not cut at some width.
_UNLIMITED = 10_000

_TERMINAL = Path("/dev/tty")


def output_console() -> Console:
    """Standard output: as wide as the terminal; in a pipe as wide as the content."""
    wide = not sys.stdout.isatty() and not os.environ.get("COLUMNS")
    return Console(width=_UNLIMITED if wide else None, highlight=False, soft_wrap=False)


def error_console() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False)


def say(message: str, *, style: str = "") -> None:
    """Write a message to standard error, wrapped to the terminal.

    One word is not wrapped, so that a URL can be copied.
    """
    as_is = not sys.stderr.isatty() or " " not in message
    error_console().print(Text(printable(message), style=style), soft_wrap=as_is)


def fail(error: CommandError) -> None:
    """Write the error of a command."""
    say(f"error: {error.message}", style="bold red")
    if error.hint:
        say(error.hint)


def printable(text: str) -> str:
    """Text without terminal controls: titles and URLs come from other people.

    Control characters and the marks that turn the direction of text become U+FFFD.
    """
    return "".join(each if each == "\n" or not _is_control(each) else "\ufffd" for each in text)


def _is_control(character: str) -> bool:
    category = unicodedata.category(character)
    turns = "\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069"
    return category in ("Cc", "Cs") or turns


@contextmanager
def _asking(instead: str) -> Iterator[tuple[TextIO, TextIO]]:
    """Where to ask: standard input, or the terminal itself when ids come from standard input."""
    refusal = CommandError(
        "There is no terminal to ask on; nothing was done.", code=USAGE, hint=instead
    )
    if not sys.stderr.isatty():
        raise refusal
    if sys.stdin.isatty():
        yield sys.stdin, sys.stderr
        return
    with ExitStack() as opened:
        try:
            # A terminal cannot seek, so one file for both is refused.
            source = opened.enter_context(_TERMINAL.open(encoding="utf-8"))
            target = opened.enter_context(_TERMINAL.open("w", encoding="utf-8"))
        except OSError:
            raise refusal from None
        yield source, target


#: What to do where the command cannot ask whether to delete.
_CONFIRMED = "--yes goes ahead without asking, --confirm N does if it is exactly N links."


def require_terminal() -> None:
    """Raise ``CommandError`` if :func:`ask` could not ask."""
    with _asking(_CONFIRMED):
        return


def ask(question: str, *, instead: str = _CONFIRMED) -> str:
    """A line typed at the terminal; "" at its end.

    Raises ``CommandError`` without a terminal; ``instead`` is its hint.
    """
    with _asking(instead) as (source, target):
        target.write(printable(question) + " ")
        target.flush()
        return source.readline().strip()


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[ProgressBar]:
    """A bar on standard error; nothing if that is not a terminal."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=error_console(),
        disable=not sys.stderr.isatty(),
        transient=True,
    ) as progress:
        yield ProgressBar(progress, what, total)


class ProgressBar:
    """One line of progress."""

    def __init__(self, progress: Progress, what: str, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=total)

    def show(self, done: int, what: str | None = None) -> None:
        """How many are done, of what."""
        if what is None:
            self._progress.update(self._task, completed=done)
        else:
            self._progress.update(self._task, completed=done, description=what)
