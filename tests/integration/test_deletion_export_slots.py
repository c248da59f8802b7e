"""An export that belongs to a deletion counts among the unfinished exports of its workspace."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions import service_stores
from functions.aws import client as aws
from functions.domain.deletion import Deletion, FilterRequest
from functions.domain.errors import LimitReached
from functions.repositories.open_exports import HELD_SECONDS, OpenExports
from functions.services import delete_links, run_deletion
from functions.services.export_lines import ExportStores
from tests.conftest import World, make_world
from tests.support.deletions import NoReads, ask
from tests.support.erasure import Erasing
from tests.support.exports import Exports, MemoryBucket
from tests.support.faults import FaultyClient, Killed, die
from tests.support.interleaving import at_once, interleave
from tests.support.virtual_time import RunningClock

BASE_URL = "https://go.example"


@pytest.fixture(autouse=True)
def _list_queue(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_stores, "deletion_stores", lambda: world.stores)


def post(
    world: World, ids: list[str], *, key: str | None = None, mode: str = "soft"
) -> tuple[int, dict[str, Any], dict[str, str]]:
    return ask(world, {"ids": ids, "mode": mode, "export": True}, plan="free", key=key)


def free(world: World, maximum: int = 2) -> list[int]:
    return world.stores.open_exports.free(world.workspace_id, maximum)


def work(world: World, deletion_id: str, bucket: MemoryBucket | None = None) -> Deletion:
    links = world.stores.links
    lines = ExportStores(links, world.clicks, bucket or MemoryBucket())  # type: ignore[arg-type]
    return world.resume(deletion_id, replace(world.stores, exports=lines))


def records(world: World) -> list[dict[str, Any]]:
    """All items of the workspace's deletions, with the ids that are in chunks."""
    stored = world.stored(world.stores.deletions.name)
    return [item for item in stored if world.workspace_id in item["pk"]["S"]]


@pytest.mark.parametrize("mode", ["soft", "erase"])
def test_one_more_than_the_plan_allows_is_refused_and_writes_nothing(
    world: World, mode: str
) -> None:
    ids = world.create(3)
    first = [post(world, [link_id], mode=mode) for link_id in ids[:2]]
    assert [status for status, _, _ in first] == [202, 202]
    assert free(world) == []
    before = records(world)

    status, body, headers = post(world, [ids[2]], mode=mode, key="late")

    assert status == 429
    assert body["error"]["en"] == "Limit reached"
    assert body["details"] == ["At most 2 exports of a workspace can be unfinished at a time"]
    assert (body["limit"], body["retryAfter"], headers["Retry-After"]) == (2, 60, "60")
    assert records(world) == before
    assert len(world.queue.messages) == 2
    assert world.live(ids[2])

    # Without an export the deletion needs no slot, and another plan has more of them.
    assert ask(world, {"ids": [ids[2]]}, plan="free")[0] == 200
    work(world, first[0][2]["X-Deletion-Id"])
    assert free(world) == [0]


def test_exports_of_links_and_of_deletions_share_the_slots(world: World, exports: Exports) -> None:
    ids = world.create(3)
    assert exports.begin(ids[0], plan="free")[0] == 202
    status, _, headers = post(world, [ids[1]])
    assert status == 202

    assert post(world, [ids[2]])[0] == 429
    assert exports.begin(ids[2], plan="free")[0] == 429

    work(world, headers["X-Deletion-Id"])
    assert exports.begin(ids[2], plan="free")[0] == 202


def test_a_repeated_request_is_answered_when_the_limit_is_reached(world: World) -> None:
    ids = world.create(3)
    status, first, headers = post(world, [ids[0]], key="k")
    assert (status, first["state"]) == (202, "exporting")
    assert post(world, [ids[1]])[0] == 202
    assert free(world) == []

    # In flight, as for every deletion.
    status, _, conflict = post(world, [ids[0]], key="k")
    assert (status, conflict["X-Deletion-Id"]) == (409, headers["X-Deletion-Id"])

    work(world, first["id"])
    assert post(world, [ids[2]])[0] == 202
    assert free(world) == []
    status, again, headers = post(world, [ids[0]], key="k")
    assert (status, again["id"], headers["X-Deletion-Id"]) == (200, first["id"], first["id"])
    assert again["results"] == [{"id": ids[0], "outcome": "deleted"}]
    assert len(world.queue.messages) == 3


