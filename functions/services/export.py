"""Writes links and all their clicks as NDJSON, for any number of clicks, over several runs if
needed.

The export is one object, written in parts. Lines that do not fill a part yet are saved every few
seconds in a separate object, the tail, with the position after them. So a killed worker loses
seconds of work, and the next one continues from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from functions.domain.clock import Deadline, current_deadline, shutdown_deadline
from functions.domain.errors import Unavailable, UnlinkError
from functions.powertools import Logger
from functions.repositories.exports import CONTENT_TYPE, UploadGone, tail_key
from functions.services.export_lines import ExportStores, LineReader, Lines
from functions.services.export_position import Position

#: Bytes after which a part is written. S3 accepts 10,000 parts of at least 5 MiB (User Guide,
#: "Amazon S3 multipart upload limits"): 160 GB, some 300 million clicks.
PART_BYTES = 16 * 1024 * 1024

#: Seconds after which the position is saved and the lease renewed. Together with a reading step and
#: a hanging S3 call it is shorter than the lease of a deletion.
SAVE_SECONDS = 10.0

#: Seconds reserved for writing the tail and saving the position.
RESERVED_SECONDS = 15.0

#: Seconds of retries for a failed upload.
UPLOAD_SECONDS = 5.0

log = Logger()


def write_export(
    link_ids: Sequence[str],
    *,
    workspace_id: str,
    key: str,
    until: str,
    base_url: str,
    position: Position,
    save: Callable[[Position], None],
    stores: ExportStores,
) -> Position:
    """Continue an export from ``position``; returns the new position, ``done`` or out of time.

    ``save`` stores a position durably and renews the lease; it raises to stop. It is called at
    least every :data:`SAVE_SECONDS` plus one step, even if nothing was read. Missing links are
    skipped. The links and their order must be the same in each call. Raises ``Unavailable`` if
    nothing could be read.
    """
    if current_deadline().remaining() < RESERVED_SECONDS:
        return position
    # A slow read ends early enough to write the tail.
    reading = Deadline(
        current_deadline().remaining() - RESERVED_SECONDS + UPLOAD_SECONDS,
        outer=current_deadline(),
    )
    reader = LineReader(link_ids, workspace_id, until, base_url, stores, reading)
    file = _File(key, stores, save, position)
    try:
        if position.tail is not None:
            file.read_tail()
        try:
            for lines in reader.read(position.place):
                file.add(lines)
                if current_deadline().remaining() < RESERVED_SECONDS:
                    if file.unsaved:
                        file.save_tail()
                    return file.saved
        except Unavailable:
            if not file.unsaved and file.saved.place == position.place:
                raise
            # Some lines were read: the next run continues after them.
            file.save_tail()
            return file.saved
        file.complete()
    except UploadGone:
        # Either a killed run completed it without saving that, or it was unfinished for too long
        # and S3 removed it.
        file.begin_again(done=stores.bucket.holds(key))
    return file.saved


@dataclass(slots=True)
class _File:
    """The object being written: its parts, and the lines that are not in a part yet."""

    key: str
    stores: ExportStores
    save: Callable[[Position], None]
    #: The durable position, and the position after the pending lines.
    saved: Position
    reached: Position = field(init=False)
    pending: list[bytes] = field(default_factory=list)
    size: int = 0
    saved_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.reached = self.saved

    @property
    def unsaved(self) -> bool:
        """Whether more was read than is durable."""
        return self.reached.place != self.saved.place

    def read_tail(self) -> None:
        """Load the lines that the previous worker saved; raises ``UploadGone`` if they are
        missing.
        """
        with shutdown_deadline(UPLOAD_SECONDS):
            text = self.stores.bucket.tail(self.saved.tail or "")
        self.pending, self.size = [text], len(text)

    def add(self, lines: Lines) -> None:
        """Add lines; writes a part or saves the tail when it is due."""
        self.pending.append(lines.text)
        self.size += len(lines.text)
        self.reached = replace(
            self.reached, place=lines.place, lines=self.reached.lines + lines.number
        )
        if self.size >= PART_BYTES:
            self._write_part()
        elif time.monotonic() - self.saved_at >= SAVE_SECONDS:
            self.save_tail()

    def save_tail(self) -> None:
        """Make the read lines durable; without lines only the lease is renewed."""
        if not self.unsaved:
            self._commit(self.saved)
            return
        # A new key: a worker that is killed between the two writes, or that lost its lease, cannot
        # change the lines of the saved position.
        tail = tail_key(self.key)
        body = b"".join(self.pending)
        with shutdown_deadline(UPLOAD_SECONDS):
            self.stores.bucket.put(tail, body, content_type=CONTENT_TYPE)
        self._commit(replace(self.reached, tail=tail))
        self.pending = [body]

    def complete(self) -> None:
        """Write the remaining lines and complete the object."""
        if self.reached.upload_id is None:
            self._renew()
            body = b"".join(self.pending)
            with shutdown_deadline(UPLOAD_SECONDS):
                self.stores.bucket.put(self.key, body, content_type=CONTENT_TYPE)
        else:
            if self.size:
                self._write_part()
            self._renew()
            with shutdown_deadline(RESERVED_SECONDS):
                self.stores.bucket.complete(self.key, self.reached.upload_id, self.reached.has_part)
        self._commit(replace(self.reached, tail=None, done=True))

    def begin_again(self, *, done: bool) -> None:
        """The parts are gone: either the object is complete, or it must be written again."""
        self._commit(Position(done=done))

    def _renew(self) -> None:
        # A worker without the lease must not touch the object: its links may be deleted by now.
        self._commit(self.saved)

    def _write_part(self) -> None:
        bucket, number = self.stores.bucket, self.saved.reserved + 1
        upload_id = self.saved.upload_id
        if upload_id is None:
            with shutdown_deadline(UPLOAD_SECONDS):
                upload_id = bucket.begin(self.key)
        # Reserved before it is used, which also renews the lease.
        self._commit(replace(self.saved, upload_id=upload_id, reserved=number))
        with shutdown_deadline(UPLOAD_SECONDS):
            bucket.put_part(self.key, upload_id, number, b"".join(self.pending))
        reached = replace(self.reached, upload_id=upload_id, reserved=number, tail=None)
        self._commit(reached.with_part(number))
        self.pending, self.size = [], 0

    def _commit(self, position: Position) -> None:
        """Save a position; the previous tail is then unused."""
        before = self.saved.tail
        self.save(position)
        self.saved, self.saved_at = position, time.monotonic()
        self.reached = replace(position, place=self.reached.place, lines=self.reached.lines)
        if before is not None and before != position.tail:
            try:
                with shutdown_deadline(UPLOAD_SECONDS):
                    self.stores.bucket.remove([before])
            except UnlinkError:
                # The bucket's lifecycle rule removes it; the export continues.
                log.exception("an export's tail was not removed", extra={"key": before})
