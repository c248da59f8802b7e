"""WAF: which requests each rule counts, and where the web ACLs are attached."""

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from functions.domain.api_keys import generate_api_key
from infra.stages import RESERVED, settings_of
from tests.support.synthesis import assembly, key_of_stack, remembered
from tests.support.template import (
    Template,
    functions,
    invoked_function,
    module_of,
    properties_of,
    resources,
    synthesize,
    synthesized_template,
)
from tests.support.tokens import token

ACL_ARN = "arn:aws:wafv2:us-east-1:000000000000:global/webacl/WebAcl-x/0c6c8dd1"

BOTH = {"cdn": "true", "waf": "true", "cdnWebAclArn": ACL_ARN}


@cache
def with_waf() -> Template:
    """A stage with a web ACL and no distribution."""
    return synthesize(waf="true")


@cache
def with_both() -> Template:
    """A stage with a web ACL behind a distribution that has its own."""
    return synthesize(**BOTH)


@cache
def firewall() -> Template:
    """The stack of the distribution's web ACL."""
    return synthesize("Unlink-prod-firewall", **BOTH)


def rules(template: Template) -> dict[str, dict[str, Any]]:
    [acl] = properties_of(template, "AWS::WAFv2::WebACL")
    found = acl["Rules"]
    assert [rule["Priority"] for rule in found] == list(range(len(found)))
    return {rule["Name"]: rule for rule in found}


def rates(template: Template) -> dict[str, dict[str, Any]]:
    """The rate-based statements by rule."""
    return {
        name: rule["Statement"]["RateBasedStatement"]
        for name, rule in rules(template).items()
        if "RateBasedStatement" in rule["Statement"]
    }


def matches(statement: dict[str, Any] | None, request: dict[str, Any]) -> bool:
    """Evaluate a WAF statement over `path`, `method` and headers by their lower-case names."""
    if statement is None:
        return True
    [(kind, given)] = statement.items()
    if kind == "NotStatement":
        return not matches(given["Statement"], request)
    if kind == "AndStatement":
        return all(matches(each, request) for each in given["Statements"])
    match given["FieldToMatch"]:
        case {"UriPath": {}}:
            value = request["path"].replace("%61", "a")
        case {"Method": {}}:
            value = request["method"]
        case {"SingleHeader": {"Name": name}}:
            if name not in request:
                return False
            value = request[name]
    if kind == "RegexMatchStatement":
        return re.search(given["RegexString"], value) is not None
    assert kind == "ByteMatchStatement"
    wanted = given["SearchString"]
    return value == wanted if given["PositionalConstraint"] == "EXACTLY" else wanted in value


def counted_by(
    template: Template, method: str, path: str, authorization: str = "", **headers: Any
) -> set[str]:
    request = {"method": method, "path": path, **headers}
    if authorization:
        request["authorization"] = authorization
    return {
        name
        for name, rate in rates(template).items()
        if matches(rate.get("ScopeDownStatement"), request)
    }


KEY = generate_api_key()
SESSION = token()


def _named(value: Any) -> str | None:
    """A test's name may not be random: the workers of a run compare the names of their tests."""
    if isinstance(value, str):
        return value.replace(KEY, "KEY").replace(SESSION, "SESSION")
    return None


ALL = "rate-per-address"
VISITS = "redirects-per-address"
REFUSED = "credentials-per-address"


@pytest.mark.parametrize(
    ("method", "path", "authorization", "expected"),
    [
        ("GET", "/prod/abc123", "", {ALL, VISITS}),
        ("HEAD", "/abc123", "", {ALL, VISITS}),
        ("GET", "/prod/", "", {ALL, VISITS}),
        ("GET", "/prod/api/links", KEY, {ALL}),
        ("GET", "/api/links", f"Bearer {KEY}", {ALL}),
        ("GET", "/base/api/links", f"bEARER  {KEY} ", {ALL}),
        ("POST", "/prod/api/links", f"Bearer {SESSION}", {ALL}),
        ("POST", "/prod/%61pi/links", "Bearer invented", {ALL, REFUSED}),
        ("POST", "/prod/api/links", "Bearer invented", {ALL, REFUSED}),
        ("POST", "/prod/api/links", f"Bearer {KEY}x", {ALL, REFUSED}),
        ("POST", "/prod/api/links", f"Basic {KEY}", {ALL, REFUSED}),
        ("POST", "/prod/api/links", "", {ALL, REFUSED}),
        # A browser sends no credential with a preflight.
        ("OPTIONS", "/prod/api/links", "", {ALL}),
    ],
    ids=_named,
)
def test_each_rate_rule_counts_its_own_requests(
    method: str, path: str, authorization: str, expected: set[str]
) -> None:
    assert counted_by(with_waf(), method, path, authorization) == expected


