"""How long clicks are kept: a year or by the workspace's policy, and which data stays."""

from __future__ import annotations

from typing import Any

import pytest

from functions.aws.codec import to_item
from functions.domain.ids import parse_click_id
from functions.handlers import deletions as deletions_function
from functions.handlers import links as links_function
from functions.handlers import redirect
from functions.repositories.clicks import ClicksTable
from tests.conftest import World
from tests.support.api_gateway import send
from tests.support.clicks import click, clicks_of, count, day
from tests.support.erasure import Erasing, receipt
from tests.support.interleaving import interleave


def request(world: World, method: str, policy: dict[str, str], **body: Any) -> Any:
    reference = body.pop("id", None)
    route = f"{method} /api/links/{{id}}" if reference else f"{method} /api/links"
    status, response = world.call(links_function, route, at=reference, body=body, caller=policy)
    assert status in (200, 201), response
    return response


def kept_days(world: World, link_id: str, code: str) -> float | None:
    """After how many days a click of now is removed."""
    known = {each["id"] for each in clicks_of(world, link_id)}
    assert send(redirect.handler, "GET /{code}", path={"code": code}).status == 302
    [new] = [each for each in clicks_of(world, link_id) if each["id"] not in known]
    parsed = parse_click_id(new["id"])
    assert parsed is not None
    return (int(new["ttl"]) - parsed[1] // 1000) / 86_400 if "ttl" in new else None


def test_a_link_takes_the_policy_when_it_is_created_and_when_it_is_changed(world: World) -> None:
    month, never = {"clickRetentionDays": "30"}, {"clickRetentionDays": "0"}
    default: dict[str, str] = {}
    address = "https://example.com/page"
    made = request(world, "POST", month, originalUrl=address)
    assert "clickRetentionDays" not in made
    assert kept_days(world, made["id"], made["shortCode"]) == 30

    request(world, "PUT", never, id=made["id"], title="New")
    assert kept_days(world, made["id"], made["shortCode"]) is None

    # A change of the external id is another kind of transaction.
    request(world, "PUT", month, id=made["id"], externalId="e-1")
    assert kept_days(world, made["id"], made["shortCode"]) == 30

    request(world, "PUT", default, id=made["id"], title="Newer")
    assert kept_days(world, made["id"], made["shortCode"]) == 365

    plain = request(world, "POST", default, originalUrl=address)
    assert kept_days(world, plain["id"], plain["shortCode"]) == 365


def test_a_restored_link_takes_the_policy_of_the_restore(world: World) -> None:
    made = request(world, "POST", {}, originalUrl="https://example.com/page")
    assert world.call(deletions_function, "DELETE /api/links", body=[made["id"]])[0] == 200
    record = world.last_deletion()

    status, response = world.call(
        deletions_function,
        "POST /api/deletions/{id}/restore",
        at=record.id,
        caller={"clickRetentionDays": "30"},
    )

    assert (status, response["restoredIds"]) == (200, [made["id"]])
    assert kept_days(world, made["id"], made["shortCode"]) == 30


def test_counts_stay_when_their_clicks_are_removed(world: World) -> None:
    [link_id] = world.create()
    made = [click(world, link_id, at=1_780_000_000 + n) for n in range(3)]
    count(world, made)
    before = day(world, link_id)

    for each in made:
        world.dynamodb.delete_item(TableName=world.clicks.name, Key=world.clicks.key(each))
    # The stream delivers them once more.
    count(world, made)

    assert day(world, link_id) == before
    assert before["clicks"] == world.link(link_id).click_count == 3


@pytest.mark.parametrize("moment", ["before the erasure", "between its read and its delete"])
def test_an_erasure_with_a_concurrent_ttl_removal_completes_with_the_links_that_it_found(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    [link_id] = erasing.world.create()
    erasing.click(link_id, 5)
    expired = erasing.left_of(link_id)[0]

    def expire() -> None:
        key = to_item({"pk": expired["pk"], "sk": expired["sk"]})
        erasing.world.dynamodb.delete_item(TableName=erasing.world.clicks.name, Key=key)

    if moment == "before the erasure":
        expire()
    else:
        interleave(monkeypatch, ClicksTable, "write", before=expire)
    deletion = erasing.erase_completely([link_id])

    found = 4 if moment == "before the erasure" else 5
    assert erasing.receipt(deletion.id) == receipt(clicks=found)
    assert erasing.left_of(link_id) == []
