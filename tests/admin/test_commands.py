"""The operators' command on the emulator: its effects on table, gateway and user pool."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any
from unittest.mock import Mock

import boto3
import pytest

from admin import __main__ as command
from admin import connection
from admin.commands import Deployment, Refused, issue_key
from admin.commands import set_workspace as set_workspace_of
from admin.gateway import UsageKeys
from admin.output import as_text
from functions.domain.api_keys import has_valid_checksum, hash_api_key
from functions.domain.errors import Unavailable
from functions.domain.plans import SCOPES, plans
from functions.domain.scopes import ROLES
from functions.repositories import access as access_store
from functions.repositories import kept_installs
from functions.repositories.access import AccessTable
from functions.repositories.api_keys import ApiKeysTable
from tests.support.interleaving import interleave
from tests.support.template import (
    properties_of,
    synthesized_template,
    table_definitions,
)

#: The policies of a new workspace.
DEFAULTS: dict[str, Any] = {
    "retentionDays": None,
    "purgeExpiredAfterDays": None,
    "quarantineDays": 0,
    "cascadeInstalls": False,
    "linkEvents": False,
    "appSchemes": [],
    "clickRetentionDays": 365,
    "codeReservationDays": 90,
    "undoMinutes": 15,
}


@dataclass
class Operator:
    """Runs the command against a deployment on moto."""

    deployment: Deployment
    outputs: dict[str, str]
    capture: pytest.CaptureFixture[str]

    def run(self, *words: str) -> tuple[int, str, str]:
        """(exit code, standard output, standard error)"""
        self.capture.readouterr()
        code = command.main(words)
        captured = self.capture.readouterr()
        return code, captured.out, captured.err

    def json(self, *words: str) -> Any:
        code, out, err = self.run("--json", *words)
        assert code == 0, err
        assert err == ""
        return json.loads(out)

    def refuses(self, *words: str) -> str:
        before = items()
        code, out, err = self.run(*words)
        assert (code, out) == (1, "")
        assert items() == before
        return err

    def members_of_plans(self) -> dict[str, list[str]]:
        """The names of the usage keys in each plan's usage plan."""
        gateway = boto3.client("apigateway")
        return {
            plan: [
                key["name"]
                for key in gateway.get_usage_plan_keys(
                    usagePlanId=self.outputs[f"UsagePlan{plan.capitalize()}"]
                )["items"]
            ]
            for plan in plans()
        }


@pytest.fixture(scope="module")
def _own_account() -> Iterator[None]:
    """A separate account, because these tests list everything in it.

    The emulator takes an access key of twelve digits for the account's number.
    """
    with pytest.MonkeyPatch.context() as patch:
        session = boto3.Session(
            aws_access_key_id=f"{uuid.uuid4().int % 10**12:012}", aws_secret_access_key="test"
        )
        # To make a client takes as long as several calls.
        patch.setattr(boto3, "client", cache(session.client))
        yield


@pytest.fixture
def operator(
    _own_account: None,
    emulator_url: str,
    dynamodb_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Operator]:
    if "AWS_ENDPOINT_URL_DYNAMODB" in os.environ:
        pytest.skip("needs an emulator with API Gateway and Cognito")
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url)
    for definition in table_definitions(synthesized_template()):
        if definition["TableName"] in ("access", "clicks"):
            boto3.client("dynamodb").create_table(**definition)
    gateway = boto3.client("apigateway")
    outputs = {"AccessTableName": "access", "ClicksTableName": "clicks"}
    for plan in plans():
        outputs[f"UsagePlan{plan.capitalize()}"] = gateway.create_usage_plan(name=plan)["id"]
    pool = boto3.client("cognito-idp").create_user_pool(PoolName="p", UsernameAttributes=["email"])
    outputs["UserPoolId"] = pool["UserPool"]["Id"]
    make: Any = boto3.client
    deployment = Deployment.of(outputs, make)
    monkeypatch.setattr(command, "connect", lambda _stack: deployment)
    yield Operator(deployment, outputs, capsys)
    for name in ("access", "clicks"):
        boto3.client("dynamodb").delete_table(TableName=name)
    for key in gateway.get_api_keys()["items"]:
        gateway.delete_api_key(apiKey=key["id"])


