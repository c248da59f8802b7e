"""Restoring: soft-deleted links become live again, per id, and no stale worker deletes them."""

from __future__ import annotations

import uuid
import zlib
from functools import partial
from typing import Any

import pytest

from functions.domain.errors import DeletionNotFound, DeletionOpen
from functions.domain.outcomes import Outcome, pack_outcomes
from functions.handlers import deletions as deletions_function
from functions.services.restore import Restored, resume_restore
from tests.conftest import World
from tests.support.faults import Killed, die, out_of_time_after_accept
from tests.support.interleaving import at_once
from tests.support.restores import bring_back, end_retention, restore_stores
from tests.support.virtual_time import RunningClock


def refused(done: Restored) -> dict[str, str]:
    return {entry["id"]: entry["reason"] for entry in done.refused}


def test_restored_links_are_complete_and_in_their_old_place(world: World) -> None:
    links = world.create_items(5, title="Kept")
    ids = [link.id for link in links]
    before = world.live_ids()
    items = {link_id: world.link(link_id) for link_id in ids}
    deletion = world.soft_delete(ids[1:4], retention_days=30)

    done = bring_back(world, deletion.id)

    assert done.restored_ids == ids[1:4]
    assert done.refused == []
    assert world.live_ids() == before
    for link_id in ids[1:4]:
        after = world.link(link_id)
        assert after.fencing_token == done.restore.id > deletion.id
        assert after == items[link_id]._replace(fencing_token=after.fencing_token)
    record = world.deletion(deletion.id)
    assert record.ids_with(Outcome.RESTORED) == ids[1:4]
    assert record.counts["restored"] == 3
    assert record.counts["deleted"] == 0


def test_a_subset_can_be_restored(world: World) -> None:
    first, second = world.create(2)
    deletion = world.soft_delete([first, second])

    done = bring_back(world, deletion.id, [second])

    assert done.restored_ids == [second]
    assert world.live_ids() == [second]
    assert bring_back(world, deletion.id, [first]).restored_ids == [first]
    assert bring_back(world, deletion.id).restored_ids == [first, second]


def test_each_refused_link_has_a_reason(world: World) -> None:
    erased, expired, again, fine = world.create(4)
    deletion = world.soft_delete([erased, expired, again, fine])
    world.erase([erased])
    end_retention(world, expired)
    bring_back(world, deletion.id, [again])
    world.soft_delete([again])
    stranger = str(uuid.uuid4())

    done = bring_back(world, deletion.id, [erased, expired, again, fine, stranger])

    assert done.restored_ids == [fine]
    assert refused(done) == {
        erased: "erased",
        expired: "expired",
        again: "deletedAgain",
        stranger: "notInDeletion",
    }


def test_an_erasure_cannot_be_restored(world: World) -> None:
    [link_id] = world.create(1)
    unknown = str(uuid.uuid4())
    deletion = world.erase([link_id, unknown])

    assert refused(bring_back(world, deletion.id)) == {link_id: "erased"}
    asked = bring_back(world, deletion.id, [link_id, unknown])
    assert refused(asked) == {link_id: "erased", unknown: "notDeleted"}


def test_an_open_deletion_cannot_be_restored_and_a_foreign_one_is_not_found(world: World) -> None:
    [link_id] = world.create(1)
    with out_of_time_after_accept(world):
        deletion = world.soft_delete([link_id])
    with pytest.raises(DeletionOpen):
        bring_back(world, deletion.id)
    with pytest.raises(DeletionNotFound):
        bring_back(world, deletion.id, workspace_id="ws-foreign")


def test_a_stale_deletion_worker_cannot_delete_restored_links(world: World) -> None:
    ids = world.create(3)
    deletion = world.soft_delete(ids)
    bring_back(world, deletion.id)

    # The same statements, from a suspended worker.
    outcomes = world.stores.links.batches.mark_deleted(
        world.workspace_id,
        ids,
        deletion_id=deletion.id,
        deleted_at=deletion.created_at,
        ttl=None,
    )

    assert set(outcomes) == {Outcome.RESTORED}
    assert all(world.live(link_id) for link_id in ids)
    # While a new deletion can, although this clock may run behind the restore's.
    assert world.soft_delete(ids).ids_with(Outcome.DELETED) == ids


def test_a_stale_restore_worker_cannot_restore_links_again(world: World) -> None:
    [link_id] = world.create(1)
    deletion = world.soft_delete([link_id])
    states = world.stores.links.batches.deleted_states(world.workspace_id, [link_id])
    done = bring_back(world, deletion.id)
    world.soft_delete([link_id])

    outcomes = world.stores.links.batches.restore(
        world.workspace_id,
        list(states.values()),
        deletion_id=deletion.id,
        restore_id=done.restore.id,
        attributes=[{"ttl": None, "policies": None, "clickRetentionDays": None}],
    )

    # It had restored the link, before the link was deleted again.
    assert list(outcomes) == [Outcome.RESTORED]
    assert not world.live(link_id)


def test_concurrent_restores_are_all_recorded(world: World) -> None:
    ids = world.create(40)
    deletion = world.soft_delete(ids)
    parts = [ids[start::4] for start in range(4)]

    done = at_once([partial(bring_back, world, deletion.id, part) for part in parts])

    assert [each.restored_ids for each in done] == parts
    record = world.deletion(deletion.id)
    assert record.ids_with(Outcome.RESTORED) == ids
    assert record.counts["restored"] == 40


