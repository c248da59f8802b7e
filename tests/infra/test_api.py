"""Routes and the gateway's own behaviour. The emulator ignores most of it."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from functions.api.methods import allowed_methods
from functions.api.security_headers import TRANSPORT
from functions.services.api_keys import AUTHORIZER_CACHE_SECONDS
from infra.http_headers import STRICT_TRANSPORT_SECURITY
from tests.support.routes import CATCH_ALLS, KEYED, OPEN, ROUTES
from tests.support.template import (
    Template,
    invoked_function,
    module_of,
    path_of,
    properties_of,
    resources,
    synthesize,
    synthesized_template,
)

PLANS: dict[str, dict[str, int]] = json.loads(
    Path(__file__).parents[2].joinpath("functions/domain/plans.json").read_text(encoding="utf-8")
)


def methods(template: Template) -> dict[tuple[str, str], dict[str, Any]]:
    """The properties of every method by verb and path."""
    return {
        (method["Properties"]["HttpMethod"], path_of(template, method)): method["Properties"]
        for method in resources(template, "AWS::ApiGateway::Method").values()
    }


def handler_of(template: Template, method: dict[str, Any]) -> str:
    """The module of the function that a method's integration invokes."""
    return module_of(invoked_function(template, method["Integration"]["Uri"]))


def test_each_route_invokes_its_function(template: Template) -> None:
    assert {
        route: handler_of(template, method)
        for route, method in methods(template).items()
        if route[0] not in {"OPTIONS", "ANY"}
    } == ROUTES


def test_every_path_answers_its_undefined_methods(template: Template) -> None:
    assert {
        path: handler_of(template, method)
        for (verb, path), method in methods(template).items()
        if verb == "ANY"
    } == CATCH_ALLS
    # HEAD is supported wherever GET is.
    for (verb, path), function in ROUTES.items():
        if verb == "GET" and path != "/{code}":
            assert CATCH_ALLS[path] == function


def test_the_functions_know_the_methods_of_each_path(template: Template) -> None:
    deployed: dict[str, set[str]] = {
        path: set() for path in CATCH_ALLS if path != "/{code}/{rest+}"
    }
    for verb, path in methods(template):
        if verb != "ANY":
            deployed[path] |= {"GET", "HEAD"} if verb == "GET" else {verb}
    # One function answers all of `/`.
    deployed["/"] = {"GET", "HEAD"}
    assert {path: set(allowed_methods(path)) for path in deployed} == deployed


def test_every_api_method_needs_the_authorizer_and_a_usage_key(template: Template) -> None:
    [authorizer] = resources(template, "AWS::ApiGateway::Authorizer")
    paths = {path for _, path in KEYED}
    keyed = {
        (verb, path): method
        for (verb, path), method in methods(template).items()
        if path in paths and verb != "OPTIONS"
    }
    assert ("ANY", "/api/links") in keyed
    for route, method in keyed.items():
        assert method["AuthorizationType"] == "CUSTOM", route
        assert method["AuthorizerId"] == {"Ref": authorizer}, route
        assert method["ApiKeyRequired"] is True, route


def test_open_routes_need_no_key_and_are_throttled(template: Template) -> None:
    keyed = {path for _, path in KEYED}
    routes = set(OPEN) | {("ANY", path) for path in set(CATCH_ALLS) - keyed}
    for route in routes:
        method = methods(template)[route]
        assert method["AuthorizationType"] == "NONE"
        assert not method.get("ApiKeyRequired")
    settings = {
        (each["HttpMethod"], each["ResourcePath"]): each for each in method_settings(template)
    }
    for verb, path in itertools.product(("GET", "HEAD"), {path for _, path in routes}):
        # CloudFormation writes a "/" inside the path as "~1".
        ceiling = settings[verb, "/" if path == "/" else "/" + path.replace("/", "~1")]
        assert ceiling["ThrottlingRateLimit"] > 0
        assert ceiling["ThrottlingBurstLimit"] > 0


def test_the_settings_of_methods_are_such_as_a_stage_takes(template: Template) -> None:
    """CloudFormation sets them by UpdateStage, which a change set does not try."""
    settings = method_settings(template)
    # It refuses ANY as an "Invalid method setting path".
    verbs = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
    for each in settings:
        method = each["HttpMethod"], each["ResourcePath"]
        assert method == ("*", "/*") or method[0] in verbs, method
    # Too many values at once are "Update size too large".
    assert sum(len(each.keys() - {"HttpMethod", "ResourcePath"}) for each in settings) <= 80


def method_settings(template: Template) -> list[dict[str, Any]]:
    [stage] = properties_of(template, "AWS::ApiGateway::Stage")
    settings: list[dict[str, Any]] = stage["MethodSettings"]
    return settings


def test_the_authorizer_sets_the_usage_key_and_its_responses_are_cached(template: Template) -> None:
    [api] = properties_of(template, "AWS::ApiGateway::RestApi")
    assert api["ApiKeySourceType"] == "AUTHORIZER"
    [authorizer] = properties_of(template, "AWS::ApiGateway::Authorizer")
    assert authorizer["Type"] == "REQUEST"
    assert authorizer["IdentitySource"] == "method.request.header.Authorization"
    # What a caller is told about a revoked key.
    assert authorizer["AuthorizerResultTtlInSeconds"] == AUTHORIZER_CACHE_SECONDS


