"""The reads of a filtered list count in the minute of its workspace."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from unittest.mock import create_autospec

import pytest

from functions.api import caller
from functions.domain.plans import Plan, plans
from functions.handlers import links
from functions.repositories.access import AccessTable
from functions.services import list_links as procedure
from tests.conftest import World
from tests.support.virtual_time import MID_MINUTE, MINUTE_END, VirtualClock


@pytest.fixture(autouse=True)
def _short_reads(mid_minute: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procedure, "READ_BATCH", 5)


def get(world: World, monkeypatch: pytest.MonkeyPatch, per_minute: int, **query: str) -> Any:
    plan = Plan(**(asdict(plans()["free"]) | {"filter_reads_per_minute": per_minute}))
    monkeypatch.setattr(caller, "plans", lambda: {"free": plan})
    return world.call(links, "GET /api/links", query=query, plan="free")


def charged(world: World) -> int:
    item = world.dynamodb.get_item(
        TableName=world.access.name,
        Key={
            "pk": {"S": f"RATE#reads#{world.workspace_id}#{int(MID_MINUTE) // 60}"},
            "sk": {"S": "RATE"},
        },
        ConsistentRead=True,
    ).get("Item")
    return int(item["requests"]["N"]) if item else 0


def test_a_filtered_page_is_charged_what_it_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.create(32)
    status, body = get(world, monkeypatch, 1_000, title="none has it")
    assert (status, body) == (200, {"links": [], "nextCursor": None})
    assert charged(world) == 32
    # The first read fills the page.
    status, body = get(world, monkeypatch, 1_000, maxClicks="0", limit="3")
    assert (status, len(body["links"])) == (200, 3)
    assert charged(world) == 37


def test_a_page_updates_its_budget_few_times(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.create(80)
    charge = create_autospec(AccessTable.charge_reads, side_effect=AccessTable.charge_reads)
    monkeypatch.setattr(AccessTable, "charge_reads", charge)
    get(world, monkeypatch, 1_000, title="none has it")
    assert [call.args[2] for call in charge.call_args_list] == [5, 5, 10, 20, 40]


def test_a_page_without_a_filter_is_not_charged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.create(3)
    status, body = get(world, monkeypatch, 0)
    assert (status, len(body["links"])) == (200, 3)
    assert charged(world) == 0


def test_a_page_is_short_when_the_minute_is_used_up(
    world: World, monkeypatch: pytest.MonkeyPatch, mid_minute: VirtualClock
) -> None:
    ids = world.create(20)
    status, first = get(world, monkeypatch, 12, maxClicks="0")
    assert status == 200
    assert len(first["links"]) == 10
    assert first["nextCursor"] is not None

    status, refused = get(world, monkeypatch, 12, maxClicks="0", cursor=first["nextCursor"])
    assert (status, refused["statusCode"], refused["error"]) == (429, 429, "Too Many Requests")
    assert (refused["limit"], refused["retryAfter"]) == (12, 47)

    mid_minute.pass_by(MINUTE_END - MID_MINUTE)
    status, rest = get(world, monkeypatch, 12, maxClicks="0", cursor=first["nextCursor"])
    assert status == 200
    seen = {link["id"] for link in first["links"] + rest["links"]}
    assert seen == set(ids)