def items() -> list[str]:
    found = boto3.client("dynamodb").scan(TableName="access")["Items"]
    return sorted(json.dumps(item, sort_keys=True) for item in found)


# -- workspaces -----------------------------------------------------------------------------


def test_a_new_workspace_is_free_and_its_usage_key_is_in_that_plan(operator: Operator) -> None:
    made = operator.json("workspace", "create", "acme")
    assert made["plan"] == "free"
    assert made["policies"] == DEFAULTS
    assert operator.members_of_plans() == {"free": ["workspace-acme"], "pro": [], "enterprise": []}
    item = operator.deployment.access.workspace("acme")
    assert item is not None
    assert item["usageKey"] not in json.dumps(made)


def test_a_workspace_is_created_once(operator: Operator) -> None:
    operator.json("workspace", "create", "acme", "--plan", "pro")
    assert "exists" in operator.refuses("workspace", "create", "acme")
    assert operator.members_of_plans()["pro"] == ["workspace-acme"]
    assert len(boto3.client("apigateway").get_api_keys()["items"]) == 1


@pytest.mark.parametrize("applied", [True, False])
def test_a_workspace_keeps_its_usage_key_if_only_the_response_was_lost(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, applied: bool
) -> None:
    create = AccessTable.create_workspace

    def create_and_lose_the_response(*args: Any, **fields: Any) -> None:
        if applied:
            create(*args, **fields)
        raise Unavailable

    monkeypatch.setattr(AccessTable, "create_workspace", create_and_lose_the_response)
    assert operator.run("workspace", "create", "acme")[0] == 1
    usage_keys = boto3.client("apigateway").get_api_keys()["items"]
    created = operator.deployment.access.workspace("acme")
    assert (created is not None) is applied
    assert [key["id"] for key in usage_keys] == ([created["usageKeyId"]] if created else [])


def test_names_that_do_not_fit_a_table_key_are_refused(operator: Operator) -> None:
    for name in ("A", "a", "Acme", "a#b", "a b", "-a", "a" * 64, "a/b", "ü1"):
        operator.refuses("workspace", "create", "--", name)


def test_each_policy_can_be_set_and_unset_separately(operator: Operator) -> None:
    operator.json("workspace", "create", "acme", "--retention-days", "90")
    changed = operator.json(
        *("workspace", "set", "acme", "--purge-expired-after-days", "7", "--quarantine-days", "30"),
        *("--cascade-installs", "on", "--link-events", "on"),
        *("--app-schemes", "myapp,com.example.app", "--click-retention-days", "30"),
        *("--code-reservation-days", "0", "--undo-minutes", "0"),
    )
    assert changed["policies"] == {
        "retentionDays": 90,
        "purgeExpiredAfterDays": 7,
        "quarantineDays": 30,
        "cascadeInstalls": True,
        "linkEvents": True,
        "appSchemes": ["myapp", "com.example.app"],
        "clickRetentionDays": 30,
        "codeReservationDays": 0,
        "undoMinutes": 0,
    }
    changed = operator.json(
        "workspace", "set", "acme", "--retention-days", "never", "--cascade-installs", "off"
    )
    assert changed["policies"]["retentionDays"] is None
    assert changed["policies"]["cascadeInstalls"] is False
    assert changed["policies"]["quarantineDays"] == 30
    assert operator.json("workspace", "show", "acme") == changed
    changed = operator.json("workspace", "set", "acme", "--app-schemes", "none")
    assert changed["policies"]["appSchemes"] == []
    changed = operator.json("workspace", "set", "acme", "--click-retention-days", "never")
    assert changed["policies"]["clickRetentionDays"] is None
    assert operator.json("workspace", "show", "acme") == changed
    changed = operator.json("workspace", "set", "acme", "--click-retention-days", "365")
    assert changed["policies"]["clickRetentionDays"] == 365


def test_a_policy_out_of_range_changes_nothing(operator: Operator) -> None:
    operator.json("workspace", "create", "acme")
    # Clicks are kept long enough to be counted.
    for days in ("0", "14", "3651", "-1"):
        assert "clickRetentionDays must be from 15 to 3650 days" in operator.refuses(
            "workspace", "set", "acme", "--click-retention-days", days
        )
    for days in ("0", "-1", "3651"):
        operator.refuses("workspace", "set", "acme", f"--retention-days={days}")


