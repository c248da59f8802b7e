"""``"export": true``: links and clicks are written first, and deleted only after that."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from functions.unlink.clock import Deadline
from functions.unlink.outcomes import Outcome
from functions.unlink.procedures.deletion import Stores, erase_many, resume, soft_delete
from functions.unlink.procedures.export import ExportStores
from functions.unlink.stores.deletions import Deletion
from tests.functions.erasing import Erasing, erasing

__all__ = ["erasing"]

pytestmark = pytest.mark.engine


class Bucket:
    """Exports in memory; it can fail first."""

    def __init__(self, failures: int = 0) -> None:
        self.objects: dict[str, bytes] = {}
        self.failures = failures

    def put(self, key: str, body: bytes, *, deadline: Deadline) -> None:
        if self.failures:
            self.failures -= 1
            raise KeyboardInterrupt
        self.objects[key] = body


def worker(erasing: Erasing, bucket: Bucket) -> Stores:
    stores = erasing.world.stores
    return replace(
        stores,
        exports=ExportStores(stores.links, erasing.world.clicks, bucket),  # type: ignore[arg-type]
    )


def ask(erasing: Erasing, ids: list[str], mode: str) -> Deletion:
    requester = erasing.world.requester(export_base_url="https://go.example")
    stores = erasing.world.stores
    if mode == "soft":
        return soft_delete(ids, [], requester=requester, stores=stores, deadline=Deadline(20))
    return erase_many(ids, requester=requester, stores=stores, deadline=Deadline(20))


@pytest.mark.parametrize("mode", ["soft", "erase"])
def test_nothing_is_deleted_before_the_export_is_complete(erasing: Erasing, mode: str) -> None:
    ids = erasing.world.create(3)
    erasing.click(ids[1], 2)

    deletion = ask(erasing, ids, mode)

    assert (deletion.state, deletion.open) == ("exporting", True)
    assert all(erasing.world.live(link_id) for link_id in ids)
    assert erasing.world.queue.messages[-1]["deletionId"] == deletion.id

    bucket = Bucket()
    workspace_id = erasing.world.workspace_id
    done = resume(workspace_id, deletion.id, stores=worker(erasing, bucket), deadline=Deadline(60))

    assert done is not None
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


def test_no_other_worker_takes_an_export_over_that_is_being_written(erasing: Erasing) -> None:
    ids = erasing.world.create(2)
    deletion = ask(erasing, ids, "soft")
    workspace_id = erasing.world.workspace_id
    others: list[Deletion | None] = []

    def meanwhile(deletion: Deletion, **more: Any) -> bool:
        saved = save(deletion, **more)
        if saved and not others:
            stores = worker(erasing, Bucket())
            others.append(resume(workspace_id, deletion.id, stores=stores, deadline=Deadline(60)))
        return saved

    stores = worker(erasing, Bucket())
    save = stores.deletions.save_export
    stores.deletions.save_export = meanwhile  # type: ignore[method-assign]
    done = resume(workspace_id, deletion.id, stores=stores, deadline=Deadline(60))

    assert others == [None]
    assert done is not None
    assert done.ids_with(Outcome.DELETED) == ids


def test_a_worker_that_dies_exporting_has_deleted_nothing_and_is_followed(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = erasing.world.create(2)
    deletion = ask(erasing, ids, "soft")
    bucket = Bucket(failures=1)
    workspace_id = erasing.world.workspace_id
    with pytest.raises(KeyboardInterrupt):
        resume(workspace_id, deletion.id, stores=worker(erasing, bucket), deadline=Deadline(60))
    assert all(erasing.world.live(link_id) for link_id in ids)

    import time

    monkeypatch.setattr(time, "time", lambda real=time.time: real() + 120)
    done = resume(workspace_id, deletion.id, stores=worker(erasing, bucket), deadline=Deadline(60))

    assert done is not None
    assert done.ids_with(Outcome.DELETED) == ids
    assert len(bucket.objects) == 1
