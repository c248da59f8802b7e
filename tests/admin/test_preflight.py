"""`python -m admin preflight`: every good and bad state of an account, through the real SDK."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from admin import __main__ as command
from admin import arguments, preflight
from admin.commands import Record, Refused
from tests.support.synthesis import synthesize

STACK = "Unlink-prod"

#: What `infra.stages` reserves in production. The check itself reads the template.
RESERVED = 495


class Account:
    """Stubbed clients: the SDK validates each request and each response against AWS's model."""

    def __init__(self) -> None:
        self._stubs: dict[str, Stubber] = {}

    def __call__(self, service: str) -> Any:
        return self.stub(service).client

    def stub(self, service: str) -> Stubber:
        if service not in self._stubs:
            session = boto3.Session(
                aws_access_key_id="a", aws_secret_access_key="b", region_name="eu-west-1"
            )
            self._stubs[service] = Stubber(session.client(service))
            self._stubs[service].activate()
        return self._stubs[service]

    def responds(self, service: str, operation: str, response: dict[str, Any]) -> None:
        self.stub(service).add_response(operation, response)

    def refuses(self, service: str, operation: str, code: str, message: str = "no") -> None:
        self.stub(service).add_client_error(operation, code, message)

    def has_no_stack(self) -> None:
        message = f"Stack with id {STACK} does not exist"
        self.refuses("cloudformation", "describe_stacks", "ValidationError", message)

    def has_stack(self, status: str) -> None:
        stack = {
            "StackName": STACK,
            "StackStatus": status,
            "CreationTime": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        }
        self.responds("cloudformation", "describe_stacks", {"Stacks": [stack]})

    def has_concurrency(self, quota: int, unreserved: int) -> None:
        limit = {"ConcurrentExecutions": quota, "UnreservedConcurrentExecutions": unreserved}
        self.responds("lambda", "get_account_settings", {"AccountLimit": limit})

    def has_gateway(self, *, rate: float = 10_000, burst: int = 5_000, role: str = "") -> None:
        account: dict[str, Any] = {"throttleSettings": {"rateLimit": rate, "burstLimit": burst}}
        if role:
            account["cloudwatchRoleArn"] = role
        self.responds("apigateway", "get_account", account)

    def has_bootstrap(self, version: str) -> None:
        parameter = {"Name": "/cdk-bootstrap/hnb659fds/version", "Value": version}
        self.responds("ssm", "get_parameter", {"Parameter": parameter})

    def has_keys(self, *pages: int) -> None:
        for number, count in enumerate(pages):
            page: dict[str, Any] = {"items": [{"id": "key"}] * count}
            if number < len(pages) - 1:
                page["position"] = f"page-{number}"
            self.responds("apigateway", "get_api_keys", page)


@pytest.fixture
def account() -> Iterator[Account]:
    account = Account()
    yield account
    for stub in account._stubs.values():
        stub.assert_no_pending_responses()


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return synthesize()


def found(
    check: Callable[..., Any], template: dict[str, Any], account: Account
) -> preflight.Finding:
    return preflight._run("it", check, STACK, template, account)


# -- Lambda's concurrency -----------------------------------------------------------------------


def test_the_usual_quota_is_enough(account: Account, template: dict[str, Any]) -> None:
    account.has_concurrency(1_000, 1_000)
    account.has_no_stack()
    finding = found(preflight.concurrency, template, account)
    assert (finding.result, finding.fix) == ("ok", None)
    assert f"reserves {RESERVED} " in finding.says


def test_a_new_accounts_quota_is_too_small(account: Account, template: dict[str, Any]) -> None:
    account.has_concurrency(10, 10)
    account.has_no_stack()
    finding = found(preflight.concurrency, template, account)
    assert finding.result == "fix"
    assert "can give it 0" in finding.says
    assert "-c reservedConcurrency=false" in finding.says
    assert finding.fix is not None
    assert finding.fix.endswith("--quota-code L-B99A9384 --desired-value 1000")


@pytest.mark.parametrize(("unreserved", "result"), [(595, "ok"), (594, "fix")])
def test_other_functions_reservations_count(
    account: Account, template: dict[str, Any], unreserved: int, result: str
) -> None:
    account.has_concurrency(1_000, unreserved)
    account.has_no_stack()
    assert found(preflight.concurrency, template, account).result == result


def test_the_quota_to_request_is_what_is_missing(
    account: Account, template: dict[str, Any]
) -> None:
    account.has_concurrency(1_500, 200)
    account.has_no_stack()
    fix = found(preflight.concurrency, template, account).fix
    # 100 of the 495 are there.
    assert fix is not None
    assert fix.endswith("--desired-value 1900")