def test_an_invalid_or_unsafe_app_scheme_changes_nothing(operator: Operator) -> None:
    operator.json("workspace", "create", "acme", "--app-schemes", "myapp")
    for schemes in (
        "javascript",
        "myapp,data",
        "MyApp",
        "myapp, market",
        "https",
        "",
        "myapp,myapp",
    ):
        refusal = operator.refuses("workspace", "set", "acme", "--app-schemes", schemes)
        assert "appSchemes" in refusal


def test_kept_installs_of_one_workspace_are_purged(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_installs, "PAGE", 7)
    operator.json("workspace", "create", "acme")
    table = boto3.resource("dynamodb").Table("clicks")
    kept = [
        (f"INSTALLS#{name}", f"INSTALL#2026-01-01#{n}") for n in range(30) for name in ("acme", "b")
    ]
    with table.batch_writer() as batch:
        for pk, sk in kept:
            batch.put_item({"pk": pk, "sk": sk, "platform": "iOS", "deviceId": "of before"})

    assert operator.json("installs", "purge", "acme") == {
        "workspaceId": "acme",
        "installsPurged": 30,
    }
    assert {item["pk"] for item in table.scan()["Items"]} == {"INSTALLS#b"}
    assert operator.json("installs", "purge", "acme")["installsPurged"] == 0
    assert "no workspace" in operator.refuses("installs", "purge", "nobody")


def test_a_change_of_plan_moves_the_usage_key(operator: Operator) -> None:
    operator.json("workspace", "create", "acme")
    assert operator.json("workspace", "set", "acme", "--plan", "enterprise")["plan"] == "enterprise"
    assert operator.members_of_plans() == {"free": [], "pro": [], "enterprise": ["workspace-acme"]}


def test_an_interrupted_plan_change_is_completed_by_the_next_set(operator: Operator) -> None:
    operator.json("workspace", "create", "acme")
    item = operator.deployment.access.workspace("acme")
    assert item is not None
    boto3.client("apigateway").delete_usage_plan_key(
        usagePlanId=operator.outputs["UsagePlanFree"], keyId=item["usageKeyId"]
    )
    operator.json("workspace", "set", "acme")
    assert operator.members_of_plans()["free"] == ["workspace-acme"]


def test_workspaces_are_listed(operator: Operator) -> None:
    assert operator.json("workspace", "list") == []
    for name in ("beta", "acme"):
        operator.json("workspace", "create", name)
    assert [each["workspaceId"] for each in operator.json("workspace", "list")] == ["acme", "beta"]


# -- keys -----------------------------------------------------------------------------------


def issue(operator: Operator, *more: str) -> dict[str, Any]:
    made: dict[str, Any] = operator.json(
        "key", "issue", "acme", "--name", "ci", "--scopes", "linksWrite,linksRead", *more
    )
    return made


def test_the_secret_is_shown_once_and_stored_nowhere(operator: Operator) -> None:
    operator.json("workspace", "create", "acme")
    made = issue(operator)
    secret = made.pop("secret")
    assert has_valid_checksum(secret)
    assert made["scopes"] == ["linksRead", "linksWrite"]
    assert made["state"] == "active"
    assert operator.json("key", "list", "acme") == [made]
    stored = "".join(items())
    assert secret not in stored
    assert hash_api_key(secret) in stored
    assert hash_api_key(secret) not in json.dumps(made)


#: The first is ambiguous and must not grant `admin`.
WRONG_SCOPES = [
    *("linksRead,linksRead admin", "linksRead admin", "linksRead, linksWrite", " linksRead"),
    *("", "*", "linksread", "linksRead,all", "linksRead,", ",linksRead", "linksRead,,linksWrite"),
    *("linksRead\n", "linksRead\u00a0", "linksRead;linksWrite", "linksRead,linksWrite,linksRead"),
]


def test_a_key_needs_an_exact_list_of_scopes(operator: Operator) -> None:
    operator.json("workspace", "create", "acme")
    for scopes in WRONG_SCOPES:
        operator.refuses("key", "issue", "acme", "--name", "ci", "--scopes", scopes)
    with pytest.raises(Refused, match="only once"):
        issue_key(
            operator.deployment, "acme", name="ci", scopes=["linksRead", "linksWrite", "linksRead"]
        )
    assert operator.json("key", "list", "acme") == []


