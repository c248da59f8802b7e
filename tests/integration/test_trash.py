"""``GET /api/trash``: exactly what can be restored, page after page, within a budget of reads."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from functions.aws import client as aws
from functions.domain.clock import iso
from functions.domain.deletion_filter import DeletionFilter
from functions.domain.ids import time_of
from functions.domain.outcomes import Outcome, pack_outcomes
from functions.handlers import account
from functions.repositories import deletion_items
from functions.repositories.deletions import DeletionsTable
from functions.repositories.links import LinksTable
from functions.repositories.trash_records import TrashRecords
from functions.services import trash as trash_service
from functions.services.trash import Position, TrashedLink, list_trash
from tests.conftest import World
from tests.support.capacity import Meter
from tests.support.restores import bring_back, end_retention

SOFT = DeletionFilter(mode="soft")

Page = tuple[list[dict[str, Any]], str | None]


def page(world: World, **query: str) -> Page:
    status, body = world.call(account, "GET /api/trash", query=query)
    assert status == 200, body
    return body["links"], body["nextCursor"]


def every(world: World, between: Callable[[], None] = lambda: None, **query: str) -> list[Any]:
    found = []
    for body in world.pages(account, "GET /api/trash", query):
        found += body["links"]
        between()
    return found


def ids_of(found: list[dict[str, Any]]) -> list[str]:
    return [each["id"] for each in found]


def metered(
    world: World, position: Position | None = None, limit: int = 50
) -> tuple[list[TrashedLink], Position | None, Meter]:
    meter = Meter(world.dynamodb)
    found, following = list_trash(
        workspace_id=world.workspace_id,
        limit=limit,
        position=position,
        deletion_filter=SOFT,
        records=TrashRecords(meter, world.stores.deletions.name),
        links=LinksTable(meter, world.stores.links.name),
    )
    return found, following, meter


def test_a_link_in_the_trash_has_actor_time_reason_and_retention(world: World) -> None:
    [kept, limited] = world.create_items(2, title="Gone", tags=["a"])
    first = world.soft_delete([kept.id], reason="the tour is over")
    second = world.soft_delete([limited.id], retention_days=30)

    found, cursor = page(world)

    assert cursor is None
    assert ids_of(found) == [limited.id, kept.id]
    assert found[1] == {
        "id": kept.id,
        "workspaceId": world.workspace_id,
        "userId": "tester",
        "shortCode": kept.short_code,
        "shortUrl": f"http://short.test/{kept.short_code}",
        "originalUrl": "https://example.com/page",
        "title": "Gone",
        "description": None,
        "tags": ["a"],
        "iosUrl": None,
        "androidUrl": None,
        "webFallbackUrl": None,
        "utmParameters": None,
        "externalId": None,
        "expiresAt": None,
        "forwardQuery": True,
        "isActive": True,
        "clickCount": 0,
        "createdAt": kept.created_at,
        "updatedAt": kept.created_at,
        "deletedAt": first.created_at,
        "deletionId": first.id,
        "deletedBy": {"keyId": "test", "userId": "tester"},
        "reason": "the tour is over",
        "restorableUntil": None,
    }
    end = int(time_of(second.id)) + 30 * 86_400
    assert found[0]["restorableUntil"][:16] == iso(end)[:16]


def test_only_what_can_be_restored_is_there(world: World) -> None:
    live, gone, back, erased, expired = world.create(5)
    deletion = world.soft_delete([gone, back, erased, expired])
    bring_back(world, deletion.id, [back])
    world.erase([erased])
    end_retention(world, expired)
    world.erase(world.create(1))

    assert ids_of(every(world)) == [gone]
    assert bring_back(world, deletion.id).restored_ids == [gone, back]
    assert every(world) == []
    assert world.live(live)


def test_a_link_that_was_deleted_again_is_listed_only_under_its_last_deletion(world: World) -> None:
    first, second = world.create(2)
    old = world.soft_delete([first, second])
    bring_back(world, old.id, [first])
    new = world.soft_delete([first])

    found = every(world, limit="1")

    assert [(each["id"], each["deletionId"]) for each in found] == [
        (first, new.id),
        (second, old.id),
    ]
    bring_back(world, new.id)
    assert ids_of(every(world)) == [second]


def test_a_link_in_two_records_is_listed_once(world: World) -> None:
    [link] = world.create(1)
    world.soft_delete([link])
    # As after a restore whose worker was killed before it marked the links in the deletion.
    bring_back_by_hand(world, link)
    latest = world.soft_delete([link])

    found = every(world)

    assert [(each["id"], each["deletionId"]) for each in found] == [(link, latest.id)]


def test_filters_narrow_by_time_and_actor(world: World) -> None:
    one, two = world.create(2)
    first = world.soft_delete([one])
    time.sleep(0.002)
    second = world.soft_delete([two])

    assert ids_of(every(world, deletedAfter=first.created_at)) == [two]
    assert ids_of(every(world, deletedBefore=second.created_at)) == [one]
    assert ids_of(every(world, actor="tester")) == [two, one]
    assert every(world, actor="someone") == []
    assert every(world, deletedAfter=second.created_at, deletedBefore=first.created_at) == []


def test_what_is_being_deleted_is_there_as_far_as_it_is_deleted(world: World) -> None:
    ids = world.create(3)
    deletion = world.soft_delete(ids)
    world.dynamodb.update_item(
        TableName=world.stores.deletions.name,
        Key={"pk": {"S": world.workspace_id}, "sk": {"S": deletion.id}},
        UpdateExpression="SET #s=:s, outcomes=:o",
        ExpressionAttributeNames={"#s": "state"},
        ExpressionAttributeValues={
            ":s": {"S": "deleting"},
            ":o": {"B": pack_outcomes(bytearray([Outcome.PENDING]) * 3)},
        },
    )
    bring_back_by_hand(world, ids[1])

    assert ids_of(every(world)) == [ids[0], ids[2]]


def bring_back_by_hand(world: World, link_id: str) -> None:
    world.dynamodb.update_item(
        TableName=world.stores.links.name,
        Key=world.link_key(link_id),
        UpdateExpression="SET livePk=:p, liveSk=:p REMOVE deletedAt, deletionId",
        ExpressionAttributeValues={":p": {"S": "elsewhere"}},
    )


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"deletedAfter": "yesterday"},
        {"actor": ""},
        {"cursor": "nonsense"},
        {"state": "complete"},
    ],
)
def test_what_the_route_does_not_take_is_refused(world: World, query: dict[str, str]) -> None:
    status, body = world.call(account, "GET /api/trash", query=query)
    assert (status, body["error"]) == (400, "Bad Request")


def test_a_cursor_belongs_to_its_filter_and_workspace(world: World) -> None:
    world.soft_delete(world.create(2))
    _, cursor = page(world, limit="1")
    assert cursor is not None
    for workspace_id, query in (
        (world.workspace_id, {"cursor": cursor, "actor": "tester"}),
        (f"ws-{uuid.uuid4().hex[:8]}", {"cursor": cursor}),
    ):
        about = {"workspace_id": workspace_id, "query": query}
        assert world.call(account, "GET /api/trash", **about)[0] == 400


# -- the price ------------------------------------------------------------------------------


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "sizes",
    [[1] * 60, [2, 40] * 5, [256, 256], [60, 2_600], [9, 300, 10, 300]],
    ids=str,
)
def test_a_page_of_50_costs_at_most_60_read_units(world: World, sizes: list[int]) -> None:
    """Every page of it, for any deletions, when nothing was restored."""
    expected: list[str] = []
    for size in sizes:
        ids = world.create(size)
        world.soft_delete(ids, reason="r" * 500)
        expected = ids + expected
    found: list[str] = []
    following: Position | None = None
    pages = 0
    while True:
        shown, following, meter = metered(world, following)
        assert meter.reads <= 60, (sizes, pages, meter)
        assert meter.writes == 0
        assert len(shown) == 50 or following is None or len(shown) >= 20
        found += [each.link.id for each in shown]
        pages += 1
        if following is None or pages == 12:
            break
    assert found == expected[: len(found)]
    assert len(found) == len(expected) or pages == 12
    assert pages <= len(found) / 50 + 1 + len(sizes) / 2


def test_a_page_stays_bounded_when_everything_was_restored_or_erased(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trash_service, "EMPTY_PAGE_UNITS", 100)
    restored = world.create(140)
    for part in (restored[:70], restored[70:]):
        bring_back(world, world.soft_delete(part).id)
    erased = world.create(140)
    world.soft_delete(erased)
    world.erase(erased)
    last = world.create(1)
    world.soft_delete(last)

    units, pages, following, found = [], 0, None, []
    while True:
        shown, following, meter = metered(world, following)
        units.append(meter.reads)
        found += [each.link.id for each in shown]
        pages += 1
        if following is None:
            break
    assert found == last
    assert max(units) <= trash_service.EMPTY_PAGE_UNITS
    assert pages <= 4


def test_a_soft_delete_still_costs_one_read_and_two_writes_a_link(world: World) -> None:
    """Nothing is written for the trash: the record costs the same for 50 links as for 250."""
    costs = {}
    for count in (50, 250):
        ids = world.create(count)
        meter = Meter(world.dynamodb)
        metered_stores = replace(
            world.stores,
            links=LinksTable(meter, world.stores.links.name),
            deletions=DeletionsTable(meter, world.stores.deletions.name),
        )
        replace(world, stores=metered_stores).soft_delete(ids)
        costs[count] = meter
    assert {count: meter.reads / count for count, meter in costs.items()} == {50: 1.0, 250: 1.0}
    assert costs[250].writes - costs[50].writes <= 2 * 200 + 2 * 4
    assert costs[50].writes <= 2 * 50 + 8
    assert costs[50].calls["put_item"] == 1
    assert costs[50].calls["update_item"] == 1


# -- while others work ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_pages_are_exact_during_deletions_and_restores(world: World, seed: int) -> None:
    """No link twice, none that cannot be restored; all that was there throughout is shown."""
    chance = random.Random(seed)
    mine = world.create(120)
    chance.shuffle(mine)
    parts = [mine[:70], mine[70:100], mine[100:]]
    records = [world.soft_delete(part) for part in parts]
    touched: set[str] = set()

    def work() -> None:
        what = chance.choice(["restore", "again", "erase", "delete"])
        record, part = chance.choice(list(zip(records, parts, strict=True)))
        some = chance.sample(part, 3)
        touched.update(some)
        if what == "delete":
            world.soft_delete(world.create(2))
        elif what == "erase":
            world.erase(some)
        else:
            back = bring_back(world, record.id, some).restored_ids
            if what == "again" and back:
                world.soft_delete(back)

    shown = every(world, work, limit="20")

    ids = ids_of(shown)
    assert len(set(ids)) == len(ids)
    assert set(mine) - touched <= set(ids)
    # When all is quiet it is exactly what a restore of every deletion brings back.
    quiet = every(world, limit="20")
    by_deletion: dict[str, list[str]] = {}
    for each in quiet:
        by_deletion.setdefault(each["deletionId"], []).append(each["id"])
    for link_id in mine:
        item = world.stores.links.get(world.workspace_id, link_id)
        in_trash = item is not None and not item.is_live
        assert (link_id in ids_of(quiet)) is in_trash
    for deletion_id, expected in by_deletion.items():
        assert sorted(bring_back(world, deletion_id, expected).restored_ids) == sorted(expected)
    assert every(world) == []


def test_deletions_whose_ids_fill_several_items(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One partly restored, one erased: the trash is what is left of them.

    The ids of the first two deletions fill two items each.
    """
    monkeypatch.setattr(deletion_items, "INLINE_IDS", 50)
    for module in (deletion_items, trash_service):
        monkeypatch.setattr(module, "CHUNK_IDS", 250)
    size = 250 + 10
    ids = world.create(600)
    first, second, third = ids[:size], ids[size : 2 * size], ids[2 * size :]
    one, _, _ = world.soft_delete(first), world.soft_delete(second), world.soft_delete(third)
    bring_back(world, one.id, first[50:150])
    world.erase(second)

    pages, following, found = 0, None, []
    while True:
        shown, following = list_trash(
            workspace_id=world.workspace_id,
            limit=10,
            position=following,
            deletion_filter=SOFT,
            records=TrashRecords(aws.client("dynamodb"), world.stores.deletions.name),
            links=world.stores.links,
        )
        found += [each.link.id for each in shown]
        pages += 1
        if pages == 10:
            # In the meantime some of the remaining links are restored, and more are deleted.
            bring_back(world, one.id, first[255:])
            world.soft_delete(world.create(5))
        if following is None:
            break
    assert found == third + first[:50] + first[150:255]
    assert pages < 60
