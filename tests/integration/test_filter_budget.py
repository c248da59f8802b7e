"""The read limits of a workspace's filters: per request, per minute, and in the background."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from typing import Any

import pytest

from functions import service_stores
from functions.api import caller
from functions.domain.clock import deadline
from functions.domain.deletion import FilterRequest
from functions.domain.errors import LimitReached
from functions.domain.idempotency import IdempotencyKey
from functions.domain.ids import time_of
from functions.domain.plans import MAX_IDS, Plan, plans
from functions.repositories.filter_slots import SLOT_SECONDS, FilterSlots
from functions.services import delete_links, resolve_filter, run_deletion
from functions.services.read_budget import OPENING_READS, PacedBudget, RequestBudget
from functions.services.resolve_filter import AT_ONCE
from tests.conftest import World
from tests.support.deletions import NoReads, ask
from tests.support.faults import Killed, die
from tests.support.interleaving import at_once
from tests.support.virtual_time import MID_MINUTE, MINUTE_END, RunningClock, VirtualClock


def plan_of(monkeypatch: pytest.MonkeyPatch, **limits: int) -> None:
    plan = plans()["enterprise"]
    plan = Plan(**(asdict(plan) | limits))
    monkeypatch.setattr(caller, "plans", lambda: {"enterprise": plan})


@pytest.fixture
def reads(world: World, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many links each batch of strong reads asked for; batches are of ten."""
    asked: list[int] = []
    real = type(world.stores.links).get_many

    def get_many(self: Any, workspace_id: str, link_ids: Any, **more: Any) -> Any:
        asked.append(len(link_ids))
        return real(self, workspace_id, link_ids, **more)

    monkeypatch.setattr(type(world.stores.links), "get_many", get_many)
    monkeypatch.setattr(resolve_filter, "AT_ONCE", 10)
    return asked


PACE = "functions.services.read_budget"

NOTHING_MATCHES = {"title": "no link has this"}


# -- per request ------------------------------------------------------------------------------


def test_a_dry_run_reads_no_more_than_a_request_may_and_names_the_limit(
    world: World, monkeypatch: pytest.MonkeyPatch, reads: list[int]
) -> None:
    world.create(35)
    plan_of(monkeypatch, filter_reads_per_request=20)

    status, body, _ = ask(world, {"filter": NOTHING_MATCHES, "dryRun": True})

    assert status == 400
    assert body["limit"] == 20
    [detail] = body["details"]
    assert detail == (
        "The filter would have to read more than 20 links; narrow it by createdBefore and "
        "createdAfter"
    )
    assert sum(reads) == 20


def test_a_request_may_read_exactly_its_limit(
    world: World, monkeypatch: pytest.MonkeyPatch, reads: list[int]
) -> None:
    world.create(20)
    plan_of(monkeypatch, filter_reads_per_request=20)
    status, body, _ = ask(world, {"filter": {"maxClicks": 0}, "dryRun": True})
    assert (status, body["counts"]["deletable"]) == (200, 20)
    assert sum(reads) == 20


@pytest.mark.parametrize("mode", ["soft", "erase"])
def test_a_filter_over_the_request_limit_is_read_in_the_background(
    world: World, monkeypatch: pytest.MonkeyPatch, reads: list[int], mode: str
) -> None:
    ids = world.create(35)
    plan_of(monkeypatch, filter_reads_per_request=20)
    monkeypatch.setattr(service_stores, "deletion_stores", lambda: world.stores)

    status, body, headers = ask(world, {"filter": {"maxClicks": 0}, "mode": mode})

    assert (status, body["state"]) == (202, "accepted")
    assert sum(reads) == 20
    assert all(world.live(link_id) for link_id in ids)
    [message] = world.queue.messages
    assert message["deletionId"] == headers["X-Deletion-Id"]
    done = world.resume(message["deletionId"])
    assert done.state == ("complete" if mode == "soft" else "erasing")
    assert not any(world.live(link_id) for link_id in ids)
    # Its slot is free again.
    assert world.stores.slots.free(world.workspace_id, 1) == [0]


