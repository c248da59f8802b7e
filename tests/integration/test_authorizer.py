"""The authorizer: allowed and refused credentials, and secrets in logs."""

from __future__ import annotations

import io
import json
import time
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from functions import container
from functions.aws.client import low_latency_client
from functions.domain.api_keys import generate_api_key
from functions.domain.clock import iso, now_iso
from functions.domain.errors import InternalError, Unavailable
from functions.domain.plans import SCOPES
from functions.domain.policies import Policies
from functions.domain.scopes import ROLES
from functions.handlers import authorizer
from functions.repositories.access import AccessTable
from functions.repositories.api_keys import ApiKeysTable
from functions.services import authorize, sessions
from functions.services.sessions import SessionPool, SigningKeys
from tests.conftest import World
from tests.support import tokens
from tests.support.tokens import CLIENT_ID, ISSUER, KeyServer

ARN = "arn:aws:execute-api:us-east-1:000000000000:api123/prod/GET/api/links"
STAGE = "arn:aws:execute-api:us-east-1:000000000000:api123/prod/*"


@pytest.fixture
def access(world: World, monkeypatch: pytest.MonkeyPatch) -> AccessTable:
    """The access table with workspace `acme`, and the authorizer's environment."""
    monkeypatch.setenv("SESSION_ISSUER", ISSUER)
    monkeypatch.setenv("SESSION_CLIENT_IDS", f"client-of-scripts {CLIENT_ID}")
    use_pool(monkeypatch, SigningKeys(ISSUER, fetch=KeyServer()))
    world.access.create_workspace(
        "acme", plan="pro", usage_key="usage-acme", usage_key_id="id", policies=Policies()
    )
    return world.access


def use_pool(
    monkeypatch: pytest.MonkeyPatch,
    keys: SigningKeys,
    issuer: str = ISSUER,
    client_id: str = CLIENT_ID,
) -> None:
    pool = SessionPool(issuer, frozenset({client_id}), keys)
    monkeypatch.setattr(container, "session_pool", lambda: pool)


def keys_of(access: AccessTable) -> ApiKeysTable:
    """The keys of the same table."""
    return ApiKeysTable(access._client, access.name)


def new_key(access: AccessTable, **changes: Any) -> str:
    key = generate_api_key()
    fields: dict[str, Any] = {
        "key_id": "key-1",
        "workspace_id": "acme",
        "scopes": ["linksRead", "linksWrite"],
        "user_id": "ci",
        "name": "ci",
    }
    keys_of(access).create(key, **(fields | changes))
    return key


def ask(authorization: str, name: str = "Authorization") -> dict[str, Any]:
    return authorizer.handler({"methodArn": ARN, "headers": {name: authorization}}, None)


def effect(response: dict[str, Any]) -> str:
    [statement] = response["policyDocument"]["Statement"]
    assert statement["Action"] == "execute-api:Invoke"
    assert statement["Resource"] == STAGE
    assert json.dumps(response)  # API Gateway takes JSON and nothing else.
    return str(statement["Effect"])


def refused(response: dict[str, Any]) -> bool:
    return effect(response) == "Deny" and set(response) == {"principalId", "policyDocument"}


@pytest.mark.parametrize("spelling", ["Bearer {}", "bearer {}", "BEARER   {} ", "{}", " {}"])
@pytest.mark.parametrize("header", ["Authorization", "authorization"])
def test_a_valid_key_is_allowed_for_the_whole_stage(
    access: AccessTable, spelling: str, header: str
) -> None:
    response = ask(spelling.format(new_key(access)), header)
    assert effect(response) == "Allow"
    assert response["usageIdentifierKey"] == "usage-acme"
    assert response["context"] == {
        "workspaceId": "acme",
        "keyId": "key-1",
        "userId": "ci",
        "scopes": "linksRead linksWrite",
        "plan": "pro",
    }


