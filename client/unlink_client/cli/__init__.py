"""The command ``unlinkctl``. It needs the extra ``cli``."""

from __future__ import annotations

import sys

_NEEDED = frozenset({"typer", "rich", "platformdirs", "jwt"})


def main() -> None:
    """Run the command and end the process with its exit code."""
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
