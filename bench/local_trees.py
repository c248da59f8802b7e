"""The local stack of a source tree in separate processes: this tree, or a revision of it.

A revision runs on the environments that are installed here, so only the sources differ.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.packaging import ROOT

#: Installed next to the sources: a revision's tree has links to them.
_INSTALLED = ("node_modules", ".local/ministack-venv")

#: Serves until its standard input closes. Older revisions call the emulator `engine`.
_SERVE = """
import json, sys
from local.stack import bind, running
say = lambda line: print(line, file=sys.stderr, flush=True)
with running(bind(), name="bench", say=say) as stack:
    emulator = getattr(stack, "emulator", None) or stack.engine
    queues = stack.client("sqs")
    [erase] = [
        url for url in queues.list_queues()["QueueUrls"]
        if "Erase" in url and "Dead" not in url and "Failed" not in url
    ]
    attributes = queues.get_queue_attributes(QueueUrl=erase, AttributeNames=["DelaySeconds"])
    print(json.dumps({
        "base_url": stack.base_url,
        "key": stack.new_workspace().admin_key,
        "emulator_group": emulator.process_id,
        "erase_delay": int(attributes["Attributes"]["DelaySeconds"]),
    }), flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class Served:
    """A running stack, and a workspace in it.

    ``key`` is the workspace's admin key, ``erase_delay`` the delay of the erase queue in seconds.
    """

    base_url: str
    key: str
    emulator_group: int
    erase_delay: int
    proxy_process: int

    def cpu_seconds(self) -> float:
        """CPU seconds that the gateway proxy, the emulator and the functions have used so far.

        From Linux's /proc. A process that has ended counts by its parent, once that waited for it.
        """
        tick = os.sysconf("SC_CLK_TCK")
        spent = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == self.emulator_group or int(stat.parent.name) == self.proxy_process:
                # utime, stime, and those of the children that ended (proc_pid_stat(5)).
                spent += sum(map(int, fields[11:15]))
        return spent / tick


@contextmanager
def serving(tree: Path) -> Iterator[Served]:
    """The stack of the sources in ``tree``, on a free port."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    log = ROOT / ".local" / "logs" / f"bench-{tree.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as progress:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE],
            cwd=tree,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=progress,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            ready = process.stdout.readline()
            if not ready:
                raise RuntimeError(f"The stack of {tree} did not start: see {log}.")
            yield Served(**json.loads(ready), proxy_process=process.pid)
        finally:
            process.stdin.close()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def tree_of(revision: str) -> Iterator[Path]:
    """The sources of a Git revision, in a temporary work tree."""
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory) / "before"
        _git("worktree", "add", "--quiet", "--detach", str(tree), revision)
        try:
            for name in _INSTALLED:
                link = tree / name
                link.parent.mkdir(exist_ok=True)
                link.symlink_to((ROOT / name).resolve())
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> None:
    subprocess.run([shutil.which("git") or "git", *arguments], cwd=ROOT, check=True)
