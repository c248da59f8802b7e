"""The wheel of `unlinkctl`, which the stack serves next to the API's documentation.

flit_core builds it from `client/`, without a network and without another package.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "client"

#: The path of the wheel's directory in the archive of the functions.
ARCHIVE_DIRECTORY = "functions/client"

#: The time of every file in the wheel (1 January 2020), so that equal sources give equal bytes.
_SOURCE_DATE_EPOCH = "1577836800"


def wheel_sources() -> Iterator[Path]:
    """The files of the wheel."""
    yield from (SOURCE / name for name in ("pyproject.toml", "README.md", "LICENSE"))
    for path in sorted((SOURCE / "unlink_client").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def build_wheel(directory: Path) -> Path:
    """Build the wheel into a directory, and return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "flit_core.wheel", str(SOURCE), "--outdir", str(directory)],
        check=True,
        env=os.environ | {"SOURCE_DATE_EPOCH": _SOURCE_DATE_EPOCH},
        # The CDK CLI reads this program's standard output.
        stdout=sys.stderr,
    )
    (wheel,) = directory.glob("*.whl")
    return wheel