def test_rate_rules_are_per_address_and_above_the_plans() -> None:
    found = rates(with_waf())
    assert {name: rate["Limit"] for name, rate in found.items()} == {
        ALL: 100_000,
        VISITS: 12_000,
        REFUSED: 1_000,
    }
    for rate in found.values():
        assert rate["AggregateKeyType"] == "IP"
        assert rate["EvaluationWindowSec"] == 300
    # An enterprise key may send 10,000 a minute, and two may share an address.
    assert found[ALL]["Limit"] >= 2 * 5 * 10_000


def test_the_managed_rules_let_a_long_body_pass() -> None:
    managed = {
        name
        for name, rule in rules(with_waf()).items()
        if "ManagedRuleGroupStatement" in rule["Statement"]
    }
    # The common rule set would block a body over 8 KB.
    assert managed == {
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesKnownBadInputsRuleSet",
    }


def test_a_blocked_client_gets_retry_after() -> None:
    [acl] = properties_of(with_waf(), "AWS::WAFv2::WebACL")
    bodies = acl["CustomResponseBodies"]
    for name, rule in rules(with_waf()).items():
        if "RateBasedStatement" not in rule["Statement"]:
            continue
        response = rule["Action"]["Block"]["CustomResponse"]
        assert response["ResponseCode"] == 429, name
        headers = {each["Name"]: each["Value"] for each in response["ResponseHeaders"]}
        assert headers["Retry-After"] == "300"
        assert headers["Strict-Transport-Security"] == "max-age=31536000"
        body = bodies[response["CustomResponseBodyKey"]]["Content"]
        assert body.isascii()
        assert json.loads(body) == {
            "statusCode": 429,
            "error": {"en": "Rate limit exceeded", "ar": "تم تجاوز حد المعدل"},
            "message": "Rate limit exceeded",
            "retryAfter": 300,
        }


def test_without_a_distribution_the_stage_has_the_only_web_acl() -> None:
    template = with_waf()
    [acl] = properties_of(template, "AWS::WAFv2::WebACL")
    assert acl["Scope"] == "REGIONAL"
    [stage] = resources(template, "AWS::ApiGateway::Stage")
    [association] = properties_of(template, "AWS::WAFv2::WebACLAssociation")
    assert {"Ref": stage} in association["ResourceArn"]["Fn::Join"][1]


def test_behind_cloudfront_the_stage_does_not_count_cloudfronts_addresses() -> None:
    template = with_both()
    [distribution] = properties_of(template, "AWS::CloudFront::Distribution")
    [origin] = distribution["DistributionConfig"]["Origins"]
    [secret] = origin["OriginCustomHeaders"]
    from_cdn = {secret["HeaderName"].lower(): secret["HeaderValue"]}
    # Requests from CloudFront; all have CloudFront's addresses.
    for method, path in (("GET", "/prod/abc123"), ("HEAD", "/prod/abc123"), ("GET", "/prod/")):
        assert counted_by(template, method, path, **from_cdn) == set()
    # Visits that bypass CloudFront, also with a forged header.
    assert counted_by(template, "GET", "/prod/abc123") == {ALL, VISITS}
    invented = dict.fromkeys(from_cdn, "guess")
    assert counted_by(template, "GET", "/prod/abc123", **invented) == {ALL, VISITS}
    # Callers of the API reach the stage directly.
    assert counted_by(template, "GET", "/prod/api/links", KEY) == {ALL}
    assert counted_by(template, "GET", "/prod/api/links", "x") == {ALL, REFUSED}


def test_the_distribution_counts_visitors_by_their_own_addresses() -> None:
    [acl] = properties_of(firewall(), "AWS::WAFv2::WebACL")
    assert acl["Scope"] == "CLOUDFRONT"
    assert {name: rate["Limit"] for name, rate in rates(firewall()).items()} == {VISITS: 12_000}
    assert counted_by(firewall(), "GET", "/abc123") == {VISITS}
    [name] = resources(firewall(), "AWS::WAFv2::WebACL")
    assert firewall()["Outputs"]["WebAclArn"]["Value"] == {"Fn::GetAtt": [name, "Arn"]}
    [distribution] = properties_of(with_both(), "AWS::CloudFront::Distribution")
    assert distribution["DistributionConfig"]["WebACLId"] == ACL_ARN


def test_the_distributions_web_acl_is_in_us_east_1() -> None:
    assert assembly(**BOTH)["regions"]["Unlink-prod-firewall"] == "us-east-1"


def errors(**context: str) -> list[str]:
    """The errors that make the CLI refuse to deploy the main stack."""
    found = assembly(**context)
    return found["errors"][found["main"]]


