"""AWS WAF in front of the service: one web ACL at the API's stage, one at the distribution.

A web ACL sees the address that opened the connection. Behind CloudFront that is CloudFront itself,
so rules that count by address are at the distribution for its traffic, and the stage's rules
exclude that traffic.

A rate-based rule counts requests, not responses, so it cannot count 401s (AWS WAF Developer Guide,
"Rate-based rule statements"; only the account-takeover rule group reads responses).
`credentials-per-address` therefore counts requests whose credential cannot be valid by its form.
The stage's throttle and the authorizer's reserved concurrency limit requests with well-formed
invented keys.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import CfnOutput, Environment, Stack
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from infra.http_headers import STRICT_TRANSPORT_SECURITY

#: The region of CloudFront's web ACLs and certificates, for stages of every region
#: (AWS::WAFv2::WebACL, "Scope").
CLOUDFRONT_REGION = "us-east-1"

#: Seconds over which requests are counted, and after which a blocked client should try again.
WINDOW_SECONDS = 300

#: Requests of one address in a window. Twice the largest plan's rate: keys may share an address.
ALL_PER_ADDRESS = 100_000

#: Visits of one address in a window, 40 a second: a carrier may put a city behind one address.
REDIRECTS_PER_ADDRESS = 12_000

#: Requests of one address to the API in a window, of those without a possibly valid credential.
#: Documentation pages count too; preflights do not.
BAD_CREDENTIALS_PER_ADDRESS = 1_000

#: A possibly valid credential: an API key (`functions/domain/api_keys.py`) or three base64url
#: parts, with or without the word Bearer, which the authorizer accepts in any letter case.
CREDENTIAL_FORM = (
    r"^\s*([Bb][Ee][Aa][Rr][Ee][Rr]\s+)?"
    r"(ul_live_[0-9A-Za-z]{38}|ey[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+)\s*$"
)

#: The path of the API as WAF sees it, behind the stage's name or a custom domain's base path. A
#: short link has one segment, so its path never contains this.
API_PATH = "/api/"

#: The response to a blocked client: the one that the gateway sends for a full rate window, which
#: clients of both error formats can read. ASCII, because CloudFormation returns other characters as
#: `?`.
TOO_MANY_REQUESTS = {
    "statusCode": 429,
    "error": {"en": "Rate limit exceeded", "ar": "تم تجاوز حد المعدل"},
    "message": "Rate limit exceeded",
    "retryAfter": WINDOW_SECONDS,
}
TOO_MANY_HEADERS = {
    "Retry-After": str(WINDOW_SECONDS),
    "Cache-Control": "no-store",
    "Strict-Transport-Security": STRICT_TRANSPORT_SECURITY,
    "X-Content-Type-Options": "nosniff",
}


def firewall_stack_name(stage: str) -> str:
    """The stack that holds the web ACL of a stage's distribution."""
    return f"Unlink-{stage}-firewall"


@dataclass(frozen=True)
class _Rule:
    """One rule; its position in the list is its priority."""

    name: str
    statement: waf.CfnWebACL.StatementProperty
    managed: bool = False