def test_a_key_may_have_every_scope_and_an_expiry(operator: Operator) -> None:
    operator.json("workspace", "create", "acme")
    made = operator.json(
        *("key", "issue", "acme", "--name", "ops", "--user", "u-1", "--scopes", ",".join(SCOPES)),
        *("--expires-at", "2999-01-31T12:00:00+02:00"),
    )
    assert made["scopes"] == list(SCOPES)
    assert made["userId"] == "u-1"
    assert made["expiresAt"] == "2999-01-31T10:00:00.000Z"
    operator.refuses(
        *("key", "issue", "acme", "--name", "ops", "--scopes", "admin"),
        *("--expires-at", "2020-01-01T00:00:00Z"),
    )


def test_a_rotated_key_stays_valid_for_the_grace_period(operator: Operator) -> None:
    operator.json("workspace", "create", "acme")
    old = issue(operator)
    new = operator.json("key", "rotate", "acme", old["keyId"], "--grace-hours", "1")
    assert new["secret"] != old["secret"]
    assert {new[same] == old[same] for same in ("name", "userId", "scopes")} == {True}
    first, second = operator.json("key", "list", "acme")
    assert first["keyId"] == old["keyId"]
    assert first["state"] == "active"
    assert first["expiresAt"] is not None
    assert second["expiresAt"] is None


def test_a_key_rotated_without_grace_is_revoked(operator: Operator) -> None:
    operator.json("workspace", "create", "acme")
    old = issue(operator)
    operator.json("key", "rotate", "acme", old["keyId"], "--grace-hours", "0")
    states = {key["keyId"]: key["state"] for key in operator.json("key", "list", "acme")}
    assert states.pop(old["keyId"]) == "revoked"
    assert list(states.values()) == ["active"]
    assert "revoked" in operator.refuses("key", "rotate", "acme", old["keyId"])


