"""``/api/keys``: issue, list and revoke, by admin credentials only, and no secret twice."""

from __future__ import annotations

import json
import time
import uuid
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import create_autospec

import pytest

from functions import container
from functions.aws import calls
from functions.domain.api_keys import generate_api_key, has_valid_checksum, hash_api_key
from functions.domain.clock import iso, now_iso
from functions.domain.plans import SCOPES
from functions.handlers import keys
from functions.repositories.api_keys import ApiKeysTable, new_key_id
from functions.services import api_keys as service
from tests.conftest import World
from tests.support.faults import FaultyClient, attempt, every_fault
from tests.support.in_process_dynamodb import StartingPoint
from tests.support.interleaving import at_once
from tests.support.template import properties_of, synthesized_template

UNAUTHENTICATED = {
    "statusCode": 401,
    "error": {"en": "Invalid API key", "ar": "مفتاح API غير صالح"},
    "message": "Authentication required",
}


def table(world: World) -> ApiKeysTable:
    return ApiKeysTable(world.dynamodb, world.access.name)


def add(world: World, *scopes: str, workspace_id: str = "", **more: Any) -> str:
    _wait_for_the_next_id()
    key_id = new_key_id()
    table(world).create(
        generate_api_key(),
        key_id=key_id,
        workspace_id=workspace_id or world.workspace_id,
        scopes=scopes or SCOPES,
        user_id="ann",
        name="test",
        **more,
    )
    return key_id


def _wait_for_the_next_id() -> None:
    """Keys are listed by the millisecond of their creation."""
    time.sleep(0.001)


@pytest.fixture
def admin(world: World) -> str:
    return add(world)


def ask(
    world: World,
    who: str,
    route: str,
    **more: Any,
) -> tuple[int, Any]:
    caller = {"keyId": who, "userId": who.removeprefix("session:")}
    return world.call(keys, route, caller=caller, **more)


def issue(world: World, who: str, *scopes: str, **more: Any) -> tuple[int, Any]:
    body = {"name": "ci", "scopes": list(scopes or ("linksRead",))} | more.pop("body", {})
    _wait_for_the_next_id()
    return ask(world, who, "POST /api/keys", body=body, **more)


def revoke(world: World, who: str, key_id: str, **more: Any) -> tuple[int, Any]:
    return ask(world, who, "DELETE /api/keys/{id}", at=key_id, **more)


def listed(world: World, who: str, **query: str) -> Any:
    status, body = ask(world, who, "GET /api/keys", query=query)
    assert status == 200, body
    return body


def states(world: World, who: str) -> dict[str, str]:
    return {each["keyId"]: each["state"] for each in listed(world, who)["keys"]}


# -- issue ----------------------------------------------------------------------------------


def test_a_new_key_works_and_its_secret_is_shown_once(world: World, admin: str) -> None:
    status, made = issue(world, admin, "analyticsRead", "linksRead")

    assert status == 201
    assert has_valid_checksum(made["secret"])
    record = world.access.find_key(made["secret"])
    assert record is not None
    assert record["scopes"] == ["linksRead", "analyticsRead"]
    assert made == {
        "keyId": record["keyId"],
        "name": "ci",
        "userId": admin,
        "scopes": ["linksRead", "analyticsRead"],
        "state": "active",
        "createdAt": record["createdAt"],
        "createdBy": {"keyId": admin, "userId": admin},
        "expiresAt": None,
        "revokedAt": None,
        "lastUsedAt": None,
        "secret": made["secret"],
    }
    [shown] = [each for each in listed(world, admin)["keys"] if each["keyId"] == made["keyId"]]
    assert shown == {name: value for name, value in made.items() if name != "secret"}


def test_no_secret_is_stored_or_logged(
    world: World, admin: str, caplog: pytest.LogCaptureFixture
) -> None:
    _, made = issue(world, admin, key="k")
    issue(world, admin, key="k")
    revoke(world, admin, made["keyId"])
    logged = repr([vars(record) for record in caplog.records])
    assert made["keyId"] in logged
    secret = made["secret"]
    for text in (secret, secret[8:], hash_api_key(secret)):
        assert text not in logged
    for name in (world.access.name, world.stores.deletions.name):
        stored = json.dumps(list(world.stored(name)), default=repr)
        assert secret not in stored
        assert secret[8:] not in stored


