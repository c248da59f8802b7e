"""Writing links and all their clicks as NDJSON, for any number of clicks, in many runs if need be.

One object: for each link a line ``{"type":"link",…}``, then a line ``{"type":"click",…}`` for
each click up to the moment of the request. It is written in parts; after each part the position
is saved, so that whoever goes on repeats at most one part and the object comes out the same.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from functions.unlink.clock import Deadline, now_iso
from functions.unlink.errors import KeyReused, LinkNotFound, Unavailable
from functions.unlink.ids import SHARDS
from functions.unlink.model import link_view
from functions.unlink.stores.clicks import ClicksTable
from functions.unlink.stores.deletions import IdempotencyKey
from functions.unlink.stores.exports import (
    ExportGone,
    ExportRecords,
    ExportsBucket,
    UploadGone,
    object_key,
)
from functions.unlink.stores.links import LinksTable
from functions.unlink.stores.queues import Queue

#: Bytes after which a part is written. S3 takes 10,000 parts of 5 MiB and more (User Guide,
#: "Amazon S3 multipart upload limits"): 160 GB, some 300 million clicks.
PART_BYTES = 16 * 1024 * 1024

#: Seconds that a run keeps for writing its last part and saying where it is.
MARGIN = 15.0

#: The members of a click's line, null where nothing is known.
CLICK_FIELDS = (
    "id",
    "linkId",
    "clickedAt",
    "ipAddress",
    "userAgent",
    "deviceType",
    "platform",
    "countryCode",
    "region",
    "city",
    "timezone",
    "referrer",
    "utmSource",
    "utmMedium",
    "utmCampaign",
    "utmTerm",
    "utmContent",
    "isBot",
)


@dataclass(frozen=True, slots=True)
class Position:
    """How far an export is: everything before it is in the parts that were written.

    ``link`` counts the links, ``shard`` the partitions of its clicks (-1: its own line), ``after``
    is the sort key of the last click. ``done`` once the object is there.
    """

    upload_id: str | None = None
    parts: int = 0
    link: int = 0
    shard: int = -1
    after: str | None = None
    lines: int = 0
    done: bool = False

    def stored(self) -> dict[str, Any]:
        """As it is kept in a record."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def read(cls, stored: dict[str, Any] | None) -> Self:
        """The inverse of :meth:`stored`; the beginning for None."""
        if stored is None:
            return cls()
        numbers = {name: int(stored[name]) for name in ("parts", "link", "shard", "lines")}
        return cls(
            upload_id=stored.get("upload_id"),
            after=stored.get("after"),
            done=bool(stored["done"]),
            **numbers,
        )


@dataclass(frozen=True, slots=True)
class ExportStores:
    """What an export is read from and written to."""

    links: LinksTable
    clicks: ClicksTable
    bucket: ExportsBucket


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
    deadline: Deadline,
) -> Position:
    """Go on with an export from ``position``; returns where it ended, ``done`` or out of time.

    ``save`` keeps a position durably before the next part is begun, and raises to stop. Links
    that do not exist are left out. Give the same links, in the same order, each time.
    """

    def write_part() -> Position:
        upload_id = here.upload_id or stores.bucket.begin(key, deadline=deadline)
        stores.bucket.put_part(key, upload_id, here.parts + 1, b"".join(lines), deadline=deadline)
        reached = replace(here, upload_id=upload_id, parts=here.parts + 1)
        save(reached)
        return reached

    lines: list[bytes] = []
    size = 0
    here = position
    try:
        while here.link < len(link_ids):
            if deadline.remaining() < MARGIN:
                return position
            found, here = _next_lines(
                link_ids[here.link], here, workspace_id, until, base_url, stores, deadline
            )
            lines += found
            size += sum(map(len, found))
            if size >= PART_BYTES:
                position = here = write_part()
                lines, size = [], 0
        if here.upload_id is None:
            stores.bucket.put(key, b"".join(lines), deadline=deadline)
        else:
            if lines:
                here = write_part()
            stores.bucket.complete(key, here.upload_id or "", here.parts, deadline=deadline)
        here = replace(here, done=True)
    except UploadGone:
        # A run that did not live to say so completed it, or it lay unfinished for too long.
        here = Position(done=stores.bucket.holds(key, deadline=deadline))
    save(here)
    return here