def test_bodies_pass_unchanged(template: Template) -> None:
    [api] = properties_of(template, "AWS::ApiGateway::RestApi")
    assert api["BinaryMediaTypes"] == ["*/*"]


@pytest.mark.exhaustive
def test_a_change_of_the_api_is_deployed(template: Template) -> None:
    """A deployment is a snapshot: only one of a new name reaches the stage."""
    [before] = resources(template, "AWS::ApiGateway::Deployment")
    [after] = resources(
        synthesize(corsAllowOrigins="https://a.test"), "AWS::ApiGateway::Deployment"
    )
    assert before != after


@pytest.mark.parametrize("plan", sorted(PLANS))
def test_a_usage_plan_never_refuses_what_the_exact_windows_allow(
    template: Template, plan: str
) -> None:
    usage_plan = template["Resources"][
        template["Outputs"][f"UsagePlan{plan.capitalize()}"]["Value"]["Ref"]
    ]["Properties"]
    window = PLANS[plan]["requestsPerMinute"]
    # The end of one window and the start of the next may fall together.
    assert usage_plan["Throttle"]["BurstLimit"] >= 2 * window
    # After that the bucket must refill within a window.
    assert usage_plan["Throttle"]["RateLimit"] * 60 > window
    [stage] = resources(template, "AWS::ApiGateway::Stage")
    assert [each["Stage"] for each in usage_plan["ApiStages"]] == [{"Ref": stage}]
    assert "Quota" not in usage_plan


def test_every_api_path_answers_preflights_without_a_key(template: Template) -> None:
    paths = {path for verb, path in ROUTES if path.startswith("/api/")}
    preflights = {path: m for (verb, path), m in methods(template).items() if verb == "OPTIONS"}
    assert set(preflights) == paths
    for path, method in preflights.items():
        assert method["AuthorizationType"] == "NONE"
        assert not method.get("ApiKeyRequired")
        headers = preflight_headers(method)
        allowed = set(headers["Access-Control-Allow-Methods"].split(","))
        assert allowed == {verb for verb, each in ROUTES if each == path} | {"OPTIONS"}
        assert set(headers["Access-Control-Allow-Headers"].split(",")) == {
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
        }
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in headers
        assert headers["Strict-Transport-Security"] == "max-age=31536000"


def test_preflights_survive_binary_media_types(template: Template) -> None:
    """Without the conversion a mock integration answers 500 with the media type `*/*`."""
    for (verb, _), method in methods(template).items():
        if verb == "OPTIONS":
            integration = method["Integration"]
            assert integration["ContentHandling"] == "CONVERT_TO_TEXT"
            [response] = integration["IntegrationResponses"]
            assert response["ContentHandling"] == "CONVERT_TO_TEXT"


def test_functions_allow_the_same_origins_as_preflights(template: Template) -> None:
    for expected, each in (
        ("*", template),
        (
            "https://a.test,https://b.test",
            synthesize(corsAllowOrigins="https://a.test,https://b.test"),
        ),
    ):
        origins = {
            function["Environment"]["Variables"].get("CORS_ALLOW_ORIGINS")
            for function in properties_of(each, "AWS::Lambda::Function")
        }
        assert origins == {expected, None}


def test_one_allowed_origin_is_the_only_one(template: Template) -> None:
    narrowed = synthesize(corsAllowOrigins="https://a.test")
    headers = preflight_headers(methods(narrowed)["OPTIONS", "/api/links"])
    assert headers["Access-Control-Allow-Origin"] == "https://a.test"


def preflight_headers(method: dict[str, Any]) -> dict[str, str]:
    [response] = method["Integration"]["IntegrationResponses"]
    return {
        name.removeprefix("method.response.header."): value.strip("'")
        for name, value in response["ResponseParameters"].items()
    }


def test_browsers_may_read_gateway_responses(template: Template) -> None:
    for response in properties_of(template, "AWS::ApiGateway::GatewayResponse"):
        headers = response["ResponseParameters"]
        assert headers["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'"
        assert headers["gatewayresponse.header.X-Request-Id"] == "context.requestId"
        assert headers["gatewayresponse.header.Strict-Transport-Security"] == "'max-age=31536000'"
        assert headers["gatewayresponse.header.X-Content-Type-Options"] == "'nosniff'"
        exposed = headers["gatewayresponse.header.Access-Control-Expose-Headers"]
        assert {"Retry-After", "X-Request-Id"} <= set(exposed.strip("'").split(","))


def test_functions_and_gateway_send_the_same_transport_security() -> None:
    assert {"Strict-Transport-Security": STRICT_TRANSPORT_SECURITY} == TRANSPORT


@pytest.mark.parametrize("stage", ["prod", "dev", "local"])
def test_the_template_is_ascii(stage: str) -> None:
    """CloudFormation hands other characters back as `?`, so that a diff is never clean."""
    assert json.dumps(synthesized_template(stage), ensure_ascii=False).isascii()