def test_the_context_has_the_policies_as_text(access: AccessTable) -> None:
    policies = Policies(
        retention_days=30,
        purge_expired_after_days=7,
        quarantine_days=90,
        cascade_installs=True,
        link_events=True,
        app_schemes=("myapp", "market"),
        code_reservation_days=0,
        undo_minutes=0,
    )
    access.set_workspace("acme", plan="free", policies=policies)
    context = ask(new_key(access))["context"]
    assert all(isinstance(value, str) for value in context.values())
    assert Policies.read(context) == policies
    access.set_workspace("acme", plan="free", policies=Policies())
    assert Policies.read(ask(new_key(access, key_id="key-2"))["context"]) == Policies()


@pytest.mark.parametrize(
    "credential",
    ["", "Bearer", "Bearer ", "nonsense", "Basic dXNlcjpwYXNz", "ul_live_", "ey", "Bearer a.b.c"],
)
def test_a_malformed_credential_is_refused_without_a_read(
    access: AccessTable, credential: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AccessTable, "_get", _no_read)
    assert refused(ask(credential))


def test_a_mistyped_key_is_refused_without_a_read(
    access: AccessTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key(access)
    monkeypatch.setattr(AccessTable, "_get", _no_read)
    for position in (8, 20, len(key) - 1):
        other = "x" if key[position] != "x" else "y"
        assert refused(ask(key[:position] + other + key[position + 1 :]))


def _no_read(*_: Any) -> None:
    raise AssertionError("the table was read")


def test_an_unknown_key_is_refused(access: AccessTable) -> None:
    assert refused(ask(generate_api_key()))


def test_a_revoked_key_is_refused(access: AccessTable) -> None:
    key = new_key(access)
    keys_of(access).end(keys_of(access).get("acme", "key-1"), attribute="revokedAt", at=now_iso())
    assert refused(ask(key))


def test_a_key_expires_and_the_context_has_the_time(access: AccessTable) -> None:
    end = int(time.time()) + 3600
    context = ask(new_key(access, expires_at=iso(end)))["context"]
    assert context["expiresAt"] == str(end)
    assert refused(ask(new_key(access, key_id="key-2", expires_at=iso(time.time() - 1))))


def test_a_key_of_a_missing_workspace_is_refused(access: AccessTable) -> None:
    assert refused(ask(new_key(access, workspace_id="gone")))


# -- last used ------------------------------------------------------------------------------


def test_a_busy_key_costs_one_write_an_hour(
    access: AccessTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key(access)
    now = 1_800_000_000.0
    monkeypatch.setattr("functions.repositories.access.time.time", lambda: now)
    writes = []
    dynamodb = low_latency_client("dynamodb")
    update = dynamodb.update_item

    def count(**request: Any) -> Any:
        writes.append(request)
        return update(**request)

    monkeypatch.setattr(dynamodb, "update_item", count)
    for _ in range(5):
        ask(key)
    assert len(writes) == 1
    assert keys_of(access).get("acme", "key-1")["lastUsedAt"] == iso(now)
    now += 3600
    ask(key)
    assert len(writes) == 2
    assert keys_of(access).get("acme", "key-1")["lastUsedAt"] == iso(now)


def test_recording_the_use_never_recreates_a_deleted_key(access: AccessTable) -> None:
    key = new_key(access)
    record = keys_of(access).get("acme", "key-1")
    access._client.delete_item(
        TableName=access.name, Key={"pk": {"S": record["pk"]}, "sk": {"S": "KEY"}}
    )
    access.note_use(record)
    assert access.find_key(key) is None


@pytest.mark.parametrize("fault", [Unavailable, InternalError])
def test_a_failed_record_of_the_use_is_ignored(
    access: AccessTable, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    monkeypatch.setattr(AccessTable, "note_use", Mock(side_effect=fault))
    assert effect(ask(new_key(access))) == "Allow"


# -- sessions -------------------------------------------------------------------------------


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_signed_in_member_has_the_scopes_of_the_role(access: AccessTable, role: str) -> None:
    access.put_member("user-1", workspace_id="acme", role=role)
    end = int(time.time()) + 60
    response = ask(f"Bearer {tokens.token(exp=end)}")
    assert effect(response) == "Allow"
    assert response["usageIdentifierKey"] == "usage-acme"
    assert response["context"] == {
        "workspaceId": "acme",
        "keyId": "session:user-1",
        "userId": "user-1",
        "scopes": " ".join(ROLES[role]),
        "role": role,
        "plan": "pro",
        "expiresAt": str(end),
    }


def test_every_role_has_scopes_that_exist() -> None:
    for scopes in ROLES.values():
        assert set(scopes) <= set(SCOPES)


def test_a_user_without_a_workspace_is_refused(access: AccessTable) -> None:
    assert refused(ask(tokens.token()))


def test_a_former_member_is_refused(access: AccessTable) -> None:
    access.put_member("user-1", workspace_id="acme", role="owner")
    access.remove_member("user-1", workspace_id="acme")
    assert refused(ask(tokens.token()))


def test_a_forged_session_is_refused(access: AccessTable) -> None:
    access.put_member("user-1", workspace_id="acme", role="owner")
    assert refused(ask(f"Bearer {tokens.unsigned()}"))


@mock_aws
def test_a_cognito_token_is_accepted(access: AccessTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool, the sign-in and the key set are moto's."""
    import requests

    monkeypatch.delenv("AWS_ENDPOINT_URL")
    cognito = boto3.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="p", UsernameAttributes=["email"])["UserPool"]["Id"]
    app = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="c", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    user = cognito.admin_create_user(UserPoolId=pool, Username="a@example.com")["User"]
    cognito.admin_set_user_password(
        UserPoolId=pool, Username="a@example.com", Password="Pass-word-1", Permanent=True
    )
    response = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=app,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "a@example.com", "PASSWORD": "Pass-word-1"},
    )["AuthenticationResult"]
    issuer = f"https://cognito-idp.us-east-1.amazonaws.com/{pool}"
    keys = SigningKeys(issuer, fetch=lambda address: requests.get(address, timeout=5).content)
    use_pool(monkeypatch, keys, issuer, app)
    [subject] = [each["Value"] for each in user["Attributes"] if each["Name"] == "sub"]
    access.put_member(subject, workspace_id="acme", role="editor")

    assert ask(response["AccessToken"])["context"]["userId"] == subject
    assert refused(ask(response["IdToken"]))


# -- when it cannot know --------------------------------------------------------------------


def test_an_unavailable_table_raises(access: AccessTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway answers 500 without caching; a Deny would be cached for a minute."""
    key = new_key(access)
    throttled = Mock(side_effect=ClientError({"Error": {"Code": "ThrottlingException"}}, "GetItem"))
    monkeypatch.setattr(low_latency_client("dynamodb"), "get_item", throttled)
    monkeypatch.setattr(authorizer, "TIMEOUT", 0.1)
    with pytest.raises(Unavailable):
        ask(key)


def test_unavailable_pool_keys_raise(access: AccessTable, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = SigningKeys(ISSUER, fetch=KeyServer(down=True))
    use_pool(monkeypatch, keys)
    with pytest.raises(sessions.KeysUnavailable):
        ask(tokens.token())


# -- secrets --------------------------------------------------------------------------------


def test_no_log_contains_the_credential(
    access: AccessTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    monkeypatch.setattr(authorize.log.registered_handler, "stream", log)
    access.put_member("user-1", workspace_id="acme", role="owner")
    good, unknown, session = new_key(access), generate_api_key(), tokens.token()
    forged = tokens.token(key="key-2")
    mistyped = good[:-1] + ("x" if good[-1] != "x" else "y")
    given = [good, unknown, mistyped, session, forged, tokens.unsigned()]
    for credential in given:
        ask(f"Bearer {credential}")
    monkeypatch.setattr(AccessTable, "note_use", Mock(side_effect=Unavailable))
    ask(good)
    logged = log.getvalue()
    assert "refused" in logged  # there is something to look through
    for credential in given:
        assert credential not in logged
        assert credential[-20:] not in logged
