"""``"export": true``: links and clicks are written first, and deleted only after that."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.domain.clock import Deadline, use_deadline
from functions.domain.deletion import Deletion
from functions.domain.outcomes import Outcome
from functions.services import export as exporting
from functions.services import export_lines
from functions.services.deletion import Stores
from functions.services.export_lines import ExportStores
from functions.services.run_deletion import resume, resume_logged
from tests.support.erasure import Erasing
from tests.support.exports import MemoryBucket
from tests.support.faults import Killed
from tests.support.interleaving import interleave
from tests.support.restores import bring_back
from tests.support.virtual_time import RunningClock


def worker(erasing: Erasing, bucket: MemoryBucket) -> Stores:
    stores = erasing.world.stores
    return replace(
        stores,
        exports=ExportStores(stores.links, erasing.world.clicks, bucket),  # type: ignore[arg-type]
    )


def ask(erasing: Erasing, ids: list[str], mode: str) -> Deletion:
    delete = erasing.world.soft_delete if mode == "soft" else erasing.world.erase
    return delete(ids, export_base_url="https://go.example")


@pytest.mark.parametrize("mode", ["soft", "erase"])
def test_nothing_is_deleted_before_the_export_is_complete(erasing: Erasing, mode: str) -> None:
    ids = erasing.world.create(3)
    erasing.click(ids[1], 2)

    deletion = ask(erasing, ids, mode)

    assert (deletion.state, deletion.open) == ("exporting", True)
    assert all(erasing.world.live(link_id) for link_id in ids)
    assert erasing.world.queue.messages[-1]["deletionId"] == deletion.id

    bucket = MemoryBucket()
    workspace_id = erasing.world.workspace_id
    done = erasing.world.resume(deletion.id, worker(erasing, bucket))

    assert done.state == ("complete" if mode == "soft" else "erasing")
    assert not any(erasing.world.live(link_id) for link_id in ids)
    [(key, body)] = bucket.objects.items()
    assert key == f"exports/{workspace_id}/{deletion.id}.ndjson"
    lines: list[dict[str, Any]] = [json.loads(line) for line in body.splitlines()]
    assert [line["id"] for line in lines if line["type"] == "link"] == ids
    assert len([line for line in lines if line["type"] == "click"]) == 2
    record = erasing.header(deletion.id)
    assert record.export is not None
    assert record.export["done"] is True


def test_the_schedule_leaves_an_export_to_the_queue(erasing: Erasing) -> None:
    ids = erasing.world.create(2)
    deletion = ask(erasing, ids, "soft")
    erasing.world.queue.messages.clear()

    # The schedule's stores are those of a request.
    assert resume_logged(erasing.world.workspace_id, deletion.id, erasing.world.stores)

    [message] = erasing.world.queue.messages
    assert message == {"workspaceId": erasing.world.workspace_id, "deletionId": deletion.id}
    assert all(erasing.world.live(link_id) for link_id in ids)
    # Its lease is released, so the worker can take it at once.
    done = erasing.world.resume(deletion.id, worker(erasing, MemoryBucket()))
    assert done.ids_with(Outcome.DELETED) == ids


def test_no_other_worker_takes_a_running_export(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = erasing.world.create(2)
    deletion = ask(erasing, ids, "soft")
    workspace_id = erasing.world.workspace_id
    stores, others_stores = worker(erasing, MemoryBucket()), worker(erasing, MemoryBucket())
    others = interleave(
        monkeypatch,
        stores.deletions,
        "save_export",
        after=lambda: resume(workspace_id, deletion.id, stores=others_stores),
    )
    done = erasing.world.resume(deletion.id, stores)

    assert others == [None]
    assert done.ids_with(Outcome.DELETED) == ids


class RealBucket(MemoryBucket):
    """The same with tails and parts; S3's own rules are tried in test_export.py."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: dict[int, bytes] = {}

    def tail(self, key: str) -> bytes:
        return self.objects[key]

    def remove(self, keys: list[str]) -> None:
        for key in keys:
            self.objects.pop(key, None)

    def begin(self, key: str) -> str:
        return "upload"

    def put_part(self, key: str, upload_id: str, number: int, body: bytes) -> None:
        self.parts[number] = body

    def complete(self, key: str, upload_id: str, counts: Callable[[int], bool]) -> None:
        self.objects[key] = b"".join(
            self.parts[each] for each in sorted(self.parts) if counts(each)
        )


