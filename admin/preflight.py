"""Checks of an account and region before a deployment.

The requirements of the stage are read from its synthesized template. Each check prints its result
in one sentence, and the command that fixes a problem.
"""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from admin.commands import Record, Refused
from admin.connection import Clients

ROOT = Path(__file__).resolve().parent.parent
CDK = ROOT / "node_modules" / ".bin" / "cdk"

#: Executions that Lambda keeps for functions without a reservation
#: (Lambda Developer Guide, "Configuring reserved concurrency").
UNRESERVED = 100

#: Service Quotas' code for Lambda's "Concurrent executions".
CONCURRENCY_QUOTA = "L-B99A9384"

#: API keys of an account and region (API Gateway Developer Guide, "Quotas"; not adjustable).
API_KEYS = 10_000

#: Fewer free keys than this are too few: each workspace needs one.
FREE_KEYS = 100

#: The part of the account's rate that `rateLimit` should leave to its other APIs.
RATE_SHARE = 0.4

Template = dict[str, Any]
Result = Literal["ok", "fix", "not checked"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `fix` is a command, or None if nothing must be done."""

    check: str
    result: Result
    says: str
    fix: str | None = None


def read_template(stack: str, *, assembly: str | None, context: Sequence[str]) -> Template:
    """The template of a stack: from the directory `assembly`, or from a new synthesis.

    Raises `Refused` if the synthesis fails, or if the directory has no such template.
    """
    if assembly is not None:
        return _load(Path(assembly), stack)
    if not CDK.exists():
        raise Refused("The CDK command line is not installed. Run: npm ci")
    with tempfile.TemporaryDirectory() as scratch:
        synthesis = subprocess.run(
            [
                str(CDK),
                "synth",
                "--quiet",
                f"--output={scratch}",
                *(f"-c{each}" for each in context),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        # A stack with an error is written too.
        if synthesis.returncode != 0:
            raise Refused(f"cdk synth failed:\n{synthesis.stderr.strip()}")
        return _load(Path(scratch), stack)


def _load(directory: Path, stack: str) -> Template:
    path = directory / f"{stack}.template.json"
    try:
        template: Template = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refused(f"{path} does not exist. Run: npx cdk synth --quiet -c stage=STAGE") from None
    return template


def check(stack: str, template: Template, client: Clients) -> list[Record]:
    """Run every check, also after one that failed."""
    return [asdict(_run(name, each, stack, template, client)) for name, each in CHECKS.items()]


def failed(records: Sequence[Record]) -> bool:
    """Whether something must be done, or could not be checked."""
    return any(each["result"] != "ok" for each in records)


@dataclass(frozen=True, slots=True)
class Advice:
    """The result of a check, and the command that fixes it; None if nothing must be done."""

    says: str
    fix: str | None = None


Check = Callable[[str, Template, Clients], Advice]


def _run(name: str, check: Check, stack: str, template: Template, client: Clients) -> Finding:
    try:
        advice = check(stack, template, client)
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        if "AccessDenied" in code or "Unauthorized" in code:
            says = f"The credentials lack a permission: {error}"
            return Finding(name, "not checked", says, "aws sts get-caller-identity")
        return Finding(name, "not checked", str(error))
    except BotoCoreError as error:
        return Finding(name, "not checked", str(error))
    return Finding(name, "fix" if advice.fix else "ok", advice.says, advice.fix)


# -- the checks -------------------------------------------------------------------------------


def stack_state(stack: str, template: Template, client: Clients) -> Advice:
    """Whether a deployment can start."""
    status = _status(stack, client)
    if status is None:
        return Advice(f"{stack} does not exist yet. Deploy it the first time with --no-rollback.")
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"):
        return Advice(
            f"{stack} is {status}: its first deployment failed, and it can only be deleted. "
            "See docs/first-deployment.md.",
            f"aws cloudformation update-termination-protection --stack-name {stack} "
            "--no-enable-termination-protection && "
            f"aws cloudformation delete-stack --stack-name {stack}",
        )
    if status in ("CREATE_FAILED", "UPDATE_FAILED"):
        return Advice(
            f"{stack} is {status}: its resources were kept, and the deployment can be repeated.",
            _deploy(stack, template, "--no-rollback"),
        )
    if status == "UPDATE_ROLLBACK_FAILED":
        return Advice(
            f"{stack} is {status}: its rollback must end before it can be deployed.",
            f"aws cloudformation continue-update-rollback --stack-name {stack}",
        )
    if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        return Advice(
            f"{stack} is {status}: another deployment is running.",
            f"aws cloudformation describe-stack-events --stack-name {stack}",
        )
    return Advice(f"{stack} is {status}.")


def bootstrap(_stack: str, template: Template, client: Clients) -> Advice:
    """The version of the CDK bootstrap stack."""
    parameter = template["Parameters"]["BootstrapVersion"]["Default"]
    needed = _needed_bootstrap(template)
    try:
        found = client("ssm").get_parameter(Name=parameter)["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"].get("Code") != "ParameterNotFound":
            raise
        return Advice("The account and region have no CDK bootstrap stack.", "npx cdk bootstrap")
    says = f"The CDK bootstrap stack has version {found}; the stage needs {needed}."
    return Advice(says, "npx cdk bootstrap" if int(found) < needed else None)


def concurrency(stack: str, template: Template, client: Clients) -> Advice:
    """The concurrency that the stage reserves, compared with what the account can reserve."""
    reserved = sum(
        function.get("ReservedConcurrentExecutions", 0)
        for function in _properties(template, "AWS::Lambda::Function")
    )
    limit = client("lambda").get_account_settings()["AccountLimit"]
    quota = int(limit["ConcurrentExecutions"])
    deployed = _reserved_by(stack, client)
    free = max(0, int(limit["UnreservedConcurrentExecutions"]) + deployed - UNRESERVED)
    says = (
        f"The stage reserves {reserved} concurrent executions, and the account can give it {free}: "
        f"its quota is {quota}, and Lambda keeps {UNRESERVED} unreserved."
    )
    if reserved <= free:
        return Advice(says)
    needed = max(1_000, math.ceil((quota + reserved - free) / 100) * 100)
    return Advice(
        f"{says} Raise the quota, or deploy with -c reservedConcurrency=false.",
        "aws service-quotas request-service-quota-increase --service-code lambda "
        f"--quota-code {CONCURRENCY_QUOTA} --desired-value {needed}",
    )


def gateway_log_role(_stack: str, _template: Template, client: Clients) -> Advice:
    """The account's role by which API Gateway writes access logs."""
    current = client("apigateway").get_account().get("cloudwatchRoleArn")
    if not current:
        return Advice("API Gateway has no log role in this account. The stack sets one.")
    return Advice(
        f"The account's log role of API Gateway is {current}. The stack sets its own, which all "
        "APIs of the region then use."
    )


def gateway_keys(_stack: str, _template: Template, client: Clients) -> Advice:
    """API keys in use: each workspace needs one."""
    pages = client("apigateway").get_paginator("get_api_keys").paginate(limit=500)
    used = sum(len(page["items"]) for page in pages)
    says = f"{used:,} of the account's {API_KEYS:,} API Gateway keys are in use."
    if used <= API_KEYS - FREE_KEYS:
        return Advice(says)
    return Advice(
        f"{says} Each workspace needs one. Remove those that deleted stacks left.",
        "python -m admin usage-keys remove-orphans",
    )


def gateway_rate(stack: str, template: Template, client: Clients) -> Advice:
    """The stage's throttle, against the account's in this region."""
    [every] = [
        method
        for stage in _properties(template, "AWS::ApiGateway::Stage")
        for method in stage["MethodSettings"]
        if (method["ResourcePath"], method["HttpMethod"]) == ("/*", "*")
    ]
    rate, burst = every["ThrottlingRateLimit"], every["ThrottlingBurstLimit"]
    account = client("apigateway").get_account()["throttleSettings"]
    says = (
        f"The stage admits {rate:g} requests a second ({burst} at once) to each method, and the "
        f"account {account['rateLimit']:g} ({account['burstLimit']}) to all its APIs in the region."
    )
    if rate < account["rateLimit"] and burst <= account["burstLimit"]:
        return Advice(says)
    # The burst limit of a stage is half of its rate.
    lower = min(account["rateLimit"] * RATE_SHARE, account["burstLimit"] * 2)
    return Advice(
        f"{says} A flood would stop the others.",
        _deploy(stack, template, f"-c rateLimit={lower:.0f}"),
    )


CHECKS: dict[str, Check] = {
    "stack": stack_state,
    "CDK bootstrap": bootstrap,
    "Lambda concurrency": concurrency,
    "API Gateway log role": gateway_log_role,
    "API Gateway keys": gateway_keys,
    "API Gateway rate": gateway_rate,
}


def _deploy(stack: str, template: Template, option: str) -> str:
    """The command that deploys this stack: without its stage it would be production's."""
    stage = template["Outputs"]["StageName"]["Value"]
    return f"npx cdk deploy {stack} -c stage={stage} {option}"


def _properties(template: Template, kind: str) -> Iterator[dict[str, Any]]:
    for resource in template["Resources"].values():
        if resource["Type"] == kind:
            yield resource.get("Properties", {})


def _needed_bootstrap(template: Template) -> int:
    """The lowest version that the template's own rule does not refuse."""
    [assertion] = template["Rules"]["CheckBootstrapVersion"]["Assertions"]
    refused, _ = assertion["Assert"]["Fn::Not"][0]["Fn::Contains"]
    return max(map(int, refused)) + 1


def _status(stack: str, client: Clients) -> str | None:
    try:
        described = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return str(described[0]["StackStatus"])


def _reserved_by(stack: str, client: Clients) -> int:
    """What the functions of the deployed stack reserve now, which an update may use again."""
    if _status(stack, client) is None:
        return 0
    pages = client("cloudformation").get_paginator("list_stack_resources")
    names = [
        resource["PhysicalResourceId"]
        for page in pages.paginate(StackName=stack)
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::Lambda::Function"
        and resource.get("PhysicalResourceId")
        and resource["ResourceStatus"] != "DELETE_COMPLETE"
    ]
    functions = client("lambda")
    return sum(
        functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions", 0)
        for name in names
    )