@pytest.mark.parametrize("mode", ["soft", "erase"])
@pytest.mark.parametrize("found", [0, 1])
def test_a_record_that_matches_nothing_in_the_background_is_kept_for_a_week(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    running_clock: RunningClock,
    mode: str,
    found: int,
) -> None:
    world.create(35)
    world.create(found, tags=["wanted"])
    plan_of(monkeypatch, filter_reads_per_request=20)
    monkeypatch.setattr(service_stores, "deletion_stores", lambda: world.stores)
    status, body, _ = ask(world, {"filter": {"tag": "wanted"}, "mode": mode})
    assert (status, body["state"]) == (202, "accepted")
    [message] = world.queue.messages
    key = {"pk": {"S": world.workspace_id}, "sk": {"S": body["id"]}}

    def stored() -> dict[str, Any]:
        item: dict[str, Any] = world.dynamodb.get_item(
            TableName=world.stores.deletions.name, Key=key, ConsistentRead=True
        )["Item"]
        return item

    # It may still match links.
    assert "ttl" not in stored()

    # The worker is killed between recording the ids and the end: the record is resolved and open.
    with monkeypatch.context() as patch:
        patch.setattr(run_deletion, "run", die)
        with pytest.raises(Killed):
            world.resume(message["deletionId"])
    week_after = {"N": str(int(time_of(body["id"])) + 7 * 86_400)}
    assert stored().get("ttl") == (None if found else week_after)
    running_clock.pass_by(300)
    done = world.resume(message["deletionId"])

    assert done.state == ("erasing" if found and mode == "erase" else "complete")
    assert len(done.link_ids) == found
    assert stored().get("ttl") == (None if found else week_after)


# -- per minute -------------------------------------------------------------------------------


@pytest.mark.parametrize("dry_run", [True, False])
def test_the_filters_of_a_workspace_share_a_minute(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    mid_minute: VirtualClock,
    reads: list[int],
    dry_run: bool,
) -> None:
    ids = world.create(15)
    plan_of(monkeypatch, filter_reads_per_minute=2 * OPENING_READS + 25)
    body = {"filter": NOTHING_MATCHES, "dryRun": dry_run}
    assert ask(world, body)[0] == 200

    status, result, headers = ask(world, {"filter": {"maxClicks": 0}, "dryRun": dry_run})

    assert status == 429
    assert result["error"]["en"] == "Limit reached"
    assert result["limit"] == 2 * OPENING_READS + 25
    assert result["retryAfter"] == 47
    assert headers["Retry-After"] == "47"
    # The window of requests is another one.
    assert headers["X-RateLimit-Remaining"] == "9998"
    assert sum(reads) == 25
    # Refused before the index is read.
    before = list(reads)
    assert ask(world, body)[0] == 429
    assert reads == before
    assert all(world.live(link_id) for link_id in ids)
    # Another workspace is not affected.
    assert ask(world, body, workspace_id="another")[0] == 200
    mid_minute.pass_by(MINUTE_END - MID_MINUTE)
    assert ask(world, body)[0] == 200


def test_parallel_requests_never_read_more_than_the_minute_has(
    world: World, mid_minute: VirtualClock
) -> None:
    plan = replace(plans()["free"], filter_reads_per_minute=OPENING_READS + 995)

    def caller() -> int:
        budget = RequestBudget(world.workspace_id, plan, access=world.access)
        taken = 0
        try:
            while budget.take(100):
                taken += 100
        except LimitReached:
            return taken
        return taken

    assert sum(at_once([caller] * 8)) == 1_000


# -- waiting at a time ------------------------------------------------------------------------


def in_background(world: World, *, open_filters: int, key: str | None = None) -> Any:
    return delete_links.delete_by_filter(
        FilterRequest({"maxClicks": 0}, 100, 6_000),
        "soft",
        deletion_request=world.deletion_request(key=IdempotencyKey(key, "hash") if key else None),
        stores=world.stores,
        budget=NoReads(),
        open_filters=open_filters,
    )