def test_cdn_and_waf_without_a_web_acl_arn_are_refused_with_instructions() -> None:
    [error] = errors(cdn="true", waf="true")
    assert "Deploy Unlink-prod-firewall first" in error
    assert "-c cdnWebAclArn=" in error
    assert errors(**BOTH) == []
    assert errors(cdn="true") == []
    assert errors(waf="true") == []


def test_an_existing_web_acl_may_protect_the_distribution() -> None:
    template = synthesize(cdn="true", cdnWebAclArn=ACL_ARN)
    [distribution] = properties_of(template, "AWS::CloudFront::Distribution")
    assert distribution["DistributionConfig"]["WebACLId"] == ACL_ARN
    assert not resources(template, "AWS::WAFv2::WebACL")


@pytest.mark.parametrize(
    "arn",
    [
        "WebAcl",
        ACL_ARN.replace("us-east-1", "eu-central-1"),
        ACL_ARN.replace("global", "regional"),
        ACL_ARN + " ",
    ],
)
def test_a_web_acl_of_another_region_or_scope_is_refused(arn: str) -> None:
    with pytest.raises(ValueError, match="cdnWebAclArn"):
        settings_of({"cdn": "true", "cdnWebAclArn": arn})


def test_the_stage_has_a_throttle_below_the_accounts_quota(template: Template) -> None:
    [stage] = properties_of(template, "AWS::ApiGateway::Stage")
    [whole] = [each for each in stage["MethodSettings"] if each["ResourcePath"] == "/*"]
    assert whole["HttpMethod"] == "*"
    assert whole["ThrottlingRateLimit"] == 4_000
    assert whole["ThrottlingBurstLimit"] == 2_000


def test_a_region_with_a_smaller_quota_may_have_a_lower_throttle() -> None:
    [stage] = properties_of(synthesize(rateLimit="1200"), "AWS::ApiGateway::Stage")
    limits = {
        (each["HttpMethod"], each["ResourcePath"]): each["ThrottlingRateLimit"]
        for each in stage["MethodSettings"]
    }
    assert limits["*", "/*"] == 1_200
    assert limits["GET", "/~1{code}"] == 750


@pytest.mark.parametrize("limit", ["0", "10000", "-1", "many", "1.5"])
def test_an_invalid_throttle_is_refused(limit: str) -> None:
    with pytest.raises(ValueError, match="rateLimit"):
        settings_of({"rateLimit": limit})


def reserved(template: Template) -> dict[str, int]:
    return {
        name: function["ReservedConcurrentExecutions"]
        for name, function in functions(template).items()
        if "ReservedConcurrentExecutions" in function
    }


def test_production_reserves_concurrency_within_the_usual_quota(template: Template) -> None:
    found = reserved(template)
    assert found == RESERVED
    # Lambda keeps 100 of an account's 1,000 unreserved; the API's other functions need more.
    assert sum(found.values()) == 495
    assert found["authorizer"] * (1_000 / 20) >= 4_000, "the stage admits more than it can check"


def test_an_event_source_never_exceeds_its_workers_concurrency(template: Template) -> None:
    queues = {}
    for mapping in properties_of(template, "AWS::Lambda::EventSourceMapping"):
        if "ScalingConfig" in mapping:
            function = invoked_function(template, mapping["FunctionName"])
            at_a_time = mapping["ScalingConfig"]["MaximumConcurrency"]
            queues[module_of(function)] = at_a_time
    assert queues.keys() == {"deletion_worker", "erase_worker", "export_worker"}
    found = reserved(template)
    assert {name: at_a_time for name, at_a_time in queues.items() if at_a_time > found[name]} == {}


@pytest.mark.parametrize("value", [False, "false"])
def test_an_account_with_a_small_quota_reserves_none(value: Any) -> None:
    assert reserved(synthesize(reservedConcurrency=value)) == {}
    assert reserved(synthesized_template("dev")) == {}


def test_a_reservation_of_an_unknown_function_is_refused() -> None:
    def refused() -> str:
        from aws_cdk import App
        from aws_cdk.aws_lambda import Code

        from infra.stack import UnlinkStack

        settings = replace(settings_of({}), reserved_concurrency={"redirect": 10, "resume": 20})
        with pytest.raises(ValueError, match="resume") as error:
            UnlinkStack(App(), "Unlink-typo", settings=settings, code=Code.from_inline("-"))
        return str(error.value)

    # Not repeated for the same stack and the same test.
    this_file = Path(__file__).read_text(encoding="utf-8")
    error = remembered(key_of_stack("an unknown function", this_file), refused)
    assert "no such functions: ['resume']" in error
