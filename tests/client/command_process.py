"""`unlinkctl` in separate processes, which start quickly.

A new interpreter imports for 0.4 s of CPU. Here one process imports the packages that the command
needs, and each command is a fork of it: still a process that can be killed, with its own
environment, working memory and files. `unlink_client.cli.app` looks at the terminal when it is
imported, so each fork imports it.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

#: What the command needs of other projects, the client, and the command without its `app`.
PACKAGES = [
    *("anyio.to_thread", "h11", "httpcore2", "httpx2", "jwt", "platformdirs"),
    *("pydantic.fields", "pydantic.json_schema", "pydantic.main", "pydantic.type_adapter"),
    *("rich.progress", "rich.table", "sqlite3", "truststore", "typer", "unlink_client", "zoneinfo"),
    *(f"unlink_client.cli.commands_{name}" for name in ("delete", "deletions", "import", "links")),
    *(f"unlink_client.cli.commands_{name}" for name in ("login", "plan", "verify")),
]

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(PACKAGES)


@dataclass(frozen=True)
class Streams:
    """The paths that a command has as its standard streams."""

    stdin: str
    stdout: str
    stderr: str


class CommandProcess:
    """A running command, whose output is in files."""

    def __init__(self, process: BaseProcess, streams: Streams) -> None:
        self.process = process
        self._streams = streams

    @property
    def returncode(self) -> int | None:
        """The exit code; the negative number of the signal that ended it, None while it runs."""
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal unless it has ended."""
        if self.process.pid is not None and self.process.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    def kill(self) -> None:
        """Kill it: none of its code runs after this."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float) -> int:
        """The exit code; raises `TimeoutError` while it runs."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise TimeoutError
        return self.process.exitcode

    def communicate(self, timeout: float = 60) -> tuple[bytes, bytes]:
        """What it has written when it has ended: standard output, standard error."""
        self.wait(timeout)
        return Path(self._streams.stdout).read_bytes(), Path(self._streams.stderr).read_bytes()


def start(
    environment: dict[str, str],
    *arguments: str,
    streams: Streams,
    file_bytes: int | None = None,
) -> CommandProcess:
    """Start the command, with at most `file_bytes` in a file; the caller has to end it."""
    # A command that is killed before its first statement has no output, and files without text.
    for path in (streams.stdout, streams.stderr):
        Path(path).touch(mode=0o600)
    process = _CONTEXT.Process(
        target=_run,
        args=(os.environ | environment, arguments, streams, file_bytes),
        daemon=True,
    )
    process.start()
    return CommandProcess(process, streams)


def _run(
    environment: dict[str, str],
    arguments: tuple[str, ...],
    streams: Streams,
    file_bytes: int | None,
) -> None:
    """The command in its process."""
    os.setsid()
    # A terminal that is opened by the leader of a session becomes its /dev/tty.
    os.close(os.open(streams.stderr, os.O_RDWR))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate((streams.stdin, streams.stdout, streams.stderr)):
        reads = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        opened = os.open(path, reads | os.O_NOCTTY, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout = os.fdopen(0, encoding="utf-8"), os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", buffering=1)
    sys.argv = ["unlinkctl", *arguments]
    if file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

    from unlink_client.cli import main

    main()