def test_the_reservations_of_the_deployed_stack_are_available_to_it(
    account: Account, template: dict[str, Any]
) -> None:
    account.has_concurrency(1_000, 1_000 - RESERVED)
    account.has_stack("UPDATE_COMPLETE")
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    account.responds(
        "cloudformation",
        "list_stack_resources",
        {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": name,
                    "PhysicalResourceId": name,
                    "ResourceType": kind,
                    "LastUpdatedTimestamp": moment,
                    "ResourceStatus": "CREATE_COMPLETE",
                }
                for name, kind in (
                    ("redirect", "AWS::Lambda::Function"),
                    ("queue", "AWS::SQS::Queue"),
                    ("links", "AWS::Lambda::Function"),
                )
            ]
        },
    )
    reserved = {"ReservedConcurrentExecutions": RESERVED}
    account.stub("lambda").add_response(
        "get_function_concurrency", reserved, {"FunctionName": "redirect"}
    )
    account.stub("lambda").add_response("get_function_concurrency", {}, {"FunctionName": "links"})
    assert found(preflight.concurrency, template, account).result == "ok"


def test_without_reservations_any_quota_will_do(account: Account) -> None:
    account.has_concurrency(10, 10)
    account.has_no_stack()
    switched_off = synthesize(reservedConcurrency="false")
    assert found(preflight.concurrency, switched_off, account).result == "ok"


# -- the bootstrap stack ------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "result"), [("5", "fix"), ("6", "ok"), ("28", "ok")])
def test_the_bootstrap_stack_must_be_recent(
    account: Account, template: dict[str, Any], version: str, result: str
) -> None:
    account.has_bootstrap(version)
    finding = found(preflight.bootstrap, template, account)
    assert finding.result == result
    assert finding.says == f"The CDK bootstrap stack has version {version}; the stage needs 6."
    assert finding.fix == (None if result == "ok" else "npx cdk bootstrap")


def test_a_region_without_bootstrap_is_named(account: Account, template: dict[str, Any]) -> None:
    account.refuses("ssm", "get_parameter", "ParameterNotFound")
    finding = found(preflight.bootstrap, template, account)
    assert (finding.result, finding.fix) == ("fix", "npx cdk bootstrap")


# -- API Gateway --------------------------------------------------------------------------------


def test_the_stack_sets_the_log_role(account: Account, template: dict[str, Any]) -> None:
    account.has_gateway()
    finding = found(preflight.gateway_log_role, template, account)
    assert finding.result == "ok"
    assert finding.says.endswith("The stack sets one.")


def test_a_log_role_that_the_stack_replaces_is_named(
    account: Account, template: dict[str, Any]
) -> None:
    role = "arn:aws:iam::111122223333:role/theirs"
    account.has_gateway(role=role)
    finding = found(preflight.gateway_log_role, template, account)
    assert finding.result == "ok"
    assert role in finding.says


@pytest.mark.parametrize(
    ("pages", "result"), [((0,), "ok"), ((500, 9_400), "ok"), ((500, 9_401), "fix")]
)
def test_the_accounts_keys_are_counted_over_all_pages(
    account: Account, template: dict[str, Any], pages: tuple[int, ...], result: str
) -> None:
    account.has_keys(*pages)
    finding = found(preflight.gateway_keys, template, account)
    assert finding.result == result
    assert finding.says.startswith(f"{sum(pages):,} of the account's 10,000")


@pytest.mark.parametrize(
    ("rate", "burst", "fix"),
    [
        (10_000, 5_000, None),
        (4_001, 2_000, None),
        (4_000, 2_000, "npx cdk deploy Unlink-prod -c stage=prod -c rateLimit=1600"),
        (2_500, 1_250, "npx cdk deploy Unlink-prod -c stage=prod -c rateLimit=1000"),
        (10_000, 1_999, "npx cdk deploy Unlink-prod -c stage=prod -c rateLimit=3998"),
    ],
)
def test_the_regions_rate_must_exceed_the_stages(
    account: Account, template: dict[str, Any], rate: float, burst: int, fix: str | None
) -> None:
    account.has_gateway(rate=rate, burst=burst)
    assert found(preflight.gateway_rate, template, account).fix == fix


def test_the_rate_that_it_proposes_is_accepted(account: Account) -> None:
    account.has_gateway(rate=2_500, burst=1_250)
    assert found(preflight.gateway_rate, synthesize(rateLimit="1000"), account).result == "ok"


# -- the stack ----------------------------------------------------------------------------------


def test_a_first_deployment_gets_instructions(account: Account, template: dict[str, Any]) -> None:
    account.has_no_stack()
    finding = found(preflight.stack_state, template, account)
    assert finding.result == "ok"
    assert "--no-rollback" in finding.says


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        ("CREATE_COMPLETE", None),
        ("UPDATE_ROLLBACK_COMPLETE", None),
        ("REVIEW_IN_PROGRESS", None),
        ("CREATE_FAILED", "npx cdk deploy Unlink-prod -c stage=prod --no-rollback"),
        ("ROLLBACK_COMPLETE", "aws cloudformation delete-stack --stack-name Unlink-prod"),
        ("DELETE_FAILED", "aws cloudformation delete-stack --stack-name Unlink-prod"),
        (
            "UPDATE_ROLLBACK_FAILED",
            "aws cloudformation continue-update-rollback --stack-name Unlink-prod",
        ),
        (
            "UPDATE_IN_PROGRESS",
            "aws cloudformation describe-stack-events --stack-name Unlink-prod",
        ),
    ],
)
def test_a_stack_that_cannot_be_deployed_has_its_way_out(
    account: Account, template: dict[str, Any], status: str, fix: str | None
) -> None:
    account.has_stack(status)
    finding = found(preflight.stack_state, template, account)
    assert status in finding.says or status == "UPDATE_IN_PROGRESS"
    assert (finding.fix or "").endswith(fix or "")
    assert (finding.result == "ok") == (fix is None)


