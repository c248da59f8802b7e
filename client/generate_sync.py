"""Writes ``unlink_client/sync`` from ``unlink_client/aio``: the same client without async.

``python client/generate_sync.py`` (``make client``). A test fails when the result is stale.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent / "unlink_client"

#: In this order.
_REPLACEMENTS = (
    (r"\basync def\b", "def"),
    (r"\basync (for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"__aenter__", "__enter__"),
    (r"__aexit__", "__exit__"),
    (r"\baclose\b", "close"),
    (r"httpx2\.AsyncClient", "httpx2.Client"),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\bAsync(Unlink|Links|Deletions?|Account|Transport)\b", r"\1"),
    (r"unlink_client\.aio\b", "unlink_client.sync"),
    (r"asyncio\.sleep", "time.sleep"),
    (r"  # noqa: ASYNC109", ""),
)


def sync_source(source: str) -> str:
    """A module of the asynchronous client as one of the other."""
    for pattern, replacement in _REPLACEMENTS:
        source = re.sub(pattern, replacement, source)
    # asyncio was imported for its sleep.
    with_time = re.search(r"^import time$", source, re.MULTILINE)
    return re.sub(
        r"^import asyncio\n", "" if with_time else "import time\n", source, flags=re.MULTILINE
    )


def sync_modules() -> dict[Path, str]:
    """Each generated file and its text."""
    note = "# Generated from unlink_client/aio by generate_sync.py: change that.\n\n"
    package = '"""The client that waits for each response."""\n'
    found = {}
    for path in sorted((PACKAGE / "aio").glob("*.py")):
        text = package if path.stem == "__init__" else sync_source(path.read_text("utf-8"))
        target = PACKAGE / "sync" / path.name
        found[target] = _formatted(target, note + text)
    return found


def _formatted(path: Path, text: str) -> str:
    """The text with sorted imports and the project's line length."""
    for command in (["check", "--fix", "--quiet", "--select=I"], ["format", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *command, f"--stdin-filename={path}", "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True).stdout
    return text


def main() -> None:
    """Write the files."""
    for path, text in sync_modules().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
