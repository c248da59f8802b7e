"""Analytics of a link from its days, and the installs that are attributed to it."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest

from functions.aws.codec import to_item
from functions.domain.clock import iso
from functions.domain.ids import new_click_id
from functions.handlers import analytics
from functions.repositories.idempotency import IdempotencyTable
from functions.repositories.installs import InstallsTable
from tests.conftest import World
from tests.support.clicks import click, count
from tests.support.faults import faulty_world
from tests.support.virtual_time import RunningClock

#: Noon of today, because some tests compare days.
NOW = int(time.time()) // 86_400 * 86_400 + 43_200


@pytest.fixture(autouse=True)
def _noon(running_clock: RunningClock) -> None:
    running_clock.pass_by(NOW - time.time())


def get(world: World, reference: str, **more: Any) -> tuple[int, Any]:
    return world.call(analytics, "GET /api/analytics/links/{id}", at=reference, **more)


def install(world: World, body: Any, **more: Any) -> tuple[int, Any]:
    return world.call(analytics, "POST /api/installs", body=body, **more)


def test_analytics_sum_the_days_asked_for(world: World) -> None:
    [link] = world.create_items()
    yesterday = NOW - 86_400
    count(
        world,
        [
            click(world, link.id, at=NOW, countryCode="EG"),
            click(world, link.id, at=NOW - 1, countryCode="EG", ipAddress="192.0.2.9"),
            click(world, link.id, at=yesterday, countryCode="SA"),
            click(world, link.id, at=NOW - 40 * 86_400),
        ],
    )

    status, two_days = get(world, link.id, query={"days": "2"})
    _, default = get(world, link.short_code)
    _, year = get(world, link.id, query={"days": "365"})

    assert status == 200
    assert two_days["linkId"] == link.id
    assert (two_days["totalClicks"], two_days["uniqueClicks"]) == (3, 3)
    assert sum(day["clicks"] for day in two_days["clicksByDate"]) == 3
    assert [day["date"] for day in two_days["clicksByDate"]] == [
        iso(yesterday)[:10],
        iso(NOW)[:10],
    ]
    assert two_days["clicksByCountry"] == [
        {"country": "EG", "clicks": 2},
        {"country": "SA", "clicks": 1},
    ]
    assert two_days["clicksByReferrer"] == [{"referrer": "direct", "clicks": 3}]
    assert two_days["clicksByPlatform"] == [{"platform": "iOS", "clicks": 3}]
    assert (default["days"], len(default["clicksByDate"])) == (30, 30)
    assert (year["totalClicks"], len(year["clicksByDate"])) == (4, 365)


def test_a_link_without_clicks_has_empty_analytics(world: World) -> None:
    [link_id] = world.create()

    _, response = get(world, link_id, query={"days": "1"})

    assert response["totalClicks"] == 0
    assert response["clicksByCountry"] == []
    assert response["clicksByDate"] == [{"date": iso(time.time())[:10], "clicks": 0}]


def test_analytics_outlive_a_soft_delete_but_not_an_erasure(world: World) -> None:
    [link] = world.create_items()
    count(world, [click(world, link.id, at=NOW)])

    world.soft_delete([link.id])
    assert get(world, link.id)[1]["totalClicks"] == 1
    assert get(world, link.short_code)[1]["totalClicks"] == 1

    [other] = world.create_items()
    world.erase_one(other.id)
    not_found = (404, {"statusCode": 404, "error": "Not Found", "message": "Link not found"})
    assert get(world, other.id) == not_found
    assert get(world, other.short_code) == not_found


@pytest.mark.parametrize(
    "query", [{"days": d} for d in ("0", "366", "x", "", "1.5")] + [{"d": "1"}]
)
def test_a_wrong_number_of_days_is_refused(world: World, query: dict[str, str]) -> None:
    [link_id] = world.create()

    assert get(world, link_id, query=query)[0] == 400


def test_analytics_need_their_scope(world: World) -> None:
    [link_id] = world.create()

    status, error = get(world, link_id, scopes="linksRead")

    assert (status, error["missingScopes"]) == (403, ["analyticsRead"])


def test_an_install_by_link_belongs_to_its_last_click_of_a_person(world: World) -> None:
    [link] = world.create_items()
    click(world, link.id, at=NOW - 500)
    last = click(world, link.id, at=NOW - 100)
    click(world, link.id, at=NOW - 50, isBot=True)

    status, response = install(world, {"linkId": link.short_code, "platform": "iOS"})

    assert status == 201
    assert response["linkId"] == link.id
    assert response["clickId"] == last["id"]
    _, shown = get(world, link.id, query={"days": "1"})
    assert shown["totalInstalls"] == 1
    assert shown["installsByPlatform"] == [{"platform": "iOS", "installs": 1}]


def test_a_click_behind_many_of_bots_is_found_in_few_reads(deployed: dict[str, str]) -> None:
    world, faulty = faulty_world(deployed)
    [link] = world.create_items()
    last = click(world, link.id, at=NOW - 10_000)
    bots = [
        click(world, link.id, at=NOW - 9_000 + number, isBot=True, store=False)
        for number in range(1_000)
    ]
    world.clicks.write(put=[to_item(bot) for bot in bots])
    installs = InstallsTable(faulty, clicks=world.clicks.name, links=world.stores.links.name)
    faulty.calls.clear()

    found = installs.last_click(world.link(link.id), iso(NOW - 20_000), iso(NOW))

    assert found == last["id"]
    assert len(faulty.calls) < 6


def test_an_install_by_click_finds_its_link(world: World) -> None:
    [link_id] = world.create()
    first = click(world, link_id, at=NOW - 500)
    click(world, link_id, at=NOW - 100)

    status, response = install(
        world,
        {"clickId": first["id"], "installedAt": iso(NOW - 60), "deviceId": "d", "appVersion": "1"},
    )

    assert (status, response["linkId"], response["clickId"]) == (201, link_id, first["id"])
    assert (response["installedAt"], response["deviceId"]) == (iso(NOW - 60), "d")


@pytest.mark.parametrize("by", ["click", "link"])
def test_an_install_outside_the_window_is_not_attributed(world: World, by: str) -> None:
    [link_id] = world.create()
    old = click(world, link_id, at=NOW - 8 * 86_400)
    body = {"clickId": old["id"]} if by == "click" else {"linkId": link_id}

    status, error = install(world, body)

    assert (status, error["error"]) == (409, "Conflict")
    assert install(world, body | {"installedAt": iso(NOW - 2 * 86_400)})[0] == 201


def test_an_install_needs_a_click_that_was_recorded(world: World) -> None:
    [link_id] = world.create()

    assert install(world, {"linkId": link_id})[0] == 409
    unknown = new_click_id(link_id, NOW * 1000)
    status, error = install(world, {"clickId": unknown})
    assert (status, error["message"]) == (404, "Click not found")


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        (0, 404),
        (253_402_300_799_999, 404),
        # 10000-01-01, and the last millisecond that an id can have.
        (253_402_300_800_000, 400),
        (2**48 - 1, 400),
    ],
)
def test_an_install_by_a_forged_click_is_refused(
    world: World, milliseconds: int, expected: int
) -> None:
    [link_id] = world.create()

    assert install(world, {"clickId": new_click_id(link_id, milliseconds)})[0] == expected


@pytest.mark.parametrize("case", ["unknown", "foreign", "soft-deleted", "erased"])
def test_an_install_needs_a_live_link(world: World, case: str) -> None:
    [link_id] = world.create(1, workspace_id="ws-elsewhere" if case == "foreign" else None)
    made = click(world, link_id, at=NOW - 5)
    if case == "unknown":
        link_id = str(uuid.uuid4())
    elif case == "soft-deleted":
        world.soft_delete([link_id])
    elif case == "erased":
        world.erase_one(link_id)

    assert install(world, {"linkId": link_id})[0] == 404
    if case != "unknown":
        assert install(world, {"clickId": made["id"]})[0] == 404


def test_an_install_is_recorded_when_its_key_expires_at_that_moment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link_id] = world.create()
    click(world, link_id, at=NOW - 5)
    install(world, {"linkId": link_id}, key="order-1")

    # The item is there when it is written, and has expired whenever it is read.
    monkeypatch.setattr(IdempotencyTable, "find", lambda *_, **__: None)
    status, _ = install(world, {"linkId": link_id}, key="order-1")

    assert status == 503
    assert get(world, link_id)[1]["totalInstalls"] == 1


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"linkId": 5},
        {"linkId": ""},
        {"clickId": "short"},
        {"clickId": "!" * 43},
        {"platform": "iOS"},
        {"linkId": "abcd", "platform": "ios"},
        {"linkId": "abcd", "installedAt": "2090-01-01T00:00:00Z"},
        {"linkId": "abcd", "installedAt": 5},
        {"linkId": "abcd", "deviceId": ""},
        {"linkId": "abcd", "surprise": 1},
        b"{",
    ],
)
def test_a_wrong_install_is_refused(world: World, body: Any) -> None:
    status, error = install(world, body)

    assert (status, error["error"]) == (400, "Bad Request")


def test_a_click_of_another_link_is_refused(world: World) -> None:
    first, second = world.create(2)
    made = click(world, first, at=NOW - 5)

    assert install(world, {"linkId": second, "clickId": made["id"]})[0] == 400