def test_the_same_request_is_one_key_and_shows_no_secret_again(world: World, admin: str) -> None:
    first_status, first = issue(world, admin, key="k")
    assert issue(world, admin, key="k") == (first_status, first | {"secret": None})
    assert issue(world, admin, "linksWrite", key="k")[0] == 422
    assert len(states(world, admin)) == 2


def test_a_key_cannot_have_scopes_that_its_issuer_lacks(world: World) -> None:
    issuer = add(world, "admin", "linksRead")
    status, body = issue(
        world, issuer, "linksRead", "linksErase", "linksWrite", scopes="admin linksRead"
    )
    assert (status, body["missingScopes"]) == (403, ["linksWrite", "linksErase"])
    assert issue(world, issuer, "admin", "linksRead", scopes="admin linksRead")[0] == 201


@pytest.mark.parametrize(
    "body",
    [
        {"scopes": []},
        {"scopes": ["linksReed"]},
        {"scopes": ["linksRead", "linksRead"]},
        {"scopes": "linksRead"},
        {"name": ""},
        {"name": "n" * 101},
        {"name": " \u00a0"},
        {"name": "ci\u001b]0;owned\u0007"},
        {"name": "ci\u202egnp"},
        {"name": None},
        {"expiresAt": "2020-01-01T00:00:00Z"},
        {"expiresAt": "tomorrow"},
        {"userId": "someone"},
        {"workspaceId": "other"},
    ],
    ids=str,
)
def test_an_invalid_new_key_is_refused_and_not_created(
    world: World, admin: str, body: dict[str, Any]
) -> None:
    status, response = issue(world, admin, body=body)
    assert (status, response["error"]) == (400, "Bad Request")
    assert list(states(world, admin)) == [admin]


def test_an_expiry_is_kept(world: World, admin: str) -> None:
    end = "2099-01-01T00:00:00.000Z"
    assert issue(world, admin, body={"expiresAt": end})[1]["expiresAt"] == end


def test_a_key_does_not_outlive_its_issuer(world: World) -> None:
    end = iso(time.time() + 3600)
    issuer = add(world, expires_at=end)
    for later in (None, "2099-01-01T00:00:00Z"):
        status, body = issue(world, issuer, body={"expiresAt": later})
        reason = f"expiresAt: must be {end} or earlier, because the issuing key expires then"
        assert (status, body["details"]) == (400, [reason])
    status, body = issue(world, issuer, body={"expiresAt": end})
    assert (status, body["expiresAt"]) == (201, end)


def test_a_key_in_the_grace_period_of_its_rotation_issues_none_that_outlives_it(
    world: World, admin: str
) -> None:
    """It may be in the wrong hands. The authorizer's cached response has no expiry yet."""
    keys_table = table(world)
    old = keys_table.get(world.workspace_id, admin)
    keys_table.end(old, attribute="expiresAt", at=iso(time.time() + 3600))
    assert issue(world, admin)[0] == 400
    assert list(states(world, admin)) == [admin]