def test_outcomes_packed_by_another_runtime_can_be_updated(world: World) -> None:
    """Versions of zlib compress the same bytes differently."""
    ids = world.create(30)
    deletion = world.soft_delete(ids)
    packed = zlib.compress(bytes(deletion.outcomes), level=0)
    assert packed != pack_outcomes(deletion.outcomes)
    world.dynamodb.update_item(
        TableName=world.stores.deletions.name,
        Key={"pk": {"S": world.workspace_id}, "sk": {"S": deletion.id}},
        UpdateExpression="SET outcomes=:packed",
        ConditionExpression="attribute_exists(pk)",
        ExpressionAttributeValues={":packed": {"B": packed}},
    )

    assert bring_back(world, deletion.id, ids[:10]).restored_ids == ids[:10]

    assert world.deletion(deletion.id).ids_with(Outcome.RESTORED) == ids[:10]


def test_a_restore_of_a_killed_worker_is_finished_by_another(
    world: World, monkeypatch: pytest.MonkeyPatch, running_clock: RunningClock
) -> None:
    ids = world.create(2)
    deletion = world.soft_delete(ids)
    stores = restore_stores(world)
    with monkeypatch.context() as patch:
        patch.setattr(world.stores.links.batches, "restore", die)
        with pytest.raises(Killed):
            bring_back(world, deletion.id)
    running_clock.pass_by(120)
    [found] = [
        each for each in stores.restores.expired_leases(limit=100) if each[0] == world.workspace_id
    ]

    assert resume_restore(*found, stores=stores)
    assert not resume_restore(*found, stores=stores)

    assert all(world.live(link_id) for link_id in ids)
    record = stores.restores.load(*found)
    assert record is not None
    assert record.state == "complete"
    assert record.counts() == {"requested": 2, "restored": 2, "refused": 0}


RESTORE = "POST /api/deletions/{id}/restore"


def test_a_restore_needs_its_scope_and_answers_per_id(world: World) -> None:
    first, second = world.create(2)
    deletion = world.soft_delete([first, second])
    world.erase([second])

    def post(**more: Any) -> tuple[int, Any]:
        return world.call(deletions_function, RESTORE, **{"at": deletion.id} | more)

    assert post(scopes="linksRead linksWrite linksErase")[0] == 403
    assert post(at=str(uuid.uuid4()))[0] == 404
    assert post(body={"ids": ["nonsense"]}) == (
        200,
        {"restoredIds": [], "refused": [{"id": "nonsense", "reason": "notInDeletion"}]},
    )
    assert post(body={"id": [first]})[0] == 400
    assert post() == (
        200,
        {"restoredIds": [first], "refused": [{"id": second, "reason": "erased"}]},
    )


def test_the_record_of_a_restore_does_not_grow_with_unknown_ids(world: World) -> None:
    """It is kept permanently, so a caller could fill the table with them."""
    deletion = world.soft_delete(world.create(1))
    unknown = [str(uuid.uuid4()) for _ in range(1_000)]

    def post() -> tuple[int, Any]:
        more = {"at": deletion.id, "key": "k", "body": {"ids": unknown}}
        return world.call(deletions_function, RESTORE, scopes="linksRestore", **more)

    refused_ids = [{"id": each, "reason": "notInDeletion"} for each in unknown]
    first = post()
    assert first == (200, {"restoredIds": [], "refused": refused_ids})
    assert post() == first
    [record] = [
        item
        for item in world.stored(world.stores.deletions.name)
        if item["sk"]["S"].startswith("RESTORE#")
    ]
    assert len(repr(record)) < 2_000
    _, shown = world.call(deletions_function, "GET /api/deletions/{id}", at=deletion.id)
    assert shown["restores"][0]["counts"] == {"requested": 1_000, "restored": 0, "refused": 1_000}


def test_a_repeated_delete_gets_the_first_response_after_a_restore(world: World) -> None:
    ids = world.create(2)

    def delete() -> tuple[int, Any]:
        return world.call(deletions_function, "DELETE /api/links", body=ids, key="k")

    assert delete() == (200, {"deletedIds": ids})
    [deletion], _ = world.stores.deletions.newest(world.workspace_id, limit=2, before=None)
    bring_back(world, deletion.id, ids[:1])

    assert delete() == (200, {"deletedIds": ids})
    assert world.live_ids() == ids[:1]


def test_the_deletion_shows_who_restored_its_links(world: World) -> None:
    ids = world.create(2)
    deletion = world.soft_delete(ids)
    body = {"ids": [ids[0]], "reason": "by mistake"}
    assert world.call(deletions_function, RESTORE, at=deletion.id, body=body)[0] == 200

    _, shown = world.call(deletions_function, "GET /api/deletions/{id}", at=deletion.id)

    [restore] = shown["restores"]
    assert restore["reason"] == "by mistake"
    assert restore["actor"] == {"keyId": f"key-{world.workspace_id}", "userId": "tester"}
    assert restore["sourceIp"] == "192.0.2.1"
    assert restore["counts"] == {"requested": 1, "restored": 1, "refused": 0}
    assert restore["state"] == "complete"