# -- all of them --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(preflight.CHECKS))
def test_a_missing_permission_is_no_good_news(
    account: Account, template: dict[str, Any], name: str
) -> None:
    service, operation = {
        "stack": ("cloudformation", "describe_stacks"),
        "CDK bootstrap": ("ssm", "get_parameter"),
        "Lambda concurrency": ("lambda", "get_account_settings"),
        "API Gateway log role": ("apigateway", "get_account"),
        "API Gateway keys": ("apigateway", "get_api_keys"),
        "API Gateway rate": ("apigateway", "get_account"),
    }[name]
    account.refuses(service, operation, "AccessDeniedException", "not authorized to perform: x:Y")
    finding = preflight._run(name, preflight.CHECKS[name], STACK, template, account)
    assert finding.result == "not checked"
    assert "not authorized to perform: x:Y" in finding.says


def answer_well(account: Account) -> None:
    account.has_no_stack()
    account.has_bootstrap("28")
    account.has_concurrency(1_000, 1_000)
    account.has_no_stack()
    account.has_gateway()
    account.has_keys(3)
    account.has_gateway()


def run(
    account: Account, template: dict[str, Any], directory: Path, monkeypatch: pytest.MonkeyPatch
) -> int:
    (directory / f"{STACK}.template.json").write_text(json.dumps(template), encoding="utf-8")
    monkeypatch.setattr(command, "client_maker", lambda: account)
    return command.main(["--json", "--stage", "prod", "preflight", "--assembly", str(directory)])


def test_a_ready_account_ends_with_0(
    account: Account,
    template: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer_well(account)
    assert run(account, template, tmp_path, monkeypatch) == 0
    records: list[Record] = json.loads(capsys.readouterr().out)
    assert [each["check"] for each in records] == list(preflight.CHECKS)
    assert {each["result"] for each in records} == {"ok"}


def test_one_fault_is_enough_to_end_with_1_and_the_others_are_still_checked(
    account: Account,
    template: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    account.has_no_stack()
    account.refuses("ssm", "get_parameter", "ParameterNotFound")
    account.has_concurrency(1_000, 1_000)
    account.has_no_stack()
    account.refuses("apigateway", "get_account", "AccessDeniedException")
    account.has_keys(3)
    account.has_gateway()
    assert run(account, template, tmp_path, monkeypatch) == 1
    records: list[Record] = json.loads(capsys.readouterr().out)
    assert [each["result"] for each in records] == [
        "ok",
        "fix",
        "ok",
        "not checked",
        "ok",
        "ok",
    ]


def test_a_directory_without_the_template_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "client_maker", lambda: None)
    assert command.main(["preflight", "--assembly", str(tmp_path)]) == 1
    assert "npx cdk synth" in capsys.readouterr().err


def test_the_template_is_synthesized_with_the_context_of_the_deployment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cdk = tmp_path / "cdk"
    cdk.write_text(
        "#!/bin/sh\nfor each; do case $each in --output=*) out=${each#--output=};; esac; done\n"
        'echo "{\\"said\\": \\"$*\\"}" >"$out/Unlink-dev.template.json"\n',
        encoding="utf-8",
    )
    cdk.chmod(0o755)
    monkeypatch.setattr(preflight, "CDK", cdk)
    template = preflight.read_template(
        "Unlink-dev", assembly=None, context=["stage=dev", "rateLimit=1000"]
    )
    assert template["said"].startswith("synth --quiet --output=")
    assert template["said"].endswith("-cstage=dev -crateLimit=1000")

    cdk.write_text("#!/bin/sh\necho unknown stage >&2\nexit 1\n", encoding="utf-8")
    with pytest.raises(Refused, match="unknown stage"):
        preflight.read_template("Unlink-dev", assembly=None, context=["stage=dev"])

    monkeypatch.setattr(preflight, "CDK", tmp_path / "nothing")
    with pytest.raises(Refused, match="npm ci"):
        preflight.read_template("Unlink-dev", assembly=None, context=[])


def test_the_stage_is_part_of_the_context(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def read(stack: str, **keywords: Any) -> dict[str, Any]:
        asked.update(keywords, stack=stack)
        raise Refused("enough")

    monkeypatch.setattr(preflight, "read_template", read)
    given = arguments.build_parser().parse_args(["--stage", "dev", "preflight", "-c", "waf=true"])
    with pytest.raises(Refused):
        given.run_on_account(None, given)
    assert asked == {
        "stack": "Unlink-dev",
        "assembly": None,
        "context": ["stage=dev", "waf=true"],
    }
