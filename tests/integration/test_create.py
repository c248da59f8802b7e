"""Creating many links: all or none under any failure, in the order of lists."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.api.json_body import parse_json
from functions.aws.client import client
from functions.domain.clock import deadline
from functions.domain.deletion import Deletion
from functions.domain.errors import ShortCodeTaken, StillRunning, Unavailable
from functions.domain.idempotency import IdempotencyKey
from functions.domain.ids import code_from
from functions.domain.link import Link
from functions.domain.outcomes import Outcome
from functions.handlers import links as links_function
from functions.repositories.create_runs import LEASE_SECONDS, CreateRuns
from functions.repositories.link_names import LinkNames
from functions.repositories.links import LinksTable
from functions.schemas.links import NewLink
from functions.services import create_links as links_procedure
from functions.services import link_runs
from functions.services.create_links import plan_links
from functions.services.create_once import create_once
from functions.services.link_runs import LINKS_A_TRANSACTION, KeyedRun
from tests.conftest import World, forget_caches, make_world
from tests.support.faults import RETRYABLE, FaultyClient, Killed, faults_of_call, kill_from
from tests.support.virtual_time import RunningClock, VirtualClock

NEW = NewLink(originalUrl="https://example.com/page")

KEY = IdempotencyKey("k", "hash")

#: Enough for three transactions.
MANY = 2 * LINKS_A_TRANSACTION + 1


def create(
    world: World,
    new: list[NewLink],
    run: KeyedRun | None = None,
    *,
    seconds: float = 20,
) -> list[Link]:
    with deadline(seconds):
        return world.create_new(new, run=run)


@pytest.fixture
def faulty(deployed: dict[str, str]) -> FaultyClient:
    return FaultyClient(client("dynamodb"))


@pytest.fixture
def world(deployed: dict[str, str], faulty: FaultyClient) -> World:
    return make_world(deployed, faulty)


def a_taken_code(world: World, monkeypatch: pytest.MonkeyPatch) -> NewLink:
    """A link whose code was free when it was looked at, and is not when it is created."""
    code = f"t-{uuid.uuid4().hex[:10]}"
    world.create_items(1, "ws-somebody-else", shortCode=code)
    monkeypatch.setattr(LinkNames, "code_claims", lambda *_, **__: {})
    return NewLink(originalUrl=NEW.originalUrl, shortCode=code)


def test_later_links_of_an_array_are_newer_in_lists(world: World) -> None:
    first = [link.id for link in world.create_items(40)]
    status, made = world.call(
        links_function, "POST /api/links", body=[{"originalUrl": NEW.originalUrl}] * 40, key="k"
    )
    assert status == 201
    assert len({link["createdAt"] for link in made}) == 1
    second = [link["id"] for link in made]

    assert world.live_ids() == second[::-1] + first[::-1]


def test_the_body_of_a_create_and_of_its_repeat_is_parsed_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse = Mock(wraps=parse_json)
    monkeypatch.setattr("functions.api.request.parse_json", parse)
    body = [{"originalUrl": NEW.originalUrl}] * 3
    for requests in (1, 2):
        assert world.call(links_function, "POST /api/links", body=body, key="k")[0] == 201
        assert parse.call_count == requests


def test_a_code_taken_in_a_race_rolls_back_the_request_in_few_calls(
    world: World, faulty: FaultyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = a_taken_code(world, monkeypatch)
    faulty.calls.clear()

    with pytest.raises(ShortCodeTaken) as refused:
        create(world, [NEW] * (MANY - 1) + [taken])

    assert refused.value.members == {"takenCodes": [taken.shortCode]}
    assert _ids(world) == []
    # Three transactions were tried; two were applied and rolled back after one read.
    assert sorted(faulty.calls[:6]) == ["batch_get_item"] + ["transact_write_items"] * 5


def test_unconfirmed_links_are_rolled_back_too(
    world: World, faulty: FaultyClient, virtual_clock: VirtualClock
) -> None:
    def lose(name: str, call: Callable[[], Any], parameters: dict[str, Any]) -> Any:
        response = call()
        puts = [action for action in parameters.get("TransactItems", ()) if "Put" in action]
        if puts:
            raise ReadTimeoutError(endpoint_url="http://emulator")
        return response

    faulty.fault, faulty.every = lose, True
    with pytest.raises(Unavailable):
        create(world, [NEW] * MANY, seconds=1)

    assert _ids(world) == []


def erase(item: dict[str, Any]) -> None:
    client("dynamodb").delete_item(TableName=item["TableName"], Key=item["Key"])


def register_an_image(item: dict[str, Any]) -> None:
    client("dynamodb").update_item(
        TableName=item["TableName"],
        Key=item["Key"],
        UpdateExpression="ADD qrKeys :key",
        ExpressionAttributeValues={":key": {"SS": ["qr/an-image"]}},
    )


@pytest.mark.parametrize("change", [erase, register_an_image])
def test_a_change_of_a_link_does_not_stop_the_rollback(
    world: World,
    faulty: FaultyClient,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[dict[str, Any]], None],
) -> None:
    taken = a_taken_code(world, monkeypatch)
    changed: list[dict[str, Any]] = []

    def change_one_first(_name: str, call: Callable[[], Any], parameters: dict[str, Any]) -> Any:
        deletes = [a["Delete"] for a in parameters.get("TransactItems", ()) if "Delete" in a]
        if deletes and not changed:
            changed.append(deletes[0])
            change(deletes[0])
        return call()

    faulty.fault, faulty.every = change_one_first, True
    with pytest.raises(ShortCodeTaken):
        create(world, [NEW] * (MANY - 1) + [taken])

    assert len(changed) == 1
    assert _ids(world) == []


def test_the_rollback_leaves_links_to_the_delete_that_has_them(
    world: World, faulty: FaultyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = a_taken_code(world, monkeypatch)
    deletions: list[Deletion] = []

    def soft_delete_one_first(
        name: str, call: Callable[[], Any], parameters: dict[str, Any]
    ) -> Any:
        if name == "batch_get_item" and not deletions:
            faulty.fault = None
            deletions.append(world.soft_delete(_ids(world)[:1]))
        return call()

    faulty.fault, faulty.every = soft_delete_one_first, True
    with pytest.raises(ShortCodeTaken):
        create(world, [NEW] * (MANY - 1) + [taken])

    [deletion] = deletions
    [deleted] = deletion.ids_with(Outcome.DELETED)
    assert world.live_ids() == []
    assert _ids(world) == [deleted]


# -- with an Idempotency-Key ----------------------------------------------------------------


def create_by_key(world: World, new: list[NewLink], key: IdempotencyKey = KEY) -> list[str]:
    return [link.id for link in items_by_key(world, new, key)]


def items_by_key(world: World, new: list[NewLink], key: IdempotencyKey = KEY) -> list[Link]:
    return create_once(
        partial(create, world, new),
        partial(plan_links, new, workspace_id=world.workspace_id),
        len(new),
        user_id="tester",
        runs=CreateRuns(world.dynamodb, world.stores.deletions.name, world.workspace_id, key),
        links=world.stores.links,
    )


def three_transactions() -> list[NewLink]:
    code = f"t-{uuid.uuid4().hex[:10]}"
    named = NewLink(originalUrl=NEW.originalUrl, shortCode=code, externalId=code)
    return [named] + [NEW] * (MANY - 1)


def create_and_die(
    world: World, faulty: FaultyClient, new: list[NewLink], at: int, *, after: bool
) -> None:
    """A create whose function is killed before or after this call."""
    kill_from(faulty, at, after=after)
    with suppress(Killed):
        create_by_key(world, new)
    faulty.fault = None


#: Claim, a look at the code, one at the external id, three transactions, note.
CALLS = 7


@pytest.mark.parametrize("dies", ["before", "after"])
@pytest.mark.parametrize("at", range(CALLS))
def test_a_create_killed_at_any_call_is_completed_once_by_a_retry(
    world: World, faulty: FaultyClient, at: int, dies: str, running_clock: RunningClock
) -> None:
    new = three_transactions()
    create_and_die(world, faulty, new, at, after=dies == "after")
    left = _ids(world)
    running_clock.pass_by(LEASE_SECONDS + 1)

    made = create_by_key(world, new)

    assert sorted(_ids(world)) == sorted(made) == sorted(world.live_ids())
    assert len(made) == MANY
    if len(left) == MANY:
        # All links were created, so the response has these links.
        assert sorted(left) == sorted(made)
    assert create_by_key(world, new) == made


@pytest.mark.parametrize("at", range(CALLS))
def test_each_call_may_fail_once_in_each_retryable_way(
    world: World, faulty: FaultyClient, at: int
) -> None:
    for kind, fault in faults_of_call(at).items():
        if kind not in RETRYABLE:
            continue
        faulty.calls.clear()
        faulty.fault, faulty.at = fault, at
        key = IdempotencyKey(kind, "hash")
        new = three_transactions()

        made = create_by_key(world, new, key)

        faulty.at = -1
        assert create_by_key(world, new, key) == made, kind
        assert world.live_ids()[:MANY] == made[::-1], kind
    assert len(_ids(world)) == MANY * len(set(faults_of_call(at)) & set(RETRYABLE))


def test_a_killed_retry_is_followed_by_another(
    world: World, faulty: FaultyClient, running_clock: RunningClock
) -> None:
    new = three_transactions()
    for at in (4, 5, 6):
        create_and_die(world, faulty, new, at, after=True)
        running_clock.pass_by(LEASE_SECONDS + 1)

    made = create_by_key(world, new)

    assert sorted(_ids(world)) == sorted(made)
    assert len(made) == MANY


def test_links_of_a_killed_run_that_were_deleted_are_not_created_again(
    world: World, faulty: FaultyClient, running_clock: RunningClock
) -> None:
    new = three_transactions()
    create_and_die(world, faulty, new, 6, after=False)
    first, second, *kept = world.live_ids()
    world.erase([first])
    world.soft_delete([second])
    running_clock.pass_by(LEASE_SECONDS + 1)

    for _ in range(2):
        assert create_by_key(world, new) == [*kept[::-1], second, first]

    assert world.live_ids() == kept


def test_a_link_of_a_killed_run_that_was_erased_is_not_created_again(
    world: World, faulty: FaultyClient, running_clock: RunningClock
) -> None:
    create_and_die(world, faulty, [NEW], 2, after=False)
    [made] = world.live_ids()
    world.erase([made])
    running_clock.pass_by(LEASE_SECONDS + 1)

    assert create_by_key(world, [NEW]) == [made]
    assert create_by_key(world, [NEW]) == [made]

    assert _ids(world) == []


def test_a_half_created_array_is_completed(
    world: World, faulty: FaultyClient, running_clock: RunningClock
) -> None:
    new = three_transactions()
    create_and_die(world, faulty, new, 4, after=True)
    left = _ids(world)
    assert 0 < len(left) < MANY
    # One of them was deleted in the meantime: it stays deleted.
    [found] = world.live_ids()[:1]
    world.soft_delete([found])
    running_clock.pass_by(LEASE_SECONDS + 1)

    made = create_by_key(world, new)

    assert len(made) == MANY
    assert set(made).isdisjoint(left)
    assert world.live_ids() == made[::-1]
    assert sorted(_ids(world)) == sorted([*made, found])


def test_a_superseded_run_creates_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, running_clock: RunningClock
) -> None:
    new = three_transactions()
    real, successor = LinksTable.create, list[str]()
    lock = threading.Lock()

    def slowly(self: LinksTable, group: Any, **more: Any) -> list[str]:
        with lock:
            if not successor:
                successor.append("begun")
                running_clock.pass_by(LEASE_SECONDS + 1)
                # In another thread, because calls in parallel are not to be nested.
                with ThreadPoolExecutor(1) as other:
                    successor[:] = other.submit(create_by_key, make_world_of(world), new).result()
        return real(self, group, **more)

    def make_world_of(world: World) -> World:
        monkeypatch.setattr(LinksTable, "create", real)
        return world

    monkeypatch.setattr(links_procedure, "in_parallel", lambda work, parts: list(map(work, parts)))
    monkeypatch.setattr(link_runs, "in_parallel", lambda work, parts: list(map(work, parts)))
    monkeypatch.setattr(LinksTable, "create", slowly)
    with pytest.raises(StillRunning):
        create_by_key(world, new)

    assert len(successor) == MANY
    assert sorted(_ids(world)) == sorted(successor)
    assert create_by_key(world, new) == successor


@pytest.mark.parametrize("dies", [False, True])
def test_a_retried_short_code_is_repeated_in_the_response(
    world: World,
    faulty: FaultyClient,
    monkeypatch: pytest.MonkeyPatch,
    dies: bool,
    running_clock: RunningClock,
) -> None:
    taken = world.create_items(1, "ws-somebody-else")[0].short_code
    first: list[bytes] = []

    def code(digest: bytes) -> str:
        first.append(digest)
        return taken if digest == first[0] else code_from(digest)

    monkeypatch.setattr(link_runs, "code_from", code)

    def codes() -> list[str]:
        return [link.short_code for link in items_by_key(world, [NEW] * 3)]

    if dies:
        # Claim, create, record the new code, create; without recording the response.
        kill_from(faulty, 4, after=False)
        with suppress(Killed):
            codes()
        faulty.fault = None
        running_clock.pass_by(LEASE_SECONDS + 1)
        made = {
            item["id"]["S"]: item["shortCode"]["S"] for item in world.own(world.stores.links.name)
        }
        expected = [made[each] for each in sorted(made)]
    else:
        expected = codes()
    assert len(set(expected)) == 3
    assert taken not in expected
    world.erase(world.live_ids())

    assert codes() == expected
    assert codes() == expected


def test_repeated_refused_requests_leave_no_items(world: World, faulty: FaultyClient) -> None:
    taken = world.create_items(1, "ws-somebody-else")[0].short_code
    for _ in range(4):
        faulty.calls.clear()
        with pytest.raises(ShortCodeTaken):
            create_by_key(world, [NewLink(originalUrl=NEW.originalUrl, shortCode=taken)])

    # The key is claimed; one look at the code; the key is free again.
    assert len(faulty.calls) == 3


def _ids(world: World) -> list[str]:
    """Every link of the workspace, live or not."""
    return [item["id"]["S"] for item in world.own(world.stores.links.name)]


def test_a_refused_destination_of_an_array_is_named_by_position(world: World) -> None:
    long = "https://example.com/" + "a" * 2020
    new = [
        {"originalUrl": NEW.originalUrl},
        {"originalUrl": "http://short.test/x", "iosUrl": "http://SHORT.test./y"},
        {"originalUrl": long, "utmParameters": {"source": "newsletter"}},
    ]
    status, error = world.call(links_function, "POST /api/links", body=new)

    assert (status, error["details"]) == (
        400,
        [
            "1.originalUrl: a link must not lead to this service itself",
            "1.iosUrl: a link must not lead to this service itself",
            "2.originalUrl: at most 2,048 characters when percent-encoded with utmParameters",
        ],
    )
    assert _ids(world) == []
    status, error = world.call(links_function, "POST /api/links", body=[new[1]] * 30)
    assert (status, len(error["details"])) == (400, 20)


def test_the_location_of_a_new_link_is_at_the_api_and_not_at_the_cdn(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CloudFront passes redirects only, without Authorization."""
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://go.example.com")
    monkeypatch.setenv("API_BASE_URL", "https://api.example.com")
    forget_caches()

    reply = world.send(links_function, "POST /api/links", body={"originalUrl": "https://e.com"})

    link = reply.json()
    assert link["shortUrl"] == f"https://go.example.com/{link['shortCode']}"
    assert reply.headers["Location"] == f"https://api.example.com/api/links/{link['id']}"
