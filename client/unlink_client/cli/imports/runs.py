"""Unfinished imports: the tag of each, so that a killed import continues as the same one."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from unlink_client.cli.state import State


class ImportRuns(State):
    """The imports of one state directory."""

    schema = """
    CREATE TABLE IF NOT EXISTS imports (digest TEXT PRIMARY KEY, tag TEXT NOT NULL);
    """

    def begin(self, source: str, url: str, content: str) -> str:
        """The tag of an import of this content: that of the unfinished run, else a new one.

        The tag is part of each request, and so of its Idempotency-Key. A continued run has the same
        keys and creates nothing twice. A new one has other keys, also after an undo.
        """
        digest = hashlib.sha256(f"{source}\n{url}\n{content}".encode()).hexdigest()
        with self.transaction() as database:
            row = database.execute("SELECT tag FROM imports WHERE digest = ?", (digest,)).fetchone()
            if row is not None:
                return str(row[0])
            tag = f"import-{source}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"[:-3]
            database.execute("INSERT INTO imports (digest, tag) VALUES (?, ?)", (digest, tag))
            return tag

    def finish(self, tag: str) -> None:
        """Forget the import, because it is finished."""
        with self.transaction() as database:
            database.execute("DELETE FROM imports WHERE tag = ?", (tag,))
