"""Executed instructions of a command, which do not depend on the machine or its load.

Counted by Valgrind's callgrind, if it is installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def instructions(
    command: Sequence[str], *, environment: Mapping[str, str], directory: Path, text: str = ""
) -> int | None:
    """How many the process executes in user space, with this input; None without Valgrind."""
    if not (valgrind := shutil.which("valgrind")):
        return None
    done = subprocess.run(
        [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", *command],
        check=True,
        input=text,
        capture_output=True,
        text=True,
        # The order of sets and dictionaries of texts then is the same in each process.
        env={**environment, "PYTHONHASHSEED": "0"},
        cwd=directory,
    )
    [collected] = re.findall(r"Collected : (\d+)", done.stderr)
    return int(collected)
