"""A share of one processor, as Lambda gives it to a function by the size of its memory.

Below the size of one whole vCPU, the share is in proportion to it.
It uses Linux's CFS bandwidth control. This needs permission to create control groups (root, or a
delegated `cpu` controller).
"""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from infra.sizes import ONE_VCPU_MB

#: The period of the share. Lambda's period is not documented.
PERIOD_MICROSECONDS = 20_000

_ROOT = Path("/sys/fs/cgroup")


@contextmanager
def share_of(memory_mb: int) -> Iterator[list[str]]:
    """A command's prefix under which it has the processor of a function of this size.

    At most one whole processor: what is measured here runs Python on one at a time. Exits with
    what is missing where control groups cannot be made.
    """
    quota = max(1_000, PERIOD_MICROSECONDS * min(memory_mb, ONE_VCPU_MB) // ONE_VCPU_MB)
    version_one = _ROOT / "cpu"
    group = (version_one if version_one.is_dir() else _ROOT) / f"unlink-{uuid.uuid4().hex[:8]}"
    try:
        group.mkdir()
        try:
            if version_one.is_dir():
                (group / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
                (group / "cpu.cfs_quota_us").write_text(str(quota))
            else:
                (group / "cpu.max").write_text(f"{quota} {PERIOD_MICROSECONDS}")
            yield _joining(group)
        finally:
            group.rmdir()
    except (PermissionError, FileNotFoundError) as error:
        sys.exit(f"This benchmark needs Linux control groups with the cpu controller: {error}")


def _joining(group: Path) -> list[str]:
    """The shell joins the group and becomes the command."""
    return ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]


def niced(command: Sequence[str]) -> list[str]:
    """The command with the highest priority that is allowed."""
    return ["nice", "-n", "-20", *command] if os.geteuid() == 0 else list(command)