def test_a_new_secret_is_shown_although_the_old_key_cannot_be_ended(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.json("workspace", "create", "acme")
    old = issue(operator)["keyId"]

    with monkeypatch.context() as patch:
        patch.setattr(ApiKeysTable, "end", Mock(side_effect=Unavailable))
        code, out, _ = operator.run("--json", "key", "rotate", "acme", old)
    assert code == 1
    new = json.loads(out)
    assert operator.deployment.access.find_key(new["secret"])
    assert f"key revoke acme {old}" in new["warning"]
    states = {key["keyId"]: key["state"] for key in operator.json("key", "list", "acme")}
    assert states == {old: "active", new["keyId"]: "active"}


def test_a_rotation_never_extends_a_key(operator: Operator) -> None:
    operator.json("workspace", "create", "acme")
    old = issue(operator, "--expires-in-days", "1")
    operator.json("key", "rotate", "acme", old["keyId"], "--grace-hours", "72")
    first, second = operator.json("key", "list", "acme")
    assert first["expiresAt"] == second["expiresAt"] == old["expiresAt"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--expires-in-days", "0"),
        ("--expires-in-days", "-1"),
        ("--expires-in-days", "3651"),
        ("--expires-in-days", "1.5"),
        ("--expires-at", "tomorrow"),
        ("--expires-at", "2027-01-31T12:00:00"),
        ("--expires-at", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_an_end_that_no_key_can_have_is_named_in_the_error(
    operator: Operator, option: str, value: str
) -> None:
    before = items()
    with pytest.raises(SystemExit) as stopped:
        operator.run(
            "key", "issue", "acme", "--name", "ci", "--scopes", "admin", f"{option}={value}"
        )
    error = operator.capture.readouterr().err
    assert stopped.value.code == 2
    assert f"argument {option}: " in error
    assert " invalid _" not in error
    assert items() == before


@pytest.mark.parametrize("hours", ["nan", "inf", "-1", "87601", "soon"])
def test_a_grace_period_out_of_range_issues_no_key(operator: Operator, hours: str) -> None:
    operator.json("workspace", "create", "acme")
    old = issue(operator)
    with pytest.raises(SystemExit) as stopped:
        operator.run("key", "rotate", "acme", old["keyId"], f"--grace-hours={hours}")
    assert stopped.value.code == 2
    assert "is not a number of hours from 0 to 87600" in operator.capture.readouterr().err
    assert [key["keyId"] for key in operator.json("key", "list", "acme")] == [old["keyId"]]


def test_the_days_of_a_policy_are_a_number_or_never(operator: Operator) -> None:
    with pytest.raises(SystemExit):
        operator.run("workspace", "create", "acme", "--retention-days", "x")
    assert "'x' is neither a number of days nor never" in operator.capture.readouterr().err


def test_revoking_twice_keeps_the_first_timestamp(operator: Operator) -> None:
    operator.json("workspace", "create", "acme")
    key = issue(operator)
    first = operator.json("key", "revoke", "acme", key["keyId"])
    assert first["state"] == "revoked"
    assert operator.json("key", "revoke", "acme", key["keyId"]) == first


def test_a_key_is_found_in_its_own_workspace_only(operator: Operator) -> None:
    operator.json("workspace", "create", "acme")
    operator.json("workspace", "create", "beta")
    key = issue(operator)
    for verb in ("revoke", "rotate"):
        assert "no key" in operator.refuses("key", verb, "beta", key["keyId"])
    assert operator.json("key", "list", "beta") == []


# -- members --------------------------------------------------------------------------------


def test_a_member_is_invited_promoted_and_removed(operator: Operator) -> None:
    operator.json("workspace", "create", "acme")
    email = "ada@example.com"
    assert "no user" in operator.refuses("member", "add", "acme", email, "--role", "viewer")
    made = operator.json("member", "add", "acme", email, "--role", "viewer", "--invite")
    assert made["email"] == email
    promoted = operator.json("member", "add", "acme", email, "--role", "owner")
    assert promoted["userId"] == made["userId"]
    assert promoted["scopes"] == list(SCOPES)
    assert operator.json("member", "list", "acme") == [promoted]
    operator.json("member", "remove", "acme", email)
    assert operator.json("member", "list", "acme") == []
    assert "no member" in operator.refuses("member", "remove", "acme", email)


def test_a_removal_names_the_keys_that_still_act_for_the_member(operator: Operator) -> None:
    operator.json("workspace", "create", "acme")
    user = operator.json("member", "add", "acme", "a@example.com", "--role", "owner", "--invite")
    active, revoked = (issue(operator, "--user", user["userId"])["keyId"] for _ in range(2))
    issue(operator, "--user", "another")
    operator.json("key", "revoke", "acme", revoked)
    assert operator.json("member", "remove", "acme", "a@example.com")["activeKeys"] == [active]


def test_a_new_role_keeps_the_other_fields_of_the_member(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.json("workspace", "create", "acme")
    email = "someone@example.com"
    made = operator.json("member", "add", "acme", email, "--role", "viewer", "--invite")
    access = operator.deployment.access
    monkeypatch.setattr(access_store, "now_iso", lambda: "2030-01-01T00:00:00.000Z")

    # By id, as a script without an e-mail address does.
    changed = access.put_member(made["userId"], workspace_id="acme", role="owner")

    assert changed["createdAt"] == made["createdAt"] < "2030"
    assert changed["email"] == email
    [listed] = operator.json("member", "list", "acme")
    assert listed == made | {"role": "owner", "scopes": list(ROLES["owner"])}


def test_concurrent_changes_of_different_settings_are_both_kept(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.json("workspace", "create", "acme", "--quarantine-days", "5")
    other = ["--plan", "pro", "--quarantine-days", "0", "--link-events", "on"]
    change = partial(operator.json, "workspace", "set", "acme", *other)
    interleave(monkeypatch, AccessTable, "set_workspace", before=change)
    changed = set_workspace_of(
        operator.deployment, "acme", change=lambda old: old._replace(retention_days=9)
    )

    assert changed["plan"] == "pro"
    assert changed["policies"] == DEFAULTS | {"retentionDays": 9, "linkEvents": True}
    assert operator.members_of_plans() == {"free": [], "pro": ["workspace-acme"], "enterprise": []}


def test_a_plan_change_during_a_plan_change_moves_the_key_to_the_last_plan(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.json("workspace", "create", "acme")
    other = partial(operator.json, "workspace", "set", "acme", "--plan", "enterprise")
    interleave(monkeypatch, UsageKeys, "move", before=other)
    set_workspace_of(operator.deployment, "acme", plan="pro")

    assert operator.json("workspace", "show", "acme")["plan"] == "enterprise"
    assert operator.members_of_plans() == {"free": [], "pro": [], "enterprise": ["workspace-acme"]}


def test_a_user_is_a_member_of_one_workspace(operator: Operator) -> None:
    """A session names no workspace."""
    operator.json("workspace", "create", "acme")
    operator.json("workspace", "create", "beta")
    made = operator.json("member", "add", "acme", "a@b.example", "--role", "viewer", "--invite")
    assert "another workspace" in operator.refuses(
        "member", "add", "beta", made["userId"], "--role", "owner"
    )
    assert "no member" in operator.refuses("member", "remove", "beta", made["userId"])


# -- the command ----------------------------------------------------------------------------


def test_a_member_whom_another_operator_removed_is_named_in_the_error(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.json("workspace", "create", "acme")
    operator.json("member", "add", "acme", "a@example.com", "--role", "viewer", "--invite")
    members = AccessTable.members

    def read_then_removed(table: AccessTable, workspace_id: str) -> list[dict[str, Any]]:
        found = members(table, workspace_id)
        table.remove_member(found[0]["userId"], workspace_id=workspace_id)
        return found

    monkeypatch.setattr(AccessTable, "members", read_then_removed)
    code, _, error = operator.run("member", "remove", "acme", "a@example.com")
    assert (code, "removed by another operator" in error) == (1, True)


def test_an_unknown_workspace_is_named_in_the_error(operator: Operator) -> None:
    for words in (
        ("workspace", "show", "nobody"),
        ("workspace", "set", "nobody", "--plan", "pro"),
        ("key", "list", "nobody"),
        ("key", "issue", "nobody", "--name", "a", "--scopes", "admin"),
        ("member", "list", "nobody"),
        ("member", "add", "nobody", "a@b.example", "--role", "viewer"),
    ):
        assert "There is no workspace nobody" in operator.refuses(*words)


def test_text_output_has_progress_and_a_warning_about_the_secret(operator: Operator) -> None:
    code, out, err = operator.run("workspace", "create", "acme")
    assert code == 0
    assert "plan" in out
    assert "Creating the workspace" in err
    _, out, _ = operator.run("key", "issue", "acme", "--name", "ci", "--scopes", "admin")
    assert "cannot be shown again" in out
    _, _, err = operator.run("--quiet", "workspace", "list")
    assert err == ""


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("workspace", "--help"),
        ("workspace", "create", "--help"),
        ("key", "rotate", "--help"),
        ("member", "add", "--help"),
    ],
)
def test_every_command_level_has_help(words: tuple[str, ...], capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    assert ended.value.code == 0
    assert "usage: python -m admin" in capsys.readouterr().out


def test_what_others_have_named_cannot_command_the_terminal() -> None:
    key = {"name": "ci\x1b]0;owned\x07", "scopes": ["linksRead", "a\u202eb"]}
    assert as_text(key) == "name    ci\ufffd]0;owned\ufffd\nscopes  linksRead a\ufffdb\n"


def test_a_local_endpoint_never_gets_real_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    client = connection.client_maker()("dynamodb")
    assert client._request_signer._credentials.access_key == "test"
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    client = connection.client_maker()("dynamodb")
    assert client._request_signer._credentials.access_key == "real"


class _CloudFormation:
    """Describes one stack."""

    def __init__(self, **stack: Any) -> None:
        self._stack = stack

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:
        return {"Stacks": [{"StackName": StackName} | self._stack]}


@pytest.mark.parametrize(
    "stack", [{}, {"Outputs": [{"OutputKey": "WebAclArn", "OutputValue": "arn"}]}], ids=str
)
def test_a_stack_that_is_not_the_service_is_refused(stack: dict[str, Any]) -> None:
    outputs = connection.outputs_of("Unlink-prod-firewall", lambda _: _CloudFormation(**stack))
    with pytest.raises(Refused, match="Unlink-prod-firewall has no output AccessTableName"):
        Deployment.of(outputs, lambda _service: None)


def test_the_command_waits_for_the_functions_that_it_replays_records_with() -> None:
    functions = properties_of(synthesized_template(), "AWS::Lambda::Function")
    readers = [each["Timeout"] for each in functions if "_stream." in each["Handler"]]
    assert len(readers) == 3
    assert max(readers) < connection.READ_TIMEOUT
    assert connection.client_maker()("lambda").meta.config.read_timeout == connection.READ_TIMEOUT
