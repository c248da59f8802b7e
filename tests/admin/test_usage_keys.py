"""`python -m admin usage-keys remove-orphans`: the keys that a deleted stack left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import ANY

import boto3
import pytest
from botocore.stub import Stubber

from admin import __main__ as command
from admin.gateway import DESCRIPTION, UsageKeys, remove_orphans


@pytest.fixture
def stub() -> Iterator[Stubber]:
    """The real SDK, which validates each request and response; the account is the stub's."""
    session = boto3.Session(
        aws_access_key_id="a", aws_secret_access_key="b", region_name="eu-west-1"
    )
    with Stubber(session.client("apigateway")) as stub:
        yield stub
        stub.assert_no_pending_responses()


def key(key_id: str, *, description: str = f"{DESCRIPTION} deleted") -> dict[str, Any]:
    return {
        "id": key_id,
        "name": f"workspace-{key_id}",
        "description": description,
        "createdDate": datetime.now(UTC),
    }


def has_keys(stub: Stubber, *pages: list[dict[str, Any]]) -> None:
    for number, items in enumerate(pages):
        parameters: dict[str, Any] = {"nameQuery": "workspace-", "limit": 500}
        if number:
            parameters["position"] = str(number)
        response: dict[str, Any] = {"items": items}
        if number < len(pages) - 1:
            response["position"] = str(number + 1)
        stub.add_response("get_api_keys", response, parameters)
    for number, plan in enumerate(("free", "pro")):
        parameters = {"limit": 500} | ({"position": "1"} if number else {})
        response = {"items": [{"id": plan}]} | ({} if number else {"position": "1"})
        stub.add_response("get_usage_plans", response, parameters)


def has_plans(stub: Stubber, key_id: str, *plans: str) -> None:
    items = [{"id": plan, "name": plan} for plan in plans]
    stub.add_response("get_usage_plans", {"items": items}, {"keyId": key_id, "limit": 1})


def test_orphans_are_listed_and_stay(stub: Stubber) -> None:
    has_keys(stub, [key("gone")])
    has_plans(stub, "gone")

    [listed] = remove_orphans(stub.client, delete=False)

    assert (listed["keyId"], listed["name"], listed["deleted"]) == ("gone", "workspace-gone", "no")


def test_orphans_of_all_pages_are_deleted_and_keys_in_a_plan_stay(stub: Stubber) -> None:
    has_keys(stub, [key("gone")], [key("living"), key("gone-too")])
    has_plans(stub, "gone")
    stub.add_response("delete_api_key", {}, {"apiKey": "gone"})
    has_plans(stub, "living", "free")
    has_plans(stub, "gone-too")
    stub.add_response("delete_api_key", {}, {"apiKey": "gone-too"})

    removed = remove_orphans(stub.client, delete=True)

    assert [(each["keyId"], each["deleted"]) for each in removed] == [
        ("gone", "yes"),
        ("gone-too", "yes"),
    ]


def test_an_orphan_that_another_command_deleted_is_no_error(stub: Stubber) -> None:
    has_keys(stub, [key("gone")])
    has_plans(stub, "gone")
    stub.add_client_error("delete_api_key", "NotFoundException")
    assert len(remove_orphans(stub.client, delete=True)) == 1


def test_keys_of_others_stay(stub: Stubber) -> None:
    has_keys(stub, [key("theirs", description="Somebody else's")])
    assert remove_orphans(stub.client, delete=True) == []


def test_a_key_of_an_existing_stack_stays_also_in_no_plan(stub: Stubber) -> None:
    """A change of plan that was killed halfway leaves it so; the next `workspace set` moves it."""
    description = f"{DESCRIPTION} free"
    created = {"name": "workspace-a", "description": description, "value": ANY, "enabled": True}
    stub.add_response("create_api_key", {"id": "a"}, created)
    stub.add_response("create_usage_plan_key", {})
    UsageKeys(stub.client, {"free": "free"}).create("a", "free")
    has_keys(stub, [key("a", description=description)])

    assert remove_orphans(stub.client, delete=True) == []


@pytest.mark.parametrize(("options", "deleted"), [((), "no"), (("--yes",), "yes")])
def test_the_command_deletes_only_with_yes(
    stub: Stubber,
    options: tuple[str, ...],
    deleted: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    has_keys(stub, [key("gone")])
    has_plans(stub, "gone")
    if options:
        stub.add_response("delete_api_key", {}, {"apiKey": "gone"})
    monkeypatch.setattr(command, "client_maker", lambda: lambda _service: stub.client)

    assert command.main(["--quiet", "usage-keys", "remove-orphans", *options]) == 0

    assert f"deleted    {deleted}" in capsys.readouterr().out
