"""Unfinished deletions, kept on disk so that a kill neither loses nor repeats one.

A job is one command's delete, divided into chunks that the API accepts. Each chunk has an
Idempotency-Key that is on disk before it is first sent. Sent again after a kill, it is the same
request, and the service returns the first response. SQLite makes each step durable or undone.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from unlink_client.cli.settings import state_directory
from unlink_client.cli.state import State
from unlink_client.models import Mode
from unlink_client.sync.client import Unlink

#: How long the service keeps a key (24 hours), minus one hour as a margin.
KEY_LIFETIME = 23 * 3600

#: Finished jobs that are kept, for `undo`.
_KEPT = 50

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, url TEXT NOT NULL, workspace TEXT NOT NULL, digest TEXT NOT NULL,
    mode TEXT NOT NULL, reason TEXT, export INTEGER NOT NULL, plan TEXT, created REAL NOT NULL,
    finished REAL
);
CREATE TABLE IF NOT EXISTS chunks (
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE, key TEXT NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL, ids TEXT NOT NULL, sent REAL, deletion TEXT,
    done INTEGER NOT NULL DEFAULT 0, refusal TEXT
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One request: ``sent`` is when it was first sent, in Unix seconds.

    ``deletion`` is its record, ``refusal`` the reason why the service deleted none of it.
    """

    key: str
    ids: tuple[str, ...]
    sent: float | None
    deletion: str | None
    done: bool
    refusal: str | None

    @property
    def key_may_be_forgotten(self) -> bool:
        """Whether it was sent so long ago that the same key could delete twice."""
        return self.sent is not None and time.time() - self.sent > KEY_LIFETIME


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one command deletes. ``plan`` is the text of the plan, None for ids."""

    id: str
    mode: Mode
    reason: str | None
    export: bool
    plan: str | None
    created: float
    chunks: tuple[Chunk, ...]

    @property
    def erase(self) -> bool:
        return self.mode == "erase"

    @property
    def count(self) -> int:
        return sum(len(chunk.ids) for chunk in self.chunks)


def digest_of(mode: str, content: Sequence[str]) -> str:
    """A hash that is equal for the same links."""
    text = "\n".join([mode, *content])
    return hashlib.sha256(text.encode()).hexdigest()


class Jobs(State):
    """The jobs of one workspace of a service in a state directory.

    A job is sent with keys of its workspace only: to another one its links are unknown.
    """

    schema = _SCHEMA

    def __init__(self, directory: Path, url: str, workspace_id: str) -> None:
        super().__init__(directory)
        self.workspace_id = workspace_id
        self._workspace = (url, workspace_id)

    @classmethod
    def of(cls, unlink: Unlink) -> Self:
        """Those of this client's service and key."""
        return cls(state_directory(), unlink.url, unlink.me().workspace_id)

    def create(
        self,
        *,
        mode: Mode,
        digest: str,
        parts: Sequence[Sequence[str]],
        reason: str | None,
        export: bool,
        plan: str | None = None,
        key: str | None = None,
    ) -> Job:
        """A new job with one chunk for each of ``parts``; ``key`` is the first chunk's."""
        job_id = secrets.token_hex(4)
        with self.transaction() as database:
            database.execute(
                "INSERT INTO jobs "
                "(id, url, workspace, digest, mode, reason, export, plan, created) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (job_id, *self._workspace, digest, mode, reason, export, plan, time.time()),
            )
            for position, ids in enumerate(parts):
                own = key if position == 0 else None
                self._insert(database, job_id, position, ids, own)
        return self.read(job_id)

    @staticmethod
    def _insert(
        database: sqlite3.Connection,
        job_id: str,
        position: int,
        ids: Sequence[str],
        key: str | None = None,
    ) -> None:
        database.execute(
            "INSERT OR REPLACE INTO chunks (job, key, position, ids) VALUES (?, ?, ?, ?)",
            (job_id, key or f"unlinkctl-{secrets.token_hex(16)}", position, "\n".join(ids)),
        )

    def read(self, job_id: str) -> Job:
        """The job as it is now."""
        with self.explained():
            row = self.database.execute(
                "SELECT id, mode, reason, export, plan, created FROM jobs WHERE id = ?",
                (job_id,),
            ).fetchone()
            chunks = self.database.execute(
                "SELECT key, ids, sent, deletion, done, refusal FROM chunks "
                "WHERE job = ? ORDER BY position",
                (job_id,),
            ).fetchall()
        return Job(
            id=row[0],
            mode=row[1],
            reason=row[2],
            export=bool(row[3]),
            plan=row[4],
            created=row[5],
            chunks=tuple(
                Chunk(
                    key=key,
                    ids=tuple(ids.split("\n")) if ids else (),
                    sent=sent,
                    deletion=deletion,
                    done=bool(done),
                    refusal=refusal,
                )
                for key, ids, sent, deletion, done, refusal in chunks
            ),
        )

    def unfinished(self, *, digest: str | None = None) -> list[Job]:
        """Unfinished jobs, newest first."""
        with self.explained():
            rows = self.database.execute(
                "SELECT id FROM jobs WHERE url = ? AND workspace = ? AND finished IS NULL "
                "AND (? IS NULL OR digest = ?) ORDER BY created DESC",
                (*self._workspace, digest, digest),
            ).fetchall()
        return [self.read(row[0]) for row in rows]

    def deletion_of(self, digest: str) -> str | None:
        """The deletion of the newest finished job with this digest."""
        with self.explained():
            row = self.database.execute(
                "SELECT deletion FROM jobs JOIN chunks ON job = id WHERE url = ? AND workspace = ? "
                "AND digest = ? AND finished IS NOT NULL ORDER BY created DESC LIMIT 1",
                (*self._workspace, digest),
            ).fetchone()
        return None if row is None else row[0]

    def last(self) -> Job | None:
        """The newest job that deleted softly, or that may have."""
        with self.explained():
            row = self.database.execute(
                "SELECT id FROM jobs WHERE url = ? AND workspace = ? AND mode = 'soft' "
                "AND (finished IS NULL OR EXISTS "
                "(SELECT 1 FROM chunks WHERE job = id AND deletion IS NOT NULL)) "
                "ORDER BY created DESC LIMIT 1",
                self._workspace,
            ).fetchone()
        return None if row is None else self.read(row[0])

    def sending(self, key: str) -> None:
        """Record that the chunk is about to be sent; the first time is kept."""
        with self.transaction() as database:
            database.execute(
                "UPDATE chunks SET sent = COALESCE(sent, ?) WHERE key = ?", (time.time(), key)
            )

    def answered(self, key: str, deletion: str) -> None:
        """Record that the service has accepted the chunk, as this deletion."""
        with self.transaction() as database:
            database.execute("UPDATE chunks SET deletion = ? WHERE key = ?", (deletion, key))

    def done(self, key: str, refusal: str | None = None) -> None:
        """Nothing is left to do for the chunk; ``refusal`` says why nothing was deleted."""
        with self.transaction() as database:
            database.execute(
                "UPDATE chunks SET done = 1, refusal = ? WHERE key = ?", (refusal, key)
            )

    def renew(self, key: str) -> None:
        """Give a chunk a new key, because the service has removed the old one."""
        with self.transaction() as database:
            database.execute(
                "UPDATE chunks SET key = ?, sent = NULL WHERE key = ?",
                (f"unlinkctl-{secrets.token_hex(16)}", key),
            )

    def split(self, job: Job, size: int) -> None:
        """Divide the chunks without a response into smaller ones with new keys."""
        open_chunks = [each for each in job.chunks if not each.done and each.deletion is None]
        ids = [link_id for chunk in open_chunks for link_id in chunk.ids]
        with self.transaction() as database:
            for chunk in open_chunks:
                database.execute("DELETE FROM chunks WHERE key = ?", (chunk.key,))
            start = len(job.chunks)
            for number, offset in enumerate(range(0, len(ids), size)):
                self._insert(database, job.id, start + number, ids[offset : offset + size])

    def forget(self, job_id: str) -> None:
        """Remove a job that deleted nothing."""
        with self.transaction() as database:
            database.execute("DELETE FROM jobs WHERE id = ?", (job_id,))

    def finish(self, job_id: str) -> None:
        """Record that the job is finished; the ids of old jobs are removed."""
        with self.transaction() as database:
            database.execute("UPDATE jobs SET finished = ? WHERE id = ?", (time.time(), job_id))
            database.execute(
                "DELETE FROM jobs WHERE finished IS NOT NULL AND id NOT IN "
                "(SELECT id FROM jobs ORDER BY created DESC LIMIT ?)",
                (_KEPT,),
            )
