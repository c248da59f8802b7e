"""Listing live links: pages, filters, cursors, and what a page costs."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from functions import container
from functions.api.response_size import BODY_LIMIT, sent_size
from functions.domain.errors import InvalidRequest
from functions.handlers import links
from functions.schemas.filters import parse_filter, parse_query
from functions.services import list_links as procedures
from tests.conftest import World
from tests.support.interleaving import interleave


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "cursor_secret", lambda: b"secret")


def get(world: World, **query: Any) -> tuple[int, Any]:
    asked = {name: str(value) for name, value in query.items()}
    return world.call(links, "GET /api/links", query=asked or None)


def all_pages(world: World, **query: Any) -> list[list[str]]:
    """The ids of every page."""
    asked = {name: str(value) for name, value in query.items()}
    pages = world.pages(links, "GET /api/links", asked)
    return [[link["id"] for link in body["links"]] for body in pages]


@pytest.mark.parametrize("limit", [1, 7, 50, 1000])
def test_pages_hold_every_live_link_once_newest_first(world: World, limit: int) -> None:
    kept = [world.create()[0] for _ in range(12)]
    world.soft_delete(world.create(9))

    pages = all_pages(world, limit=limit)

    assert [link_id for page in pages for link_id in page] == kept[::-1]
    assert all(len(page) == limit for page in pages[:-1])


def test_a_list_is_stable_while_links_are_created_and_deleted(world: World) -> None:
    old = [world.create()[0] for _ in range(10)]
    _, first = get(world, limit=4)
    world.create(3)
    world.soft_delete([old[5], old[1]])

    _, second = get(world, limit=100, cursor=first["nextCursor"])

    assert [link["id"] for link in first["links"]] == old[:5:-1]
    assert [link["id"] for link in second["links"]] == [old[4], old[3], old[2], old[0]]
    assert second["nextCursor"] is None


def test_a_link_deleted_between_index_and_read_is_left_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (world.create()[0] for _ in range(3))
    links = world.stores.links
    interleave(monkeypatch, links, "get_many", before=lambda: world.soft_delete([second]))
    page, last = procedures.list_links(
        workspace_id=world.workspace_id,
        limit=3,
        after=None,
        links=links,
    )

    assert [link.id for link in page] == [third, first]
    assert last is None


def test_each_filter_finds_what_it_names(world: World) -> None:
    [plain] = world.create()
    [tagged] = world.create(1, tags=["red", "blue"], title="Grüße aus Kairo", externalId="x-1")
    [idle] = world.create(1, isActive=False)
    [expired] = world.create(1, expiresAt=datetime(2020, 1, 1, tzinfo=UTC))
    [later] = world.create(1, expiresAt=datetime(2090, 1, 1, tzinfo=UTC))
    [clicked] = world.create()
    world.stores.links.update(world.workspace_id, clicked, {"clickCount": 5})
    everything = [clicked, later, expired, idle, tagged, plain]
    created = world.link(idle).created_at

    def found(**query: Any) -> list[str]:
        [page] = all_pages(world, **query)
        return page

    assert found() == everything
    assert found(tag="red") == [tagged]
    assert found(tag="re") == []
    assert found(title="GRÜSSE") == [tagged]
    assert found(isActive="false") == [idle]
    assert found(isActive="true", minClicks=1) == [clicked]
    assert found(expired="true") == [expired]
    assert found(expired="false") == [clicked, later, idle, tagged, plain]
    assert found(minClicks=5, maxClicks=5) == [clicked]
    assert found(minClicks=6) == []
    assert found(maxClicks=4) == [later, expired, idle, tagged, plain]
    assert found(externalId="x-1") == [tagged]
    assert found(externalId="x-1", tag="green") == []
    assert found(externalId="x-2") == []
    assert found(createdBefore=created) == everything[everything.index(idle) + 1 :]
    assert found(createdAfter=created) == everything[: everything.index(idle)]
    assert found(createdAfter=created, createdBefore=created) == []
    assert found(createdAfter="2020-01-01T00:00:00Z", createdBefore="2090-01-01T00:00:00Z") == (
        everything
    )
    world.soft_delete([tagged])
    assert found(externalId="x-1") == []


def test_pages_of_links_with_equal_times_continue_exactly(world: World) -> None:
    ids = world.create(9)
    window = {"createdAfter": "2020-01-01T00:00:00Z", "createdBefore": "2090-01-01T00:00:00Z"}

    pages = all_pages(world, limit=2, **window)

    assert [link_id for page in pages for link_id in page] == ids[::-1]


@pytest.mark.parametrize("limit", [1, 3, 10])
def test_filtered_pages_have_every_match_once(world: World, limit: int) -> None:
    wanted = []
    for number in range(10):
        world.create(number % 4)
        wanted += world.create(1, tags=["wanted"])

    pages = all_pages(world, tag="wanted", limit=limit)

    assert [link_id for page in pages for link_id in page] == wanted[::-1]


def test_a_page_with_few_matches_ends_at_the_read_budget(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procedures, "READ_BUDGET", 200)
    [wanted] = world.create(1, tags=["rare"])
    world.create(450)

    pages = all_pages(world, tag="rare")

    assert pages == [[], [], [wanted]]


def test_a_page_ends_before_lambdas_response_limit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert procedures.PAGE_BYTES < BODY_LIMIT
    monkeypatch.setattr(procedures, "PAGE_BYTES", 500_000)
    # A quote or a backslash of a field takes four bytes of what Lambda returns.
    url = "https://example.com/" + "a" * 2_000
    ids = world.create(
        50,
        title='"' * 200,
        description="\\" * 500,
        tags=[f"{n:02}" + '"' * 48 for n in range(20)],
        iosUrl=url,
        androidUrl=url,
        webFallbackUrl=url,
    )

    reply = world.send(links, "GET /api/links", query={"limit": "1000"})

    body = reply.json()
    assert 10 < len(body["links"]) < 50
    assert body["nextCursor"] is not None
    assert sent_size(reply.body.decode()) < procedures.PAGE_BYTES
    # It ends with the last link that fits.
    counted = [len(json.dumps(json.dumps(link))) + 1 for link in body["links"]]
    assert sum(counted) <= procedures.PAGE_BYTES < sum(counted) + max(counted) + 10
    assert sorted(link for page in all_pages(world, limit=1000) for link in page) == sorted(ids)


def test_the_cost_of_a_page_depends_on_its_size(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.create(300)
    world.soft_delete(world.create(300))
    keys: list[int] = []
    links: list[int] = []
    query, batch_get_item = world.dynamodb.query, world.dynamodb.batch_get_item

    def queried(**parameters: Any) -> Any:
        response = query(**parameters)
        keys.append(len(response["Items"]))
        return response

    def read(**parameters: Any) -> Any:
        [request] = parameters["RequestItems"].values()
        links.append(len(request["Keys"]))
        return batch_get_item(**parameters)

    monkeypatch.setattr(world.dynamodb, "query", queried)
    monkeypatch.setattr(world.dynamodb, "batch_get_item", read)
    _, body = get(world, limit=50)

    assert len(body["links"]) == 50
    assert len(keys) == 8
    assert sum(keys) <= 150
    assert links == [50]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"limit": "٣"}, "limit"),
        ({"surprise": "1"}, "surprise"),
        ({"tag": ""}, "tag"),
        ({"tag": "a" * 51}, "tag"),
        ({"title": ""}, "title"),
        ({"isActive": "yes"}, "isActive"),
        ({"expired": "1"}, "expired"),
        ({"createdBefore": "yesterday"}, "createdBefore"),
        ({"createdAfter": "2026-01-01"}, "createdAfter"),
        ({"minClicks": "-1"}, "minClicks"),
        ({"minClicks": "1.5"}, "minClicks"),
        ({"maxClicks": "9" * 30}, "maxClicks"),
        ({"externalId": ""}, "externalId"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "é"}, "cursor"),
    ],
)
def test_a_wrong_parameter_is_named_in_the_error(
    world: World, query: dict[str, str], names: str
) -> None:
    status, error = get(world, **query)

    assert (status, error["error"]) == (400, "Bad Request")
    assert names in str(error)


def test_a_cursor_is_valid_for_its_workspace_and_filter_only(world: World) -> None:
    world.create(4)
    _, body = get(world, limit=2)
    cursor = body["nextCursor"]

    assert get(world, cursor=cursor)[0] == 200
    elsewhere = replace(world, workspace_id=f"ws-{uuid.uuid4()}")
    assert get(elsewhere, cursor=cursor)[0] == 400
    assert get(world, cursor=cursor, tag="a")[0] == 400
    # The last character may have bits that base64 ignores.
    for position in range(0, len(cursor) - 1, 5):
        broken = "A" if cursor[position] != "A" else "B"
        assert get(world, cursor=cursor[:position] + broken + cursor[position + 1 :])[0] == 400


def test_a_json_filter_equals_the_query_filter() -> None:
    assert parse_filter(
        {"tag": "a", "isActive": True, "minClicks": 3, "createdAfter": "2026-01-01T00:00:00Z"}
    ) == parse_query(
        {"tag": "a", "isActive": "true", "minClicks": "3", "createdAfter": "2026-01-01T00:00:00Z"}
    )
    assert parse_filter({}).empty


@pytest.mark.parametrize(
    "body",
    [None, [], "tag", {"tag": 1}, {"isActive": "true"}, {"minClicks": True}, {"minClicks": "1"}],
)
def test_an_invalid_filter_is_refused(body: Any) -> None:
    with pytest.raises(InvalidRequest):
        parse_filter(body)
