"""The file of unfinished work: SQLite, so that each step is stored completely or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from unlink_client.cli.exits import CommandError


class State:
    """The state file of a directory; a subclass brings its tables."""

    schema = ""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "unfinished.sqlite3"
        with self.explained():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Waits for another unlinkctl that is just writing.
            self.database = sqlite3.connect(self._path, timeout=10, isolation_level=None)
            self._path.chmod(0o600)
            self.database.execute("PRAGMA foreign_keys = ON")
            self.database.execute("PRAGMA synchronous = FULL")
            self.database.executescript(self.schema)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn errors of the disk into command errors, before anything is sent."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise CommandError(
                f"Cannot write the state file {self._path}: {error}",
                hint="Without it an interrupted command could not be resumed, so nothing more was "
                "sent. Free some space, or set UNLINK_STATE_DIR to another directory; the same "
                "command then continues.",
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of its statements are stored, or none."""
        with self.explained():
            self.database.execute("BEGIN IMMEDIATE")
            try:
                yield self.database
                self.database.execute("COMMIT")
            except BaseException:
                if self.database.in_transaction:
                    self.database.execute("ROLLBACK")
                raise