class StageFirewall(Construct):
    """A web ACL at the API's stage.

    `from_cdn` is the header (name and value) that only CloudFront sends, if redirects come from
    there: its requests are then not counted by address, because the address is CloudFront's.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage_arn: str,
        from_cdn: tuple[str, str] | None,
    ) -> None:
        super().__init__(scope, construct_id)
        visits = _not(_api())
        everything = None
        if from_cdn is not None:
            everything = _not(_header_is(*from_cdn))
            # Visits that bypass CloudFront and go to the gateway's own address.
            visits = waf.CfnWebACL.StatementProperty(
                and_statement=waf.CfnWebACL.AndStatementProperty(statements=[visits, everything])
            )
        rates = [
            _per_address("rate-per-address", ALL_PER_ADDRESS, requests=everything),
            _per_address("redirects-per-address", REDIRECTS_PER_ADDRESS, requests=visits),
            _per_address(
                "credentials-per-address",
                BAD_CREDENTIALS_PER_ADDRESS,
                requests=_bad_credential(),
            ),
        ]
        acl = _web_acl(self, "REGIONAL", [*_managed_rules(), *rates])
        waf.CfnWebACLAssociation(
            self, "Association", resource_arn=stage_arn, web_acl_arn=acl.attr_arn
        )


class CdnFirewallStack(Stack):
    """The web ACL of the distribution, in the only region that CloudFront accepts.

    A separate stack, because a stack creates its resources in one region. Its output `WebAclArn`
    goes into the context `cdnWebAclArn` of the main stack.
    """

    def __init__(self, scope: Construct, construct_id: str, *, stage: str) -> None:
        super().__init__(
            scope,
            construct_id,
            env=Environment(region=CLOUDFRONT_REGION),
            description=f"Unlink, {stage}: the web ACL of the redirects' distribution",
        )
        rate = _per_address("redirects-per-address", REDIRECTS_PER_ADDRESS)
        acl = _web_acl(self, "CLOUDFRONT", [*_managed_rules(), rate])
        CfnOutput(self, "WebAclArn", value=acl.attr_arn)


def _web_acl(scope: Construct, where: str, rules: Sequence[_Rule]) -> waf.CfnWebACL:
    return waf.CfnWebACL(
        scope,
        "WebAcl",
        scope=where,
        default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
        visibility_config=_visible("web-acl"),
        custom_response_bodies={
            "too-many": waf.CfnWebACL.CustomResponseBodyProperty(
                content_type="APPLICATION_JSON",
                content=json.dumps(TOO_MANY_REQUESTS, separators=(",", ":")),
            )
        },
        rules=[
            waf.CfnWebACL.RuleProperty(
                name=rule.name,
                priority=priority,
                statement=rule.statement,
                visibility_config=_visible(rule.name),
                **_action(rule),
            )
            for priority, rule in enumerate(rules)
        ],
    )


def _action(rule: _Rule) -> dict[str, Any]:
    if rule.managed:
        return {"override_action": waf.CfnWebACL.OverrideActionProperty(none={})}
    too_many = waf.CfnWebACL.CustomResponseProperty(
        response_code=429,
        custom_response_body_key="too-many",
        response_headers=[
            waf.CfnWebACL.CustomHTTPHeaderProperty(name=name, value=value)
            for name, value in TOO_MANY_HEADERS.items()
        ],
    )
    return {
        "action": waf.CfnWebACL.RuleActionProperty(
            block=waf.CfnWebACL.BlockActionProperty(custom_response=too_many)
        )
    }


def _managed_rules() -> list[_Rule]:
    return [
        _Rule(
            name,
            waf.CfnWebACL.StatementProperty(
                managed_rule_group_statement=waf.CfnWebACL.ManagedRuleGroupStatementProperty(
                    vendor_name="AWS", name=name
                )
            ),
            managed=True,
        )
        # Not the common rule set: it blocks bodies over 8 KB, and a delete has 400.
        for name in (
            "AWSManagedRulesAmazonIpReputationList",
            "AWSManagedRulesKnownBadInputsRuleSet",
        )
    ]


def _per_address(
    name: str, limit: int, *, requests: waf.CfnWebACL.StatementProperty | None = None
) -> _Rule:
    """Block an address that sends more than `limit` of these requests in a window."""
    return _Rule(
        name,
        waf.CfnWebACL.StatementProperty(
            rate_based_statement=waf.CfnWebACL.RateBasedStatementProperty(
                limit=limit,
                evaluation_window_sec=WINDOW_SECONDS,
                aggregate_key_type="IP",
                scope_down_statement=requests,
            )
        ),
    )


def _api() -> waf.CfnWebACL.StatementProperty:
    # The gateway decodes before it matches, so `/%61pi/` is the API too.
    return _matches({"uri_path": {}}, "CONTAINS", API_PATH, transformation="URL_DECODE")


def _header_is(name: str, value: str) -> waf.CfnWebACL.StatementProperty:
    return _matches({"single_header": {"Name": name.lower()}}, "EXACTLY", value)


def _bad_credential() -> waf.CfnWebACL.StatementProperty:
    """A request to the API, except a preflight, whose credential is missing or cannot be valid."""
    credential = waf.CfnWebACL.StatementProperty(
        regex_match_statement=waf.CfnWebACL.RegexMatchStatementProperty(
            field_to_match=waf.CfnWebACL.FieldToMatchProperty(
                single_header={"Name": "authorization"}
            ),
            regex_string=CREDENTIAL_FORM,
            text_transformations=[_transformed("NONE")],
        )
    )
    preflight = _matches({"method": {}}, "EXACTLY", "OPTIONS")
    return waf.CfnWebACL.StatementProperty(
        and_statement=waf.CfnWebACL.AndStatementProperty(
            statements=[_api(), _not(preflight), _not(credential)]
        )
    )


def _matches(
    field: dict[str, Any], where: str, text: str, *, transformation: str = "NONE"
) -> waf.CfnWebACL.StatementProperty:
    """Requests whose field (by a keyword of `FieldToMatchProperty`) has `text` there."""
    return waf.CfnWebACL.StatementProperty(
        byte_match_statement=waf.CfnWebACL.ByteMatchStatementProperty(
            field_to_match=waf.CfnWebACL.FieldToMatchProperty(**field),
            positional_constraint=where,
            search_string=text,
            text_transformations=[_transformed(transformation)],
        )
    )


def _transformed(kind: str) -> waf.CfnWebACL.TextTransformationProperty:
    return waf.CfnWebACL.TextTransformationProperty(priority=0, type=kind)


def _not(statement: waf.CfnWebACL.StatementProperty) -> waf.CfnWebACL.StatementProperty:
    return waf.CfnWebACL.StatementProperty(
        not_statement=waf.CfnWebACL.NotStatementProperty(statement=statement)
    )


def _visible(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
