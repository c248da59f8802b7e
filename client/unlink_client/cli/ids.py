"""Reads the ids of a command: from arguments, standard input and files."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from unlink_client.cli.exits import USAGE, CommandError

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_CODE = re.compile(r"[A-Za-z0-9_-]{4,30}")

#: Maximum bytes of a list of ids: more than a million ids.
_MAX_BYTES = 64 * 1024 * 1024

#: Invalid lines that an error lists.
_NAMED = 5


def is_uuid(text: str) -> bool:
    """Whether a text is a link's UUID."""
    return _UUID.fullmatch(text) is not None


def is_code(text: str) -> bool:
    """Whether a text may be a short code."""
    return _CODE.fullmatch(text) is not None


def read_ids(arguments: Iterable[str]) -> tuple[list[str], list[str]]:
    """The UUIDs and the short codes that the arguments name, each once, in order.

    ``-`` is standard input, ``@file`` a file, with one UUID a line. Spaces, commas and quotes
    around an id and empty lines are ignored. Raises ``CommandError`` (2) with the invalid lines; a
    short code is accepted only as an argument.
    """
    uuids: dict[str, None] = {}
    codes: dict[str, None] = {}
    for argument in arguments:
        if argument == "-":
            uuids.update(dict.fromkeys(_of_lines(read_text(None), "standard input")))
        elif argument.startswith("@"):
            path = Path(argument[1:])
            uuids.update(dict.fromkeys(_of_lines(read_text(path), str(path))))
        elif is_uuid(argument.strip()):
            uuids[argument.strip().lower()] = None
        elif is_code(argument):
            codes[argument] = None
        else:
            raise CommandError(f"Neither a UUID nor a short code: {argument!r}", code=USAGE)
    return list(uuids), list(codes)


def read_text(path: Path | None) -> str:
    """A text file, or standard input; raises ``CommandError`` (2) if it is not text."""
    name = "standard input" if path is None else str(path)
    try:
        raw = sys.stdin.buffer.read(_MAX_BYTES + 1) if path is None else path.read_bytes()
    except OSError as error:
        raise CommandError(f"Cannot read {name}: {error.strerror}", code=USAGE) from None
    if len(raw) > _MAX_BYTES:
        raise CommandError(f"{name} is larger than {_MAX_BYTES // 1024**2} MB", code=USAGE)
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise CommandError(f"{name} is not text in UTF-8", code=USAGE)
    return text


def _of_lines(text: str, name: str) -> list[str]:
    found: list[str] = []
    faults: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        cleaned = line.strip(" \t,;\"'")
        if not cleaned:
            continue
        if is_uuid(cleaned):
            found.append(cleaned.lower())
        else:
            faults.append(f"line {number}: {line.strip()[:60]!r}")
    if faults:
        more = f" and {len(faults) - _NAMED:,} more" if len(faults) > _NAMED else ""
        raise CommandError(
            f"{name} must have one link UUID a line: {'; '.join(faults[:_NAMED])}{more}",
            code=USAGE,
            hint="Nothing was done. `unlinkctl list -o ids` writes such a list.",
        )
    if not found:
        raise CommandError(f"{name} is empty: there are no ids", code=USAGE)
    return found
