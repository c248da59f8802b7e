"""`unlinkctl` as a warm command: 0.1 s of CPU for each run in place of 0.4."""

from __future__ import annotations

import importlib
import sys

from tests.client.command_process import PACKAGES
from tests.support.warm_command import serve


def run(arguments: list[str]) -> int:
    """Run one command. Its `app` looks at the terminal when it is imported."""
    sys.argv = ["unlinkctl", *arguments]
    from unlink_client.cli import main

    main()
    return 0


def main() -> None:
    """Serve until killed."""
    for package in PACKAGES:
        importlib.import_module(package)
    serve(sys.argv[1], run)


if __name__ == "__main__":
    main()
