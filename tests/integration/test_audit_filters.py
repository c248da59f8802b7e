"""Filters of ``GET /api/deletions``: each narrows, none reads without bound."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest

from functions.domain.clock import iso
from functions.domain.deletion_filter import DeletionFilter
from functions.domain.ids import new_time_ordered_id, time_of
from functions.handlers import deletions
from functions.services import audit_trail
from tests.conftest import World
from tests.support.deletions import ask, send


def listed(world: World, **query: str) -> tuple[list[str], str | None]:
    status, body, _ = send(world, "GET /api/deletions", query=query)
    assert status == 200, body
    return [each["id"] for each in body["deletions"]], body["nextCursor"]


def every(world: World, **query: str) -> list[str]:
    pages = world.pages(deletions, "GET /api/deletions", query)
    return [each["id"] for body in pages for each in body["deletions"]]


def delete_as(world: World, key_id: str, user_id: str, mode: str = "soft") -> str:
    body = {"ids": world.create(1), "mode": mode}
    caller = {"keyId": key_id, "userId": user_id}
    status, made = world.call(deletions, "POST /api/deletions", body=body, caller=caller)
    assert status == 200
    return str(made["id"])


def test_each_filter_finds_its_deletions(world: World) -> None:
    soft = delete_as(world, "key-1", "ann")
    erased = delete_as(world, "key-2", "bob", mode="erase")
    other = delete_as(world, "key-2", "ann")

    assert every(world) == [other, erased, soft]
    assert every(world, mode="soft") == [other, soft]
    assert every(world, mode="erase") == [erased]
    assert every(world, state="complete") == [other, soft]
    assert every(world, state="erasing") == [erased]
    assert every(world, actor="key-2") == [other, erased]
    assert every(world, actor="ann") == [other, soft]
    assert every(world, actor="ann", mode="soft", state="complete") == [other, soft]
    assert every(world, actor="an") == []
    assert every(world, state="failed") == []


def test_times_are_exclusive_to_the_millisecond(world: World) -> None:
    ids = []
    for _ in range(3):
        ids.append(delete_as(world, "key-1", "ann"))
        time.sleep(0.002)
    moments = [iso(time_of(each)) for each in ids]

    assert every(world, createdAfter=moments[0]) == [ids[2], ids[1]]
    assert every(world, createdBefore=moments[2]) == [ids[1], ids[0]]
    assert every(world, createdAfter=moments[0], createdBefore=moments[2]) == [ids[1]]
    assert every(world, createdAfter=moments[2], createdBefore=moments[0]) == []
    assert every(world, createdAfter=moments[1], createdBefore=moments[1]) == []
    assert every(world, createdAfter=moments[0], mode="soft", limit="1") == [ids[2], ids[1]]


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"])
def test_the_first_and_last_moments_are_ranges_too(moment: str) -> None:
    low, high = DeletionFilter(created_after=moment, created_before=moment).id_range()
    assert len(low) == len(high) == 13
    assert low < str(uuid.UUID(int=(1 << 128) - 1))


def test_pages_end_early_and_continue(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [delete_as(world, "key-1", "ann")]
    for _ in range(7):
        delete_as(world, "key-2", "bob")
    wanted.insert(0, delete_as(world, "key-1", "ann"))
    monkeypatch.setattr(audit_trail, "READ_BATCH", 2)
    monkeypatch.setattr(audit_trail, "MAX_READS", 4)

    found, cursor = listed(world, actor="ann")
    assert found == wanted[:1]
    assert cursor is not None
    assert every(world, actor="ann") == wanted
    assert every(world, actor="ann", limit="1") == wanted


def test_a_filter_is_charged_what_it_tries_and_times_are_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete_as(world, "key-1", "ann")
    charged: list[int] = []

    def charge(_self: Any, _workspace_id: str, reads: int, **_more: Any) -> int | None:
        charged.append(reads)
        return None if sum(charged) <= 100 else 17

    monkeypatch.setattr(type(world.access), "charge_reads", charge)
    every(world, createdAfter="2020-01-01T00:00:00Z")
    assert charged == []
    every(world, state="complete")
    assert charged == [100]
    status, body, headers = send(world, "GET /api/deletions", query={"state": "complete"})
    assert status == 429
    assert body["retryAfter"] == 17
    assert headers["Retry-After"] == "17"


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ({"state": "done"}, "state: "),
        ({"mode": "hard"}, "mode: "),
        ({"actor": ""}, "actor: "),
        (
            {"createdAfter": "yesterday"},
            "createdAfter: must be a date and a time as text, as in 2026-",
        ),
        ({"createdAfter": "2026-01-01"}, "createdAfter: must be a date and a time as text"),
        ({"createdBefore": "2026-01-01T00:00:00"}, "createdBefore: "),
    ],
)
def test_what_no_filter_can_be_is_refused(world: World, query: dict[str, str], fault: str) -> None:
    status, body, _ = send(world, "GET /api/deletions", query=query)
    assert status == 400
    assert body["details"][0].startswith(fault)


def test_a_cursor_belongs_to_its_filter_and_workspace(world: World) -> None:
    for _ in range(2):
        ask(world, {"ids": world.create(1)})
    _, cursor = listed(world, mode="soft", limit="1")
    assert cursor is not None
    for query in ({"mode": "erase"}, {}):
        status, body, _ = send(
            world, "GET /api/deletions", query={**query, "cursor": cursor, "limit": "1"}
        )
        assert status == 400
        assert body["details"] == ["The cursor belongs to another filter"]
    foreign = {"mode": "soft", "cursor": cursor}
    status, body, _ = send(
        world, "GET /api/deletions", query=foreign, workspace_id=f"ws-{uuid.uuid4().hex[:8]}"
    )
    assert (status, body["details"]) == (400, ["Invalid cursor"])


def test_an_id_of_today_is_no_match_of_the_past() -> None:
    later = new_time_ordered_id()
    low, high = DeletionFilter(created_before="2020-01-01T00:00:00.000Z").id_range()
    assert not low <= later <= high
