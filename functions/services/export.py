"""Writing links and all their clicks as NDJSON, for any number of clicks, in many runs if need be.

One object, written in parts. What does not fill a part yet is saved every few seconds in an object
of its own, the tail, with the position behind it. So a worker that is killed loses seconds of work,
however small the export and however slow the reads, and the next one goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aws_lambda_powertools import Logger

from functions.aws.sqs import Queue
from functions.domain.clock import Deadline, current_deadline, now_iso, shutdown_deadline
from functions.domain.errors import Unavailable, UnlinkError
from functions.repositories.exports import (
    ExportGone,
    ExportRecords,
    UploadGone,
    object_key,
    tail_key,
)
from functions.services.export_lines import ExportStores, LineReader, Lines
from functions.services.export_position import Position

#: Bytes after which a part is written. S3 takes 10,000 parts of 5 MiB and more (User Guide,
#: "Amazon S3 multipart upload limits"): 160 GB, some 300 million clicks.
PART_BYTES = 16 * 1024 * 1024

#: Seconds after which the position is saved, and with it the lease renewed. Together with a step of
#: reading and a call to S3 that hangs it is shorter than the lease of a deletion.
SAVE_SECONDS = 10.0

#: Seconds that a run keeps for writing its tail and saving its position.
RESERVED_SECONDS = 15.0

#: How long an upload that fails is tried again, in seconds.
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
    """Go on with an export from ``position``; returns where it ended, ``done`` or out of time.

    ``save`` keeps a position durably and renews the lease; it raises to stop. It is called at least
    every :data:`SAVE_SECONDS` and a step, also when nothing was read. Links that do not exist are
    left out. Give the same links, in the same order, each time. Raises ``Unavailable`` when nothing
    could be read.
    """
    if current_deadline().remaining() < RESERVED_SECONDS:
        return position
    # A slow read ends early enough for the tail to be written.
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
            # Some lines were read: the next run goes on behind them.
            file.save_tail()
            return file.saved
        file.complete()
    except UploadGone:
        # A run that was killed before it saved its end completed it, or it is unfinished for too
        # long and S3 removed it.
        file.begin_again(done=stores.bucket.holds(key))
    return file.saved


@dataclass(slots=True)
class _File:
    """The object that is written: its parts, and the lines that are in none yet."""

    key: str
    stores: ExportStores
    save: Callable[[Position], None]
    #: What is durable, and what will be once the pending lines are.
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
        """Take up the lines that the worker before saved; raises ``UploadGone`` without them."""
        with shutdown_deadline(UPLOAD_SECONDS):
            text = self.stores.bucket.tail(self.saved.tail or "")
        self.pending, self.size = [text], len(text)

    def add(self, lines: Lines) -> None:
        """Take lines in; writes a part, or saves the tail, when it is time."""
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
        """Make what was read durable; without any lines only the lease is renewed."""
        if not self.unsaved:
            self._commit(self.saved)
            return
        # A name of its own: neither a worker that is killed between the two writes nor one that
        # lost its lease can change the lines that the saved position counts on.
        tail = tail_key(self.key)
        body = b"".join(self.pending)
        with shutdown_deadline(UPLOAD_SECONDS):
            self.stores.bucket.put(tail, body)
        self._commit(replace(self.reached, tail=tail))
        self.pending = [body]

    def complete(self) -> None:
        """Write what is left and put the object together."""
        if self.reached.upload_id is None:
            self._renew()
            body = b"".join(self.pending)
            with shutdown_deadline(UPLOAD_SECONDS):
                self.stores.bucket.put(self.key, body)
        else:
            if self.size:
                self._write_part()
            self._renew()
            with shutdown_deadline(RESERVED_SECONDS):
                self.stores.bucket.complete(self.key, self.reached.upload_id, self.reached.has_part)
        self._commit(replace(self.reached, tail=None, done=True))

    def begin_again(self, *, done: bool) -> None:
        """Its parts are gone: either the object is complete, or it has to be written again."""
        self._commit(Position(done=done))

    def _renew(self) -> None:
        # Whoever lost the lease must not touch the object: its links may be deleted by now.
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
        """Save a position; from then on the tail before it is of no use."""
        before = self.saved.tail
        self.save(position)
        self.saved, self.saved_at = position, time.monotonic()
        self.reached = replace(position, place=self.reached.place, lines=self.reached.lines)
        if before is not None and before != position.tail:
            try:
                with shutdown_deadline(UPLOAD_SECONDS):
                    self.stores.bucket.remove([before])
            except UnlinkError:
                # The bucket's lifecycle removes it; the export does not wait for it.
                log.exception("an export's tail was not removed", extra={"key": before})


# -- the export of one link, as a job ---------------------------------------------------------


def run_export(
    workspace_id: str,
    link_id: str,
    export_id: str,
    *,
    records: ExportRecords,
    stores: ExportStores,
    queue: Queue,
) -> str:
    """One run of a link's export; the state it leaves: ``running`` ones queue themselves again.

    May come more than once: of two runs at a time one finds the record changed and stops. One
    that was given up goes on when its dead letter is sent again.
    """
    record = records.get(link_id, export_id)
    if record is None or record["state"] == "complete":
        return "nothing to do"
    position = Position.read(record.get("position"))
    key = object_key(workspace_id, export_id)
    # Whoever began while it was there is done before the erasure looks for files.
    if stores.links.get(workspace_id, link_id) is None:
        if position.upload_id is not None:
            stores.bucket.abort(key, position.upload_id)
        return "gone"

    def save(reached: Position) -> None:
        begun = "running" if reached != Position() else "pending"
        further = reached.place != Position.read(record.get("position")).place
        records.advance(
            record,
            state="complete" if reached.done else begun,
            position=reached.stored(),
            **({"progressAt": now_iso()} if further else {}),
        )

    try:
        reached = write_export(
            [link_id],
            workspace_id=workspace_id,
            key=key,
            until=record["createdAt"],
            base_url=record["baseUrl"],
            position=position,
            save=save,
            stores=stores,
        )
    except ExportGone:
        return "taken over"
    if reached.done:
        return "complete"
    slot = {"slot": int(record["slot"])} if "slot" in record else {}
    with shutdown_deadline(RESERVED_SECONDS):
        queue.send({"workspaceId": workspace_id, "linkId": link_id, "exportId": export_id} | slot)
    return "running"


#: Why an export is ``failed``, for whoever waits for it. The operator finds the cause in the log.
GIVEN_UP = "The export failed after several attempts. Start a new export."


def give_up(
    message: dict[str, Any],
    sent_at: str | None,
    *,
    records: ExportRecords,
    queue: Queue,
) -> bool:
    """Let an export that failed every time end as ``failed``, so that callers stop waiting for it.

    ``sent_at`` is when its message was sent. An export that has made progress since then gets
    another message instead: its runs were killed, but each got further. False then, and when there
    is nothing to give up: the export is complete, or was erased with its link.
    """
    record = records.get(message["linkId"], message["exportId"])
    if record is None or record["state"] == "complete":
        return False
    if sent_at is not None and record.get("progressAt", "") > sent_at:
        queue.send(message)
        return False
    try:
        records.advance(record, state="failed", failure=GIVEN_UP)
    except ExportGone:
        return False
    return True