def _next_lines(
    link_id: str,
    here: Position,
    workspace_id: str,
    until: str,
    base_url: str,
    stores: ExportStores,
    deadline: Deadline,
) -> tuple[list[bytes], Position]:
    """The lines that follow a position, up to 1 MB of clicks, and the position behind them."""
    next_link = replace(here, link=here.link + 1, shard=-1, after=None)
    if here.shard < 0:
        link = stores.links.get(workspace_id, link_id, deadline=deadline)
        if link is None:
            return [], next_link
        line = {"type": "link"} | link_view(link, base_url) | _when_deleted(link)
        return [_line(line)], replace(here, shard=0, after=None, lines=here.lines + 1)
    page, last = stores.clicks.page(
        link_id, here.shard, after=here.after, until=until, deadline=deadline
    )
    lines = [
        _line({"type": "click"} | {name: click.get(name) for name in CLICK_FIELDS})
        for click in page
    ]
    here = replace(here, lines=here.lines + len(lines))
    if last is not None:
        return lines, replace(here, after=last)
    if here.shard + 1 < SHARDS:
        return lines, replace(here, shard=here.shard + 1, after=None)
    return lines, replace(next_link, lines=here.lines)


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _when_deleted(link: dict[str, Any]) -> dict[str, str]:
    return {"deletedAt": link["deletedAt"]} if "deletedAt" in link else {}


# -- the export of one link, as a job ---------------------------------------------------------


def begin_export(
    link: dict[str, Any],
    *,
    base_url: str,
    key: IdempotencyKey | None,
    records: ExportRecords,
    queue: Queue,
    deadline: Deadline,
) -> dict[str, Any]:
    """Record and queue the export of a link, live or soft-deleted; returns the record.

    The same key on the same link is the same export. Raises ``LinkNotFound``, ``KeyReused``.
    """
    workspace_id, link_id = link["workspaceId"], link["id"]
    record = {
        "id": str(uuid.uuid4()),
        "linkId": link_id,
        "workspaceId": workspace_id,
        "state": "pending",
        "createdAt": now_iso(),
        "baseUrl": base_url,
    }
    if key is not None:
        # Its id follows from the key, so that a repetition meets the first one's record.
        digest = hashlib.sha256(f"{workspace_id}\0{link_id}\0{key.key}".encode()).digest()
        record["id"] = str(uuid.UUID(bytes=digest[:16], version=4))
        record["requestHash"] = key.request_hash
    try:
        created = records.create(workspace_id, record, deadline=deadline)
    except ExportGone:
        raise LinkNotFound from None
    if not created:
        earlier = records.get(link_id, record["id"], deadline=deadline)
        if earlier is None:
            # It expired just now, so nothing was recorded: another try will be.
            raise Unavailable
        if earlier["requestHash"] != record.get("requestHash"):
            raise KeyReused
        record = earlier
    if record["state"] == "pending":
        # Also for a repetition: the first request may not have lived to send it.
        queue.send(
            {"workspaceId": workspace_id, "linkId": link_id, "exportId": record["id"]},
            deadline=deadline,
        )
    return record


def run_export(
    workspace_id: str,
    link_id: str,
    export_id: str,
    *,
    records: ExportRecords,
    stores: ExportStores,
    queue: Queue,
    deadline: Deadline,
) -> str:
    """One run of a link's export; the state it leaves: ``running`` ones queue themselves again.

    May come more than once: of two runs at a time one finds the record changed and stops. One
    that was given up goes on when its dead letter is sent again.
    """
    record = records.get(link_id, export_id, deadline=deadline)
    if record is None or record["state"] == "complete":
        return "nothing to do"
    position = Position.read(record.get("position"))
    key = object_key(workspace_id, export_id)
    # Whoever began while it was there is done before the erasure looks for files.
    if stores.links.get(workspace_id, link_id, deadline=deadline) is None:
        if position.upload_id is not None:
            stores.bucket.abort(key, position.upload_id, deadline=deadline)
        return "gone"

    def save(reached: Position) -> None:
        records.advance(
            record,
            deadline=deadline,
            state="complete" if reached.done else "running",
            position=reached.stored(),
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
            deadline=deadline,
        )
    except ExportGone:
        return "taken over"
    if reached.done:
        return "complete"
    queue.send(
        {"workspaceId": workspace_id, "linkId": link_id, "exportId": export_id},
        deadline=Deadline(MARGIN),
    )
    return "running"


#: Why an export is ``failed``, for whoever waits for it. The operator finds the cause in the log.
GIVEN_UP = "It could not be written, although it was tried several times. Begin a new one."


def give_up(link_id: str, export_id: str, records: ExportRecords, *, deadline: Deadline) -> bool:
    """Let an export that failed every time end as ``failed``, so that nobody waits for it longer.

    False when there is nothing to give up: it is complete, or gone with its link.
    """
    record = records.get(link_id, export_id, deadline=deadline)
    if record is None or record["state"] == "complete":
        return False
    try:
        records.advance(record, deadline=deadline, state="failed", failure=GIVEN_UP)
    except ExportGone:
        return False
    return True
