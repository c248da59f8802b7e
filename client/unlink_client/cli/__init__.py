"""The command ``unlinkctl``. It needs the extra ``cli``."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from pathlib import Path

_NEEDED = frozenset({"typer", "rich", "platformdirs", "jwt"})


def main() -> None:
    """Run the command and end the process with its exit code."""
    _prepare_streams()
    try:
        from unlink_client.cli.app import run
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        sys.stderr.write(
            f"unlinkctl needs the package {error.name!r}, which its extra brings: "
            "install unlinkctl[cli].\n"
        )
        sys.exit(1)
    sys.exit(run())


def _prepare_streams() -> None:
    """Replace closed standard streams by the null device, and write data in UTF-8."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Takes the free descriptor, which a file of the command would otherwise get.
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal shows only its own encoding.
        encoding = None if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="replace")
