"""After an erase: clicks, rollups, installs and images are removed, counted and in the receipt."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from admin import failed_records
from functions import metrics
from functions.domain.clock import Deadline, deadline, now_iso, use_deadline
from functions.domain.ids import SHARDS, shard_of
from functions.domain.link import Link
from functions.domain.policies import Policies
from functions.repositories import clicks as clicks_store
from functions.repositories import erasing_deletions
from functions.schemas.links import NewLink
from functions.services import link_stream, sweep
from functions.services.link_stream import clean_up
from functions.services.update_link import update_link
from tests.support.erasure import Erasing, receipt
from tests.support.faults import Killed, attempt
from tests.support.restores import bring_back
from tests.support.virtual_time import RunningClock, VirtualClock


def test_an_erased_link_leaves_nothing_and_the_receipt_counts_it(erasing: Erasing) -> None:
    [link_id, other] = erasing.world.create(2)
    erasing.click(link_id, 5)
    erasing.click(other, 1)
    erasing.put_beside(link_id, "DAY#2026-01-01", clicks=5)
    erasing.put_beside(link_id, "INSTALL#2026-01-01#1", id="1")
    keys = erasing.render(link_id, "a.png", "b.svg")
    kept = erasing.render(other, "a.png")

    deletion, records = erasing.erase([link_id], policies={"cascadeInstalls": True})
    assert erasing.cleanup(records) == []
    assert not set(keys) & set(erasing.s3.objects)
    erasing.work_all()

    assert erasing.receipt(deletion.id) == receipt(clicks=5, rollups=1, installs=1, qrObjects=2)
    closed = erasing.header(deletion.id)
    assert closed.state == "complete"
    assert closed.receipt is not None
    assert deletion.created_at < closed.receipt["verifiedEmptyAt"] <= str(closed.completed_at)
    assert erasing.left_of(link_id) == []
    assert len(erasing.left_of(other)) == 1
    assert set(erasing.s3.objects) == set(kept)


@pytest.mark.parametrize("cascade", [True, False])
def test_exports_of_an_erased_link_are_removed_uncounted(erasing: Erasing, cascade: bool) -> None:
    [link_id, other] = erasing.world.create(2)
    erasing.click(link_id, 2)
    for number in range(3):
        erasing.export(link_id, f"e-{number}")
    kept = erasing.export(other, "e-4")

    deletion = erasing.erase_completely([link_id], policies={"cascadeInstalls": cascade})

    assert erasing.receipt(deletion.id) == receipt(clicks=2)
    assert set(erasing.s3.objects) == {kept}
    assert erasing.left_of(link_id) == []


def test_the_receipt_has_the_time_of_the_last_empty_query(erasing: Erasing) -> None:
    [link_id] = erasing.world.create(1)
    erasing.render(link_id, "a.png")
    deletion, records = erasing.erase([link_id])
    erasing.cleanup(records)
    remove, removed_at = erasing.s3.delete_objects, []

    def remove_slowly(**parameters: Any) -> Any:
        removed_at.append(now_iso())
        time.sleep(0.01)
        return remove(**parameters)

    erasing.s3.delete_objects = remove_slowly
    began = now_iso()
    erasing.work_all()

    closed = erasing.header(deletion.id)
    assert closed.receipt is not None
    assert began <= closed.receipt["verifiedEmptyAt"] <= removed_at[-1] < str(closed.completed_at)


def test_a_link_without_images_costs_no_call_to_s3(erasing: Erasing) -> None:
    erasing.erase_completely(erasing.world.create(3))
    assert erasing.s3.calls == []


def test_many_links_of_one_deletion_share_one_receipt(erasing: Erasing) -> None:
    ids = erasing.world.create(12)
    for link_id in ids[::5]:
        erasing.click(link_id, 2)
    deletion, records = erasing.erase(ids)

    erasing.cleanup(records[:5])
    erasing.cleanup(records[5:])
    assert len(erasing.messages) == 2
    erasing.work(erasing.messages.pop())
    assert erasing.header(deletion.id).state == "erasing"
    erasing.work_all()

    assert erasing.receipt(deletion.id) == receipt(12, clicks=6)


@pytest.mark.parametrize("spread", [False, True])
def test_pages_are_counted_once_under_kills_and_redelivery(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch, spread: bool
) -> None:
    monkeypatch.setattr(clicks_store, "PAGE", 7)
    [link_id] = erasing.world.create(1)
    erasing.write_clicks(link_id, range(100), spread=spread)
    deletion, records = erasing.erase([link_id])
    erasing.cleanup(records)
    [message] = erasing.messages

    write = erasing.world.clicks.write
    calls = 0

    def die_halfway(**arguments: object) -> None:
        nonlocal calls
        calls += "delete" in arguments
        if "delete" in arguments and calls % 2 == 0:
            arguments["delete"] = arguments["delete"][:2]  # type: ignore[index]
            write(**arguments)  # type: ignore[arg-type]
            raise Killed
        write(**arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(erasing.world.clicks, "write", die_halfway)
    died = 0
    while erasing.header(deletion.id).state == "erasing":
        try:
            erasing.work(message)
        except Killed:
            died += 1
    erasing.work(message)

    assert died > 2
    assert erasing.receipt(deletion.id) == receipt(clicks=100)


def test_unfinished_links_return_to_the_queue(erasing: Erasing) -> None:
    ids = erasing.world.create(2)
    erasing.click(ids[0], 3)
    deletion, records = erasing.erase(ids)
    erasing.cleanup(records)
    message = erasing.messages.pop()

    assert erasing.work(message, seconds=0)
    [again] = erasing.messages
    assert [link["id"] for link in again["links"]] == [link["id"] for link in message["links"]]
    erasing.work_all()

    assert erasing.receipt(deletion.id) == receipt(2, clicks=3)


def test_installs_keep_platform_and_day_unless_the_workspace_cascades(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clicks_store, "PAGE", 2)
    [link_id] = erasing.world.create(1)
    for number, platform in enumerate(["iOS", "iOS", "Android"]):
        installed_at = f"2026-01-0{number + 1}T10:11:12.131Z"
        erasing.put_beside(
            link_id,
            f"INSTALL#{installed_at}#i-{number}",
            id=f"i-{number}",
            clickId="c-1",
            platform=platform,
            deviceId="IDFA-0815",
            appVersion="1.2.3",
            installedAt=installed_at,
            createdAt=installed_at,
            workspaceId=erasing.world.workspace_id,
        )
    deletion, records = erasing.erase([link_id])
    erasing.cleanup(records)
    message = erasing.messages[0]
    erasing.work_all()
    erasing.work(message)

    assert erasing.receipt(deletion.id) == receipt(installsKept=3)
    assert erasing.left_of(link_id) == []
    partition = f"INSTALLS#{erasing.world.workspace_id}"
    kept = erasing.world.dynamodb.query(
        TableName=erasing.world.clicks.name,
        KeyConditionExpression="pk=:pk",
        ExpressionAttributeValues={":pk": {"S": partition}},
    )["Items"]
    assert [item | {"sk": {"S": item["sk"]["S"].rpartition("#")[0]}} for item in kept] == [
        {"pk": {"S": partition}, "sk": {"S": f"INSTALL#{day}"}, "platform": {"S": platform}}
        for day, platform in zip(
            ("2026-01-01", "2026-01-02", "2026-01-03"), ("iOS", "iOS", "Android"), strict=True
        )
    ]
    # The digest identifies neither link nor install.
    for number, item in enumerate(kept):
        digest = item["sk"]["S"].rpartition("#")[2]
        assert len(digest) == 32
        assert f"i-{number}" not in digest
    assert len({item["sk"]["S"] for item in kept}) == 3


def test_a_lost_stream_record_is_recovered_from_the_deletion(erasing: Erasing) -> None:
    ids = erasing.world.create(3)
    erasing.click(ids[1], 4)
    keys = erasing.render(ids[2], "a.png")
    deletion, _records = erasing.erase(ids)

    left = erasing.requeue(deletion.id)
    erasing.work_all()

    assert left == 3
    assert erasing.receipt(deletion.id) == receipt(3, clicks=4, qrObjects=1)
    assert keys[0] not in erasing.s3.objects


@pytest.fixture
def schedule(erasing: Erasing, monkeypatch: pytest.MonkeyPatch) -> Callable[[], float]:
    """The schedule's check of this workspace's erasures; returns the oldest one's age."""
    erasures = erasing.world.stores.erasures
    measured: list[tuple[str, float]] = []
    real = erasures.erasing

    def of_this_workspace() -> list[erasing_deletions.Erasing]:
        found = real()
        return [each for each in found if each.workspace_id == erasing.world.workspace_id]

    monkeypatch.setattr(erasures, "erasing", of_this_workspace)
    monkeypatch.setattr(metrics, "measure", lambda name, value: measured.append((name, value)))

    def look() -> float:
        sweep.requeue_stalled_erasures(erasing.world.stores, erasing.queue)
        name, value = measured.pop()
        assert name == "OldestErasure"
        return value

    return look