def test_a_concurrent_repeat_gets_the_deletion_of_the_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both looked up the key before either was accepted."""
    ids = world.create(2)
    assert post(world, [ids[0]])[0] == 202
    same = partial(post, world, [ids[1]], key="k")
    twins = interleave(monkeypatch, OpenExports, "free", before=same)
    status, _, headers = same()

    [(answered, _, of_twin)] = twins
    assert answered == 202
    assert (status, headers["X-Deletion-Id"]) == (409, of_twin["X-Deletion-Id"])


def test_parallel_requests_never_claim_more_slots_than_there_are(world: World) -> None:
    ids = world.create(6)
    answers = at_once(partial(post, world, [link_id]) for link_id in ids)
    assert sorted(status for status, *_ in answers) == [202, 202, 429, 429, 429, 429]
    assert len(world.queue.messages) == 2


def test_a_slot_survives_killed_workers_and_is_released_after_the_export(
    world: World, monkeypatch: pytest.MonkeyPatch, running_clock: RunningClock
) -> None:
    ids = world.create(1)
    _, first, _ = post(world, ids)
    bucket = MemoryBucket(failures=1)

    with pytest.raises(Killed):
        work(world, first["id"], bucket)
    assert free(world) == [1]
    # The next worker has no time to write the file: it requeues and renews the claim.
    running_clock.pass_by(HELD_SECONDS - 60)
    with monkeypatch.context() as slow:
        slow.setattr(run_deletion, "_export", lambda *_: False)
        work(world, first["id"], bucket)
    running_clock.pass_by(HELD_SECONDS - 60)
    assert free(world) == [1]

    assert work(world, first["id"], bucket).state == "complete"
    assert free(world) == [0, 1]


def test_the_next_worker_releases_the_slot_of_a_killed_one(
    world: World, monkeypatch: pytest.MonkeyPatch, running_clock: RunningClock
) -> None:
    ids = world.create(1)
    _, first, _ = post(world, ids)

    with monkeypatch.context() as killed:
        killed.setattr(OpenExports, "release_slot", die)
        with pytest.raises(Killed):
            work(world, first["id"])
    assert free(world) == [1]
    assert world.live(ids[0])

    running_clock.pass_by(120)
    assert work(world, first["id"]).state == "complete"
    assert free(world) == [0, 1]


def test_an_abandoned_slot_expires(world: World, running_clock: RunningClock) -> None:
    ids = world.create(2)
    _, lost, _ = post(world, ids[:1])
    running_clock.pass_by(HELD_SECONDS - 5)
    assert free(world) == [1]
    running_clock.pass_by(10)
    assert free(world) == [0, 1]

    # The late worker completes it, and does not release the slot of another export.
    assert post(world, ids[1:])[0] == 202
    assert free(world) == [1]
    assert work(world, lost["id"]).state == "complete"
    assert free(world) == [1]


def test_a_release_that_is_refused_does_not_stop_the_deletion(
    world: World, deployed: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    ids = world.create(1)
    _, first, _ = post(world, ids)

    def fault(name: str, real: Any, parameters: dict[str, Any]) -> Any:
        if name == "update_item" and parameters["Key"]["pk"]["S"].startswith("EXPORTS#"):
            error: Any = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
            raise ClientError(error, "UpdateItem")
        return real()

    faulty = FaultyClient(aws.client("dynamodb"), fault, every=True)
    broken = make_world(deployed, faulty, world.workspace_id)

    assert work(broken, first["id"]).state == "complete"
    [line] = [r for r in caplog.records if r.getMessage() == "an export's slot was not released"]
    assert "AccessDeniedException" in vars(line)["cause"]


def by_filter(world: World, *, open_exports: int = 2, open_filters: int = 2) -> Deletion:
    """A deletion by filter that is resolved in the background."""
    return delete_links.delete_by_filter(
        FilterRequest({"maxClicks": 0}, 2, 6_000),
        "soft",
        deletion_request=world.deletion_request(
            export_base_url=BASE_URL, open_exports=open_exports
        ),
        stores=world.stores,
        budget=NoReads(),
        open_filters=open_filters,
    )


@pytest.mark.parametrize(
    ("links", "gone", "state"), [(1, 1, "complete"), (2, 0, "complete"), (3, 0, "failed")]
)
def test_a_filter_that_waits_for_its_links_holds_a_slot_until_it_ends(
    world: World, links: int, gone: int, state: str
) -> None:
    """``gone`` of the links are deleted before a worker runs."""
    ids = world.create(links)
    waiting = by_filter(world)
    if gone:
        assert ask(world, {"ids": ids[:gone]})[0] == 200
    assert free(world) == [1]
    assert world.stores.slots.free(world.workspace_id, 2) == [1]

    assert work(world, waiting.id).state == state
    assert free(world) == [0, 1]
    assert world.stores.slots.free(world.workspace_id, 2) == [0, 1]


def test_a_deletion_claims_both_slots_or_none(world: World) -> None:
    world.create(1)
    by_filter(world, open_exports=2, open_filters=3)
    by_filter(world, open_exports=2, open_filters=3)
    with pytest.raises(LimitReached) as refused:
        by_filter(world, open_exports=2, open_filters=3)
    assert refused.value.members == {"limit": 2, "retryAfter": 60}
    assert world.stores.slots.free(world.workspace_id, 3) == [2]
    with pytest.raises(LimitReached) as refused:
        by_filter(world, open_exports=3, open_filters=2)
    assert refused.value.members == {"limit": 2, "retryAfter": 60}
    assert free(world, 3) == [2]


def test_an_erasure_of_unknown_ids_needs_no_slot(world: World) -> None:
    ids = world.create(2)
    for link_id in ids:
        assert post(world, [link_id])[0] == 202
    unknown = "0b7c0c6e-3f0e-4d9c-9b0a-5f6a2b8a7f11"
    status, body, _ = post(world, [unknown], mode="erase")
    assert (status, body["state"], body["notFoundIds"]) == (200, "complete", [unknown])


def test_no_slot_names_a_link(world: World, erasing: Erasing) -> None:
    [link_id] = world.create(1)
    _, first, _ = post(world, [link_id], mode="erase")
    slots = world.own(world.clicks.name, "EXPORTS#")
    assert [item["exportId"]["S"] for item in slots] == [first["id"]]
    assert link_id not in str(slots)
    work(world, first["id"])
    [released] = world.own(world.clicks.name, "EXPORTS#")
    assert released["until"] == {"N": "0"}
    assert released.keys() == {"pk", "sk", "until", "ttl"}
