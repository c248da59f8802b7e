"""Creating many links: all or none, whatever fails on the way, and in an order that lists keep."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from functions import links as links_function
from functions.unlink.clock import Deadline
from functions.unlink.errors import ShortCodeTaken, Unavailable
from functions.unlink.model import NewLink
from functions.unlink.procedures.links import LINKS_A_TRANSACTION, create_links
from functions.unlink.stores.client import client
from functions.unlink.stores.links import LinksTable
from tests.conftest import World, make_world
from tests.events import api_event, call
from tests.functions.faults import FaultyClient

pytestmark = pytest.mark.engine

NEW = NewLink(originalUrl="https://example.com/page")

#: Enough for three transactions.
MANY = 2 * LINKS_A_TRANSACTION + 1


def create(world: World, new: list[NewLink], seconds: float = 20) -> list[dict[str, Any]]:
    return create_links(
        new,
        workspace_id=world.workspace_id,
        user_id="tester",
        ours=(),
        links=world.stores.links,
        deadline=Deadline(seconds),
    )


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
    monkeypatch.setattr(LinksTable, "taken_codes", lambda *_, **__: set())
    return NewLink(originalUrl=NEW.originalUrl, shortCode=code)


def test_the_later_in_an_array_the_newer_in_lists(world: World) -> None:
    first = [link["id"] for link in world.create_items(40)]
    event = api_event(
        "POST",
        "/api/links",
        workspace_id=world.workspace_id,
        body=[{"originalUrl": NEW.originalUrl}] * 40,
        headers={"Idempotency-Key": "k"},
    )
    status, made = call(links_function.handler, event)
    assert status == 201
    assert len({link["createdAt"] for link in made}) == 1
    second = [link["id"] for link in made]

    assert world.live_ids() == second[::-1] + first[::-1]


def test_a_code_lost_in_a_race_takes_everything_back_in_few_calls(
    world: World, faulty: FaultyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = a_taken_code(world, monkeypatch)
    faulty.calls.clear()

    with pytest.raises(ShortCodeTaken) as refused:
        create(world, [NEW] * (MANY - 1) + [taken])

    assert refused.value.members == {"takenCodes": [taken.shortCode]}
    assert _ids(world) == []
    # Three transactions were tried, two were applied and undone; one read found which.
    assert sorted(faulty.calls[:6]) == ["batch_get_item"] + ["transact_write_items"] * 5


def test_links_whose_creation_was_never_confirmed_are_taken_back_too(
    world: World, faulty: FaultyClient
) -> None:
    def lose(name: str, call: Callable[[], Any], parameters: dict[str, Any]) -> Any:
        answer = call()
        puts = [action for action in parameters.get("TransactItems", ()) if "Put" in action]
        if puts:
            raise ReadTimeoutError(endpoint_url="http://engine")
        return answer

    faulty.fault, faulty.every = lose, True
    with pytest.raises(Unavailable):
        create(world, [NEW] * MANY, seconds=1)

    assert _ids(world) == []


def test_a_link_that_somebody_erased_first_keeps_no_other_from_being_taken_back(
    world: World, faulty: FaultyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = a_taken_code(world, monkeypatch)
    erased: list[str] = []

    def erase_one_first(name: str, call: Callable[[], Any], parameters: dict[str, Any]) -> Any:
        deletes = [a["Delete"] for a in parameters.get("TransactItems", ()) if "Delete" in a]
        if deletes and not erased:
            erased.append(deletes[0]["Key"]["pk"]["S"])
            real = client("dynamodb")
            real.delete_item(TableName=deletes[0]["TableName"], Key=deletes[0]["Key"])
        return call()

    faulty.fault, faulty.every = erase_one_first, True
    with pytest.raises(ShortCodeTaken):
        create(world, [NEW] * (MANY - 1) + [taken])

    assert len(erased) == 1
    assert _ids(world) == []


def _ids(world: World) -> list[str]:
    """Every link of the workspace, live or not."""
    items = client("dynamodb").scan(TableName=world.stores.links.name, ConsistentRead=True)["Items"]
    prefix = f"{world.workspace_id}#"
    return [item["id"]["S"] for item in items if item["pk"]["S"].startswith(prefix)]