@pytest.mark.parametrize("key", [None, "k"])
def test_the_plan_limits_the_deletions_that_wait_for_their_links(
    world: World, key: str | None
) -> None:
    world.create(1)
    keys = [f"{key}-{n}" if key else None for n in range(3)]
    first = in_background(world, open_filters=2, key=keys[0])
    in_background(world, open_filters=2, key=keys[1])
    with pytest.raises(LimitReached) as refused:
        in_background(world, open_filters=2, key=keys[2])
    assert refused.value.members == {"limit": 2, "retryAfter": 60}
    assert len(world.queue.messages) == 2

    world.resume(first.id)
    in_background(world, open_filters=2, key=keys[2])


def test_parallel_requests_never_claim_more_slots_than_there_are(world: World) -> None:
    world.create(1)
    results = at_once([partial(in_background, world, open_filters=2)] * 6)
    refused = [each for each in results if isinstance(each, Exception)]
    assert [type(each) for each in refused] == [LimitReached] * 4
    assert len(world.queue.messages) == 2


def test_a_failed_resolution_frees_its_slot(world: World) -> None:
    world.create(101)
    waiting = in_background(world, open_filters=1)
    done = world.resume(waiting.id)
    assert done.state == "failed"
    assert done.failure == "More than 100 links match; narrow the filter"
    assert world.stores.slots.free(world.workspace_id, 1) == [0]


@pytest.mark.parametrize("links", [1, 101], ids=["resolved", "failed"])
def test_the_next_worker_releases_the_slot_of_a_killed_one(
    world: World, monkeypatch: pytest.MonkeyPatch, running_clock: RunningClock, links: int
) -> None:
    world.create(links)
    waiting = in_background(world, open_filters=1)

    with monkeypatch.context() as killed:
        killed.setattr(FilterSlots, "release_slot", die)
        with pytest.raises(Killed):
            world.resume(waiting.id)
    assert world.stores.slots.free(world.workspace_id, 1) == []

    running_clock.pass_by(120)
    assert world.resume(waiting.id).state == ("complete" if links == 1 else "failed")
    assert world.stores.slots.free(world.workspace_id, 1) == [0]


def test_a_slot_whose_deletion_is_never_resolved_ends_by_its_time(
    world: World, virtual_clock: VirtualClock
) -> None:
    world.create(1)
    in_background(world, open_filters=1)
    virtual_clock.pass_by(SLOT_SECONDS - 1)
    assert world.stores.slots.free(world.workspace_id, 1) == []
    virtual_clock.pass_by(1)
    assert world.stores.slots.free(world.workspace_id, 1) == [0]
    in_background(world, open_filters=1)


# -- the background's pace --------------------------------------------------------------------


def test_the_background_reads_at_the_plans_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now, slept = [100.0], [0.0]

    def sleep(seconds: float) -> None:
        slept[0] += seconds
        now[0] += seconds

    monkeypatch.setattr(f"{PACE}.time.monotonic", lambda: now[0])
    monkeypatch.setattr(f"{PACE}.time.sleep", sleep)
    budget = PacedBudget(60_000)

    read = 0
    with deadline(240):
        while budget.take(1_600):
            read += 1_600
    # A thousand a second, and the first read at once: 151 reads in 240 seconds.
    assert read == 151 * 1_600
    assert slept[0] == pytest.approx(240.0)


def test_slow_reads_need_no_pause(virtual_clock: VirtualClock) -> None:
    budget = PacedBudget(60_000)
    with deadline(10_000):
        for _ in range(10):
            assert budget.take(1_600)
            virtual_clock.pass_by(2)
    assert virtual_clock.passed == 20


# -- the table --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(plans()))
def test_the_numbers_of_a_plan_fit_each_other(name: str) -> None:
    plan = plans()[name]
    assert plan.links_per_create <= plan.links_per_workspace
    # One read fits a minute, and what a request may read fits one too.
    assert plan.filter_reads_per_minute >= AT_ONCE + OPENING_READS
    assert plan.filter_reads_per_request + OPENING_READS <= plan.filter_reads_per_minute
    assert plan.max_ids <= MAX_IDS
    assert plan.open_filters >= 1


def test_the_free_plan_can_read_its_whole_workspace_in_one_request() -> None:
    plan = plans()["free"]
    assert plan.filter_reads_per_request >= plan.links_per_workspace
    # Too few strong reads a second to slow the table down for others.
    assert plan.filter_reads_per_minute / 60 <= 250
