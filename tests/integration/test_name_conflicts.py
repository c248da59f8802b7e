"""The error of a taken code or external id says what uses it, in the own workspace only."""

from __future__ import annotations

import uuid
from typing import Any
from unittest.mock import Mock

import pytest

from functions.domain.clock import iso
from functions.domain.errors import Unavailable
from functions.domain.ids import new_short_code, time_of
from functions.domain.policies import Policies
from functions.handlers import links
from functions.repositories.link_names import LinkNames
from tests.conftest import World
from tests.support.erasure import Erasing


def refusal(world: World, body: Any, **more: Any) -> Any:
    more.setdefault("scopes", "linksRead linksWrite")
    status, result = world.call(links, "POST /api/links", body=body, **more)
    assert status == 409, result
    return result


def wanting(**names: str) -> dict[str, str]:
    return {"originalUrl": "https://example.com/", **names}


def test_a_live_link_and_one_in_the_trash_are_distinguished(world: World) -> None:
    live, gone = new_short_code(), new_short_code()
    [live_link] = world.create_items(1, shortCode=live)
    [gone_link] = world.create_items(1, shortCode=gone)
    deletion = world.soft_delete([gone_link.id])

    assert refusal(world, wanting(shortCode=live)) == {
        "statusCode": 409,
        "error": "Conflict",
        "message": "Short code is already in use",
        "takenCodes": [live],
        "taken": [{"shortCode": live, "takenBy": "live", "linkId": live_link.id}],
    }
    trash = {"takenBy": "trash", "linkId": gone_link.id, "deletionId": deletion.id}
    assert refusal(world, wanting(customCode=gone))["taken"] == [{"shortCode": gone} | trash]
    both = [wanting(shortCode=gone), wanting(), wanting(shortCode=live)]
    assert [each["takenBy"] for each in refusal(world, both)["taken"]] == ["trash", "live"]


def test_the_error_of_an_external_id_in_the_trash_says_so_on_create_and_update(
    world: World,
) -> None:
    [link] = world.create_items(1, externalId="crm-17")
    other = world.create(1)[0]
    deletion = world.soft_delete([link.id])
    taken = [
        {
            "externalId": "crm-17",
            "takenBy": "trash",
            "linkId": link.id,
            "deletionId": deletion.id,
        }
    ]
    assert refusal(world, wanting(externalId="crm-17"))["taken"] == taken
    status, result = world.call(
        links, "PUT /api/links/{id}", at=other, body={"externalId": "crm-17"}
    )
    assert (status, result["taken"]) == (409, taken)


@pytest.mark.parametrize("reservation", [0, 5, 90])
def test_a_quarantine_has_its_erasure_and_its_end(erasing: Erasing, reservation: int) -> None:
    world, code = erasing.world, new_short_code()
    [link] = world.create_items(1, shortCode=code)
    policies = Policies(quarantine_days=30, code_reservation_days=reservation)
    deletion = erasing.erase_completely([link.id], policies=policies.record())

    end = iso(int(time_of(deletion.id)) + 30 * 86_400)
    assert refusal(world, wanting(shortCode=code))["taken"] == [
        {
            "shortCode": code,
            "takenBy": "quarantine",
            "deletionId": deletion.id,
            "availableFrom": end,
        }
    ]
    assert "taken" not in refusal(world, wanting(shortCode=code), workspace_id="ws-other")


def test_a_code_of_another_workspace_is_taken_and_nothing_else(world: World) -> None:
    live, gone = new_short_code(), new_short_code()
    world.create_items(1, shortCode=live)
    world.soft_delete([world.create_items(1, shortCode=gone)[0].id])
    other = f"ws-{uuid.uuid4().hex[:8]}"
    for code in (live, gone):
        assert refusal(world, wanting(shortCode=code), workspace_id=other) == {
            "statusCode": 409,
            "error": "Conflict",
            "message": "Short code is already in use",
            "takenCodes": [code],
        }


def test_a_key_that_may_not_read_links_learns_nothing_of_them(world: World) -> None:
    code = new_short_code()
    world.create_items(1, shortCode=code)
    assert "taken" not in refusal(world, wanting(shortCode=code), scopes="linksWrite")


def test_the_conflict_is_unchanged_when_it_cannot_be_explained(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = new_short_code()
    world.create_items(1, shortCode=code)

    monkeypatch.setattr(LinkNames, "code_items", Mock(side_effect=Unavailable))
    result = refusal(world, wanting(shortCode=code))
    assert result["takenCodes"] == [code]
    assert "taken" not in result