@pytest.mark.parametrize("part_bytes", [1_500, exporting.PART_BYTES], ids=["parts", "tails"])
def test_a_kill_at_any_save_deletes_nothing_and_every_line_is_written_once(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch, running_clock: RunningClock, part_bytes: int
) -> None:
    monkeypatch.setattr(exporting, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(exporting, "PART_BYTES", part_bytes)
    monkeypatch.setattr(export_lines, "FIRST_WINDOW", 2)
    ids = erasing.world.create(5)
    for link_id in ids[1:4]:
        erasing.click(link_id, 2)
    workspace_id = erasing.world.workspace_id
    at, killed = 1, True
    while killed:
        deletion = ask(erasing, ids, "soft")
        bucket, saves = RealBucket(), iter(range(1, 1_000))
        stores = worker(erasing, bucket)
        save = stores.deletions.save_export

        def counted(
            *given: Any, save: Any = save, saves: Any = saves, at: int = at, **more: Any
        ) -> bool:
            saved: bool = save(*given, **more)
            if next(saves) == at:
                raise Killed
            return saved

        try:
            with monkeypatch.context() as patch:
                patch.setattr(stores.deletions, "save_export", counted)
                resume(workspace_id, deletion.id, stores=stores)
            killed = False
        except Killed:
            # No worker can take it over before its lease has expired.
            assert all(map(erasing.world.live, ids))
            again = worker(erasing, bucket)
            assert resume(workspace_id, deletion.id, stores=again) is None
            running_clock.pass_by(120)
            done = erasing.world.resume(deletion.id, again)
            assert done.ids_with(Outcome.DELETED) == ids

        body = bucket.objects.pop(f"exports/{workspace_id}/{deletion.id}.ndjson")
        # The worker may have been killed before it removed the previous tail.
        assert [key.rpartition(".")[2] for key in bucket.objects] in ([], ["tail"])
        lines = [json.loads(line) for line in body.splitlines()]
        assert [line["id"] for line in lines if line["type"] == "link"] == ids
        clicks = [line["id"] for line in lines if line["type"] == "click"]
        assert len(set(clicks)) == len(clicks) == 6
        assert bring_back(erasing.world, deletion.id).restored_ids == deletion.link_ids
        at += 1
    assert at > 6


def test_a_worker_that_lost_its_lease_does_not_touch_the_file(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch, running_clock: RunningClock
) -> None:
    """It reads links that the next worker has erased: its file would miss them."""
    monkeypatch.setattr(export_lines, "FIRST_WINDOW", 1)
    ids = erasing.world.create(4)
    deletion = ask(erasing, ids, "erase")
    workspace_id, bucket = erasing.world.workspace_id, RealBucket()
    files: list[bytes] = []

    def next_worker() -> None:
        running_clock.pass_by(120)
        with use_deadline(Deadline(60)):  # Another process.
            other = erasing.world.resume(deletion.id, worker(erasing, bucket))
        assert other.ids_with(Outcome.ERASED) == ids
        files.extend(bucket.objects.values())

    interleave(monkeypatch, export_lines.LineReader, "_read_window", before=next_worker)
    stores = worker(erasing, bucket)
    resume(workspace_id, deletion.id, stores=stores)

    assert [json.loads(line)["id"] for line in files[0].splitlines()] == ids
    assert list(bucket.objects.values()) == files


def is_save(parameters: dict[str, Any]) -> bool:
    """Whether a call saves the progress of a deletion's export."""
    return "M" in parameters.get("ExpressionAttributeValues", {}).get(":export", {})


def test_a_late_repetition_of_a_save_does_not_set_an_export_back(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that the SDK gave up and repeated may still be carried out, seconds later."""
    ids = erasing.world.create(2)
    deletion = ask(erasing, ids, "erase")
    dynamodb = erasing.world.dynamodb
    update_item = dynamodb.update_item
    saves: list[dict[str, Any]] = []

    def with_a_late_call(**parameters: Any) -> Any:
        response = update_item(**parameters)
        if is_save(parameters):
            saves.append(parameters)
            if parameters["ExpressionAttributeValues"][":export"]["M"]["done"]["BOOL"]:
                with suppress(ClientError):
                    update_item(**saves[0])
        return response

    monkeypatch.setattr(dynamodb, "update_item", with_a_late_call)
    resume(erasing.world.workspace_id, deletion.id, stores=worker(erasing, MemoryBucket()))

    assert len(saves) == 2
    after = erasing.world.deletion(deletion.id)
    assert (after.state, after.export is not None and after.export["done"]) == ("erasing", True)


def test_a_save_whose_response_was_lost_is_recognised(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = erasing.world.create(2)
    deletion = ask(erasing, ids, "soft")
    dynamodb = erasing.world.dynamodb
    update_item = dynamodb.update_item

    def without_a_response(**parameters: Any) -> Any:
        response = update_item(**parameters)
        if is_save(parameters):
            response = update_item(**parameters)
        return response

    monkeypatch.setattr(dynamodb, "update_item", without_a_response)
    bucket = MemoryBucket()
    done = erasing.world.resume(deletion.id, worker(erasing, bucket))

    assert done.state == "complete"
    assert len(bucket.objects) == 1