def test_a_stalled_erasure_is_queued_once_and_stays_late(
    erasing: Erasing, schedule: Callable[[], float], running_clock: RunningClock
) -> None:
    deletion, _lost = erasing.erase(erasing.world.create(2))
    assert schedule() < 60
    assert erasing.messages == []
    running_clock.pass_by(5 * 3600)

    assert schedule() == pytest.approx(5 * 3600, abs=60)
    assert len(erasing.messages) == 1
    # Progress does not change its age.
    assert schedule() == pytest.approx(5 * 3600, abs=60)
    assert len(erasing.messages) == 1

    erasing.work_all()
    assert erasing.header(deletion.id).state == "complete"
    assert schedule() == 0


def test_a_large_erasure_with_progress_is_late_but_not_queued_again(
    erasing: Erasing, schedule: Callable[[], float], running_clock: RunningClock
) -> None:
    _, records = erasing.erase(erasing.world.create(2))
    erasing.cleanup(records)
    running_clock.pass_by(5 * 3600)

    # A worker that runs out of time requeues the rest.
    erasing.work(erasing.messages.pop(), seconds=0)

    assert schedule() == pytest.approx(5 * 3600, abs=60)
    assert len(erasing.messages) == 1


def test_an_erasure_with_progress_is_never_queued_again(
    erasing: Erasing,
    schedule: Callable[[], float],
    virtual_clock: VirtualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An hour of steady work: a message every two minutes, and the schedule every minute."""
    monkeypatch.setattr(link_stream, "LINKS_A_MESSAGE", 1)
    deletion, records = erasing.erase(erasing.world.create(30))
    assert erasing.cleanup(records) == []
    assert len(erasing.messages) == 30

    for minute in range(60):
        virtual_clock.pass_by(60)
        if minute % 2:
            assert erasing.work(erasing.messages.pop(0))
        schedule()
        assert len(erasing.messages) == 30 - (minute + 1) // 2

    assert erasing.header(deletion.id).state == "complete"
    assert erasing.receipt(deletion.id) == receipt(30)


def test_workers_of_one_minute_postpone_the_stall_check_once(
    erasing: Erasing, virtual_clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_stream, "LINKS_A_MESSAGE", 1)
    _, records = erasing.erase(erasing.world.create(9))
    erasing.cleanup(records)
    postponed: list[str] = []
    table = erasing.world.stores.erasures
    advance = table._advance

    def count(workspace_id: str, deletion_id: str, expression: str, *args: Any, **more: Any) -> Any:
        postponed.append(expression)
        return advance(workspace_id, deletion_id, expression, *args, **more)

    monkeypatch.setattr(table, "_advance", count)
    virtual_clock.pass_by(90)

    for _ in range(4):
        erasing.work(erasing.messages.pop())
    assert postponed == ["SET openSk=:now"]
    virtual_clock.pass_by(59)
    erasing.work(erasing.messages.pop())
    assert len(postponed) == 1
    virtual_clock.pass_by(2)
    for _ in range(2):
        erasing.work(erasing.messages.pop())
    assert postponed == ["SET openSk=:now"] * 2


def test_the_verified_time_of_a_receipt_never_moves_back(erasing: Erasing) -> None:
    """Two workers of one sum: the one with the earlier time commits later."""
    # Of nine links in eight shards, two share one.
    links = erasing.world.create(SHARDS + 1)
    first, second = next(
        pair for pair in combinations(links, 2) if shard_of(pair[0]) == shard_of(pair[1])
    )
    deletion, _ = erasing.erase([first, second])
    erasures, workspace_id = erasing.world.stores.erasures, erasing.world.workspace_id
    early, late = "2026-01-01T00:00:01.000Z", "2026-01-01T00:00:02.000Z"

    for link_id, looked_at in ((first, late), (second, early)):
        [erasure] = erasures.find(workspace_id, [link_id]).values()
        erasures.finish(workspace_id, deletion.id, [erasure], looked_at=looked_at)

    found = erasures.receipt(workspace_id, deletion.id)
    assert found["verifiedEmptyAt"] == late
    assert found["links"] == 2


def test_a_late_look_is_added_to_its_own_sum_whatever_the_order_of_reads(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BatchGetItem returns items in any order; the sums of another shard may not exist yet."""
    links = erasing.world.create(SHARDS + 1)
    first, second = next(
        pair for pair in combinations(links, 2) if shard_of(pair[0]) == shard_of(pair[1])
    )
    third = next(each for each in links if shard_of(each) != shard_of(first))
    deletion, _ = erasing.erase([first, second, third])
    erasures, workspace_id = erasing.world.stores.erasures, erasing.world.workspace_id
    early, late = "2026-01-01T00:00:01.000Z", "2026-01-01T00:00:02.000Z"
    found = erasures.find(workspace_id, [first, second, third])
    erasures.finish(workspace_id, deletion.id, [found[first]], looked_at=late)
    reads = []

    def find_reversed(workspace_id: str, link_ids: Any) -> Any:
        reads.append(link_ids)
        assert len(reads) < 5, "it reads again and again"
        again = type(erasures).find(erasures, workspace_id, link_ids)
        return {each: again[each] for each in (third, second)}

    monkeypatch.setattr(erasures, "find", find_reversed)
    erasures.finish(workspace_id, deletion.id, [found[second], found[third]], looked_at=early)

    sums = erasures.receipt(workspace_id, deletion.id)
    assert (sums["links"], sums["verifiedEmptyAt"]) == (3, late)
    assert len(reads) == 1


def test_a_message_about_a_link_that_exists_does_nothing(erasing: Erasing) -> None:
    [link_id] = erasing.world.create(1)
    erasing.click(link_id, 2)
    erasing.work({"workspaceId": erasing.world.workspace_id, "links": [{"id": link_id}]})
    assert len(erasing.left_of(link_id)) == 2


def test_a_link_removed_by_ttl_is_purged_with_its_own_deletion(erasing: Erasing) -> None:
    [link] = erasing.world.create_items(1, externalId="crm-1")
    erasing.click(link.id, 3)
    soft, _ = erasing.soft_delete([link.id], retention_days=30)
    record = erasing.expire(link.id)

    erasing.cleanup([record])
    message = erasing.messages[0]
    erasing.work_all()
    erasing.work(message)

    found, _ = erasing.world.stores.deletions.newest(
        erasing.world.workspace_id, limit=10, before=None
    )
    assert len(found) == 2
    own = erasing.header(found[0].id)
    assert found[1].id == soft.id
    assert (own.mode, own.state, own.link_ids) == ("erase", "complete", [link.id])
    assert own.actor == {"service": "retention"}
    assert own.reason == "retentionDays"
    assert erasing.receipt(own.id) == receipt(clicks=3)
    links = erasing.world.stores.links
    assert links.resolve_code(link.short_code) is None
    assert not links.names.external_id_owners(erasing.world.workspace_id, ["crm-1"])


def test_an_expired_link_leaves_a_code_of_another_link(erasing: Erasing) -> None:
    """As after a manual repair that restored a link whose code has a new link."""
    stores = erasing.world.stores
    links = erasing.world.create_items(3, externalId=None)
    [holder] = erasing.world.create_items(1, externalId="crm-1")
    [named] = erasing.world.create_items(1, externalId="crm-2")
    others = {links[0].short_code: "CODE", "crm-2": "EXT"}
    for name, kind in others.items():
        pk = f"CODE#{name}" if kind == "CODE" else f"EXT#{erasing.world.workspace_id}#{name}"
        erasing.world.dynamodb.update_item(
            TableName=stores.links.name,
            Key={"pk": {"S": pk}, "sk": {"S": kind}},
            UpdateExpression="SET linkId=:other",
            ExpressionAttributeValues={":other": {"S": holder.id}},
        )
    expired = [*links, named]
    for link in expired:
        erasing.click(link.id, 2)
    erasing.soft_delete([link.id for link in expired], retention_days=30)

    erasing.cleanup([erasing.expire(link.id) for link in expired])
    erasing.work_all()

    assert erasing.receipt(erasing.world.last_deletion().id) == receipt(4, clicks=8) | {"codes": 3}
    taken = stores.links.resolve_code(links[0].short_code)
    assert taken == (erasing.world.workspace_id, holder.id)
    workspace_id = erasing.world.workspace_id
    assert stores.links.names.resolve_external_id(workspace_id, "crm-2") == holder.id
    for link in (*links[1:], named):
        assert stores.links.resolve_code(link.short_code) is None


def test_a_soft_delete_removes_the_images_and_queues_nothing(erasing: Erasing) -> None:
    [link_id] = erasing.world.create(1)
    erasing.click(link_id)
    erasing.render(link_id, "a.png", "b.png")
    _, records = erasing.soft_delete([link_id])

    assert erasing.cleanup(records) == []

    assert erasing.s3.objects == {}
    assert erasing.messages == []
    assert len(erasing.left_of(link_id)) == 1


def test_images_are_counted_once_over_soft_delete_and_erase(erasing: Erasing) -> None:
    [link_id] = erasing.world.create(1)
    erasing.render(link_id, "a.png")
    erasing.cleanup(erasing.soft_delete([link_id])[1])
    deletion = erasing.erase_completely([link_id])
    assert erasing.receipt(deletion.id) == receipt(qrObjects=0)


def test_a_poison_record_is_dead_lettered_and_blocks_no_other(erasing: Erasing) -> None:
    first, second = erasing.world.create(2)
    keys = erasing.render(first, "a.png") + erasing.render(second, "b.png")
    _, records = erasing.erase([first, second])
    poison: list[dict[str, Any]] = [
        {"eventName": "REMOVE"},
        {"dynamodb": None},
        {"dynamodb": {"Keys": {"sk": 1}}},
    ]

    assert erasing.cleanup([poison[0], records[0], poison[1], records[1], poison[2]]) == []

    assert not set(keys) & set(erasing.s3.objects)
    aside = [json.loads(body) for body in erasing.s3.objects.values()]
    assert sorted(map(repr, poison)) == sorted(
        repr(failed_records.records_of(each)[0]) for each in aside
    )
    assert {failed_records.function_of(each) for each in aside} == {"arn:cleanup:live"}
    [message] = erasing.messages
    assert {link["id"] for link in message["links"]} == {first, second}


def test_a_hanging_bucket_delays_no_erasure(erasing: Erasing) -> None:
    ids = erasing.world.create(3)
    for link_id in ids:
        erasing.render(link_id, "a.png")
    _, records = erasing.erase(ids)
    cut = Deadline(20)

    class Hanging:
        asked = 0

        def delete_objects(self, **_: Any) -> None:
            self.asked += 1
            cut.expire()
            raise ReadTimeoutError(endpoint_url="https://s3")

    erasing.s3 = Hanging()
    with use_deadline(cut):
        failed = clean_up(records, stores=erasing.cleanup_stores())

    assert sorted(failed) == sorted(each["dynamodb"]["SequenceNumber"] for each in records)
    assert erasing.s3.asked == 1
    [message] = erasing.messages
    assert {link["id"] for link in message["links"]} == set(ids)


@pytest.mark.parametrize("code", ["InternalError", "SlowDown", "AccessDenied"])
@pytest.mark.parametrize("name", ["a.png", "e-1.ndjson"])
def test_an_object_that_s3_does_not_delete_leaves_the_erasure_open(
    erasing: Erasing, virtual_clock: VirtualClock, name: str, code: str
) -> None:
    """S3 answers 200 and names the object among the errors of single keys."""
    [link_id] = erasing.world.create(1)
    erasing.click(link_id)
    erasing.render(link_id, "a.png", "b.png")
    erasing.export(link_id, "e-1")
    [stuck] = [key for key in erasing.s3.objects if key.endswith(name)]
    delete_objects = erasing.s3.delete_objects

    def delete_others(*, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:
        others = [each for each in Delete["Objects"] if each["Key"] != stuck]
        delete_objects(Bucket=Bucket, Delete=Delete | {"Objects": others})
        refused = {"Key": stuck, "Code": code, "Message": ""}
        return {"Errors": [refused]} if len(others) < len(Delete["Objects"]) else {}

    erasing.s3.delete_objects = delete_others
    deletion, records = erasing.erase([link_id])
    with deadline(5):
        failed = erasing.cleanup(records)
    [message] = erasing.messages
    for _ in range(2):
        attempt(erasing.work, message)

    assert list(erasing.s3.objects) == [stuck]
    assert bool(failed) is (name == "a.png")
    assert erasing.header(deletion.id).state == "erasing"
    assert erasing.receipt(deletion.id) == {}

    erasing.s3.delete_objects = delete_objects
    assert erasing.cleanup(records) == []
    erasing.work_all()

    assert erasing.header(deletion.id).state == "complete"
    assert erasing.receipt(deletion.id) == receipt(clicks=1, qrObjects=2)
    assert erasing.left_of(link_id) == []
    assert erasing.s3.objects == {}


def test_link_events_are_sent_if_the_workspace_enables_them(erasing: Erasing) -> None:
    wanted, silent = erasing.world.create(2)
    wants = {"policies": {"linkEvents": True}}
    soft, records = erasing.soft_delete([wanted], **wants)
    erasing.cleanup(records)
    erase, records = erasing.erase([wanted], **wants)
    erasing.cleanup(records)
    erasing.erase_completely([silent])

    kinds = [entry["DetailType"] for entry in erasing.bus.entries]
    assert kinds == ["link.soft_deleted", "link.erased"]
    assert soft.id in erasing.bus.entries[0]["Detail"]
    assert erase.id in erasing.bus.entries[1]["Detail"]


def test_an_expired_link_is_purged_if_the_workspace_enables_it(erasing: Erasing) -> None:
    policies = Policies(purge_expired_after_days=7, cascade_installs=True)
    [link] = erasing.world.create_new(
        [NewLink(originalUrl="https://example.com/", expiresAt=datetime(2026, 1, 1, tzinfo=UTC))],
        policies=policies,
    )
    assert erasing.world.link(link.id).ttl == int(datetime(2026, 1, 8, tzinfo=UTC).timestamp())
    erasing.click(link.id, 2)
    erasing.put_beside(link.id, "INSTALL#1", id="1")
    erasing.render(link.id, "a.png")

    erasing.cleanup([erasing.expire(link.id)])
    erasing.work_all()

    own = erasing.world.last_deletion()
    assert own.reason == "purgeExpiredAfterDays"
    assert erasing.receipt(own.id) == receipt(clicks=2, installs=1, qrObjects=1)
    assert not erasing.s3.objects


def test_moving_the_expiry_moves_the_purge_and_a_soft_delete_ends_it(erasing: Erasing) -> None:
    policies = Policies(purge_expired_after_days=7)
    [link] = erasing.world.create_items(1)

    def put(expires_at: str | None) -> Link:
        return update_link(
            link.id,
            {"expiresAt": expires_at},
            workspace_id=erasing.world.workspace_id,
            links=erasing.world.stores.links,
            policies=policies,
        )

    assert put("2027-01-01T00:00:00.000Z").ttl == 1_798_761_600 + 7 * 86_400
    assert put(None).ttl is None
    put("2027-01-01T00:00:00.000Z")
    deletion, _ = erasing.soft_delete([link.id])
    assert erasing.world.link(link.id).ttl is None

    bring_back(erasing.world, deletion.id, policies=policies.record())
    assert erasing.world.link(link.id).ttl == 1_798_761_600 + 7 * 86_400