def test_a_workspace_has_a_limit_of_active_keys(
    world: World, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_ACTIVE_KEYS", 3)
    first, second = (issue(world, admin)[1] for _ in range(2))
    status, body = issue(world, admin)
    assert (status, body["limit"]) == (409, 3)
    revoke(world, admin, first["keyId"])
    assert issue(world, admin)[0] == 201
    assert second["state"] == "active"


def test_parallel_requests_do_not_exceed_the_limit_of_active_keys(
    world: World, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_ACTIVE_KEYS", 4)
    made = at_once([partial(issue, world, admin) for _ in range(8)])
    assert sorted(status for status, _ in made) == [201] * 3 + [409] * 5
    assert {body["limit"] for status, body in made if status == 409} == {4}
    assert list(states(world, admin).values()) == ["active"] * 4


def test_a_key_issued_in_the_meantime_is_counted(
    world: World, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_ACTIVE_KEYS", 2)
    read_all = ApiKeysTable.all
    reads: list[int] = []
    others: list[int] = []

    def read_then_issue(table: ApiKeysTable, workspace_id: str) -> list[dict[str, Any]]:
        found = read_all(table, workspace_id)
        reads.append(len(found))
        if len(reads) == 1:
            others.append(issue(world, admin)[0])
        return found

    monkeypatch.setattr(ApiKeysTable, "all", read_then_issue)
    assert issue(world, admin)[0] == 409
    assert others == [201]
    # Read again after the key that another request issued.
    assert reads == [1, 1, 2]


# -- list -----------------------------------------------------------------------------------


def test_keys_are_listed_newest_first_page_by_page(world: World, admin: str) -> None:
    made = [admin, *(issue(world, admin)[1]["keyId"] for _ in range(4))]
    expired = add(world, "linksRead", expires_at=now_iso())
    revoke(world, admin, made[2])
    pages = world.pages(keys, "GET /api/keys", {"limit": "2"}, caller={"keyId": admin})
    found = [each for body in pages for each in body["keys"]]
    assert [each["keyId"] for each in found] == [expired, *reversed(made)]
    state = {each["keyId"]: each["state"] for each in found}
    assert state[made[2]] == "revoked"
    assert state[expired] == "expired"
    status, _ = ask(world, admin, "GET /api/keys", query={"cursor": "nonsense"})
    assert status == 400


# -- revoke ---------------------------------------------------------------------------------


def test_a_revoked_key_stays_revoked_and_shows_when_it_stops_working(
    world: World, admin: str
) -> None:
    key_id = issue(world, admin)[1]["keyId"]
    status, body = revoke(world, admin, key_id)
    assert (status, body["state"]) == (200, "revoked")
    assert "secret" not in body
    revoked = table(world).get(world.workspace_id, key_id)["revokedAt"]
    assert body["revokedAt"] == revoked
    [authorizer] = properties_of(synthesized_template(), "AWS::ApiGateway::Authorizer")
    assert authorizer["AuthorizerResultTtlInSeconds"] == service.AUTHORIZER_CACHE_SECONDS
    later, first = (datetime.fromisoformat(each) for each in (body["effectiveBy"], revoked))
    assert later - first == timedelta(seconds=60)
    assert revoke(world, admin, key_id) == (status, body)
    for _ in range(2):
        assert revoke(world, admin, key_id, key="again") == (status, body)
    assert revoke(world, admin, admin, key="again")[0] == 422


@pytest.mark.parametrize("kind", ["unknown", "foreign"])
def test_a_key_of_no_or_another_workspace_does_not_exist(
    world: World, admin: str, kind: str
) -> None:
    foreign = add(world, workspace_id=f"ws-{uuid.uuid4().hex[:8]}")
    key_id = foreign if kind == "foreign" else new_key_id()
    status, body = revoke(world, admin, key_id)
    assert (status, body) == (
        404,
        {"statusCode": 404, "error": "Not Found", "message": "API key not found"},
    )


@pytest.mark.parametrize("key_id", ["key-" + "a" * 1_100, "key-\u0660" + "0" * 19, "k" * 101, "#"])
def test_a_malformed_key_id_is_unknown_without_a_read(
    world: World, admin: str, monkeypatch: pytest.MonkeyPatch, key_id: str
) -> None:
    """DynamoDB refuses a sort key of more than 1,024 bytes: that would be a 500."""
    get = create_autospec(ApiKeysTable.get, side_effect=ApiKeysTable.get)
    monkeypatch.setattr(ApiKeysTable, "get", get)
    status, body = revoke(world, admin, key_id)
    assert (status, body["message"]) == (404, "API key not found")
    assert [call.args[2] for call in get.call_args_list] == [admin]


def test_the_last_admin_credential_is_not_revoked_without_a_word(world: World, admin: str) -> None:
    add(world, "linksRead")
    add(world, "admin", expires_at=iso(time.time() - 1))
    status, body = revoke(world, admin, admin)
    assert (status, body["lastAdmin"]) == (409, True)
    assert states(world, admin)[admin] == "active"
    status, _ = revoke(world, admin, admin, query={"lastAdmin": "false"})
    assert status == 409
    status, body = revoke(world, admin, admin, query={"lastAdmin": "true"})
    assert (status, body["state"]) == (200, "revoked")


@pytest.mark.parametrize("other", ["key", "owner"])
def test_an_admin_key_may_revoke_itself_while_another_admin_stays(
    world: World, admin: str, other: str
) -> None:
    if other == "key":
        add(world, "admin")
    else:
        world.access.put_member("olga", workspace_id=world.workspace_id, role="owner")
    assert revoke(world, admin, admin)[0] == 200


def test_an_editor_is_no_admin(world: World, admin: str) -> None:
    world.access.put_member("ed", workspace_id=world.workspace_id, role="editor")
    assert revoke(world, admin, admin)[0] == 409


def test_admins_that_revoke_each_other_at_once_leave_one(world: World) -> None:
    for _ in range(5):
        workspace = f"ws-{uuid.uuid4().hex[:8]}"
        one, two = (add(world, workspace_id=workspace) for _ in range(2))

        other = partial(revoke, world, workspace_id=workspace)
        at_once([partial(other, one, two), partial(other, two, one)])
        left = [each for each in table(world).all(workspace) if not each.get("revokedAt")]
        assert len(left) == 1

        own = [add(world, workspace_id=workspace), left[0]["keyId"]]
        at_once([partial(other, each, each) for each in own])
        assert [e for e in table(world).all(workspace) if not e.get("revokedAt")]


# -- who ------------------------------------------------------------------------------------


ROUTES = ["GET /api/keys", "POST /api/keys", "DELETE /api/keys/{id}"]


@pytest.mark.parametrize("route", ROUTES)
def test_a_revoked_admin_manages_no_keys_even_while_the_gateway_accepts_it(
    world: World, admin: str, route: str
) -> None:
    second = add(world)
    revoke(world, admin, second)
    body = {"name": "n", "scopes": ["linksRead"]} if route.startswith("POST") else None
    assert ask(world, second, route, body=body, at=admin) == (401, UNAUTHENTICATED)
    assert states(world, admin) == {admin: "active", second: "revoked"}


def test_an_owner_who_is_signed_in_manages_keys_until_the_membership_ends(world: World) -> None:
    user = f"olga-{uuid.uuid4().hex[:8]}"
    world.access.put_member(user, workspace_id=world.workspace_id, role="owner")
    status, made = issue(world, f"session:{user}")
    assert status == 201
    assert made["userId"] == user
    world.access.put_member(user, workspace_id=world.workspace_id, role="editor")
    assert issue(world, f"session:{user}") == (401, UNAUTHENTICATED)
    world.access.remove_member(user, workspace_id=world.workspace_id)
    assert ask(world, f"session:{user}", "GET /api/keys") == (401, UNAUTHENTICATED)


@pytest.mark.parametrize("route", ROUTES)
def test_without_the_scope_nothing_is_read(world: World, admin: str, route: str) -> None:
    scopes = " ".join(scope for scope in SCOPES if scope != "admin")
    status, body = ask(world, admin, route, scopes=scopes, at=admin)
    assert (status, body["missingScopes"]) == (403, ["admin"])


# -- faults ---------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["issue", "revoke"])
def test_a_fault_at_any_call_leaves_one_key_or_none_and_a_repetition_completes_it(
    world: World, starting_point: StartingPoint, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(calls, "BACKOFF_BASE", 0.001)

    def send() -> tuple[int, Any]:
        if what == "issue":
            return issue(world, admin, key="k")
        return revoke(world, admin, target, key="k")

    def two_admins() -> tuple[str, str]:
        return add(world, "admin", "linksRead"), add(world, "admin")

    for point in every_fault():
        admin, target = starting_point(two_admins)
        faulty = FaultyClient(world.dynamodb)
        with monkeypatch.context() as patch, point.strikes(faulty):
            patch.setattr(container, "_dynamodb", lambda it=faulty: it)
            container.reset()
            attempt(send)
        container.reset()

        status, _ = send()

        found = states(world, admin)
        if what == "issue":
            assert (status, len(found)) == (201, 3), point
        else:
            assert (status, found) == (200, {admin: "active", target: "revoked"}), point
    assert point.at > 6
