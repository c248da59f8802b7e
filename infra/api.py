"""The HTTP API: its routes, who may call them, and its usage plans."""

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.gateway_responses import add_gateway_responses
from infra.http_headers import STRICT_TRANSPORT_SECURITY
from infra.lambdas.base import live_alias
from infra.lambdas.http import HttpFunctions
from infra.settings import Settings

FUNCTIONS = Path(__file__).resolve().parent.parent / "functions"
PLANS = json.loads((FUNCTIONS / "domain" / "plans.json").read_text(encoding="utf-8"))

#: The routes of each function, as "GET /api/links". The keyed ones need an API key or a session.
ROUTES = json.loads((FUNCTIONS / "api" / "routes.json").read_text(encoding="utf-8"))

ALLOWED_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key")
EXPOSED_HEADERS = tuple(
    json.loads((FUNCTIONS / "api" / "exposed_headers.json").read_text(encoding="utf-8"))
)

REDIRECT_PATH = "/{code}"

#: Paths that are neither an API route nor a short link. The first segment has one name, because
#: siblings in the gateway's resource tree cannot have two different parameters.
HOME_PATH = "/"
UNKNOWN_PATH = "/{code}/{rest+}"

#: Requests a second for each open path, except redirects.
OPEN_RATE_LIMIT = 50
OPEN_BURST_LIMIT = 200

#: The gateway's method for every verb that a resource does not name. A stage takes no settings for
#: it: UpdateStage answers "Invalid method setting path".
CATCH_ALL = "ANY"

#: Chromium's maximum cache time of a preflight.
PREFLIGHT_MAX_AGE_SECONDS = 7_200

#: How long a revoked key may still work.
AUTHORIZER_CACHE = Duration.seconds(60)


class Api(Construct):
    """The REST API, and one usage plan for each plan of `plans.json`.

    API keys are created with their workspaces, not here.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, functions: HttpFunctions
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self._integrations: dict[lambda_.Function, apigateway.LambdaIntegration] = {}
        self._resources: dict[str, apigateway.Resource] = {}
        self.rest_api = apigateway.RestApi(
            self,
            "Rest",
            rest_api_name=f"unlink-{settings.stage}",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            # The authorizer names the workspace's usage key; callers send only Authorization.
            api_key_source_type=apigateway.ApiKeySourceType.AUTHORIZER,
            # Images must be sent unchanged. With this, request bodies arrive base64-encoded.
            binary_media_types=["*/*"],
            # The account's role for access logs. It remains after the stage is deleted, because
            # other stages need it.
            cloud_watch_role=True,
            cloud_watch_role_removal_policy=RemovalPolicy.RETAIN,
            deploy_options=apigateway.StageOptions(
                stage_name=settings.stage,
                tracing_enabled=True,
                **self._access_log(),
                # Applies to every method, before the authorizer's response is used: invented
                # credentials have no usage plan.
                throttling_rate_limit=settings.rate_limit,
                throttling_burst_limit=settings.burst_limit,
                method_options=_limits_of_open_routes(settings.redirect_rate_limit),
            ),
        )
        # The construct adds an output; the stack defines all outputs itself.
        self.rest_api.node.try_remove_child("Endpoint")

        self._authorizer = apigateway.RequestAuthorizer(
            self,
            "Authorizer",
            handler=live_alias(functions.authorizer),
            identity_sources=[apigateway.IdentitySource.header("Authorization")],
            results_cache_ttl=AUTHORIZER_CACHE,
        )
        self._add_routes(functions)
        add_gateway_responses(
            self.rest_api,
            cors_allow_origins=settings.cors_allow_origins,
            exposed_headers=EXPOSED_HEADERS,
        )
        self.usage_plans = {
            plan: self._usage_plan(plan, requests_per_minute=limits["requestsPerMinute"])
            for plan, limits in PLANS.items()
        }

    def _access_log(self) -> dict[str, Any]:
        """A log line for each request, also for requests that never reach a function.

        It has neither the caller's address nor headers, so an erasure has nothing to remove here.
        """
        group = logs.LogGroup(
            self,
            "AccessLog",
            retention=logs.RetentionDays[self._settings.log_retention],
            removal_policy=RemovalPolicy[self._settings.removal_policy],
        )
        field = apigateway.AccessLogField
        line = {
            "requestId": field.context_request_id(),
            "requestTime": field.context_request_time(),
            "method": field.context_http_method(),
            "resource": field.context_resource_path(),
            "status": field.context_status(),
            "responseBytes": field.context_response_length(),
            "latencyMs": field.context_response_latency(),
            "integrationMs": field.context_integration_latency(),
            "errorType": field.context_error_response_type(),
            "keyId": field.context_authorizer("keyId"),
            "workspaceId": field.context_authorizer("workspaceId"),
        }
        return {
            "access_log_destination": apigateway.LogGroupLogDestination(group),
            "access_log_format": apigateway.AccessLogFormat.custom(
                json.dumps(line, separators=(",", ":"))
            ),
        }

    def _add_routes(self, functions: HttpFunctions) -> None:
        """Add the routes, the preflights, and a catch-all for the other methods of each path.

        A function answers HEAD as GET, and others with 405. Otherwise the gateway answers 404
        itself, or sends the request to `UNKNOWN_PATH`. Keyed paths keep their authorizer and usage
        plan, so HEAD is counted and refused like GET.
        """
        methods: defaultdict[str, list[str]] = defaultdict(list)
        for kind, add_method in (
            ("keyed", self._add_keyed_method),
            ("open", self._add_open_method),
        ):
            catch_alls = {}
            for name, method, path in _routes(kind):
                function = getattr(functions, name)
                add_method(method, path, function)
                methods[path].append(method)
                if method == "GET" or path not in catch_alls:
                    catch_alls[path] = function
            # The redirect function handles visits only.
            catch_alls.pop(REDIRECT_PATH, None)
            for path, function in catch_alls.items():
                add_method(CATCH_ALL, path, function)
        for path in (HOME_PATH, REDIRECT_PATH, UNKNOWN_PATH):
            self._add_open_method(CATCH_ALL, path, functions.pages)
        for path, allowed in methods.items():
            if path.startswith("/api/"):
                self._add_preflight(path, allowed)

    def _resource(self, path: str) -> apigateway.Resource:
        """The resource of a path, which is made once."""
        if path not in self._resources:
            self._resources[path] = self.rest_api.root.resource_for_path(path)
        return self._resources[path]

    def _integration(self, function: lambda_.Function) -> apigateway.LambdaIntegration:
        """The integration of a function, which all its methods share."""
        if function not in self._integrations:
            self._integrations[function] = apigateway.LambdaIntegration(
                live_alias(function),
                timeout=Duration.seconds(29),
                # One permission for all routes of a function, instead of two for each route.
                scope_permission_to_method=False,
            )
        return self._integrations[function]

    def _add_keyed_method(self, method: str, path: str, function: lambda_.Function) -> None:
        self._resource(path).add_method(
            method,
            self._integration(function),
            authorizer=self._authorizer,
            authorization_type=apigateway.AuthorizationType.CUSTOM,
            api_key_required=True,
        )

    def _add_open_method(self, method: str, path: str, function: lambda_.Function) -> None:
        self._resource(path).add_method(
            method,
            self._integration(function),
            authorization_type=apigateway.AuthorizationType.NONE,
        )

    def _add_preflight(self, path: str, methods: list[str]) -> None:
        """Answer OPTIONS without a key: browsers send none with a preflight.

        Not `add_cors_preflight`: with the binary media type `*/*` its mock integration answers 500,
        because the gateway treats the (empty) request as binary unless it is configured to convert
        it to text.
        """
        origins = self._settings.cors_allow_origins
        headers = {
            "Access-Control-Allow-Methods": ",".join(["OPTIONS", *methods]),
            "Access-Control-Allow-Headers": ",".join(ALLOWED_HEADERS),
            "Access-Control-Max-Age": str(PREFLIGHT_MAX_AGE_SECONDS),
            # The response depends on the origin when there are several.
            **({"Vary": "Origin"} if len(origins) > 1 else {}),
            "Strict-Transport-Security": STRICT_TRANSPORT_SECURITY,
            # With several origins this is the first one; the template below sets the caller's.
            "Access-Control-Allow-Origin": origins[0],
        }
        self._resource(path).add_method(
            "OPTIONS",
            apigateway.MockIntegration(
                content_handling=apigateway.ContentHandling.CONVERT_TO_TEXT,
                passthrough_behavior=apigateway.PassthroughBehavior.WHEN_NO_MATCH,
                request_templates={"application/json": '{"statusCode":204}'},
                integration_responses=[
                    apigateway.IntegrationResponse(
                        status_code="204",
                        content_handling=apigateway.ContentHandling.CONVERT_TO_TEXT,
                        response_parameters={
                            f"method.response.header.{name}": f"'{value}'"
                            for name, value in headers.items()
                        },
                        response_templates=_echo_origin(origins),
                    )
                ],
            ),
            authorization_type=apigateway.AuthorizationType.NONE,
            method_responses=[
                apigateway.MethodResponse(
                    status_code="204",
                    response_parameters={
                        f"method.response.header.{name}": True for name in headers
                    },
                )
            ],
        )

    def _usage_plan(self, plan: str, *, requests_per_minute: int) -> apigateway.UsagePlan:
        """A limit in front of the functions, which count the exact windows.

        It must not refuse requests that the functions would allow. A caller may send the requests
        of two adjacent windows at once, so that is the burst; the rate refills it in one window.
        """
        return self.rest_api.add_usage_plan(
            f"{plan.capitalize()}Plan",
            name=f"unlink-{self._settings.stage}-{plan}",
            throttle=apigateway.ThrottleSettings(
                burst_limit=2 * requests_per_minute,
                rate_limit=math.ceil(2 * requests_per_minute / 60),
            ),
            api_stages=[
                apigateway.UsagePlanPerApiStage(
                    api=self.rest_api, stage=self.rest_api.deployment_stage
                )
            ],
        )


def _routes(kind: str) -> list[tuple[str, str, str]]:
    """Function, method and path of each route that is `keyed` or `open`."""
    return [
        (function, *route.split(" "))
        for function, routes in ROUTES[kind].items()
        for route in routes
    ]


def _limits_of_open_routes(visits_a_second: int) -> dict[str, apigateway.MethodDeploymentOptions]:
    """No key or usage plan limits the open routes, so each has its own limit.

    Other methods than these two get a 405, within the limit of the whole stage: a setting for each
    method of each path would exceed what one UpdateStage may change.
    """
    visits = apigateway.MethodDeploymentOptions(
        throttling_rate_limit=visits_a_second, throttling_burst_limit=visits_a_second
    )
    pages = apigateway.MethodDeploymentOptions(
        throttling_rate_limit=OPEN_RATE_LIMIT, throttling_burst_limit=OPEN_BURST_LIMIT
    )
    paths = {path for _, _, path in _routes("open")} | {HOME_PATH, UNKNOWN_PATH}
    return {
        f"{path}/{method}": visits if path == REDIRECT_PATH else pages
        for path in sorted(paths)
        for method in ("GET", "HEAD")
    }


def _echo_origin(origins: tuple[str, ...]) -> dict[str, str] | None:
    """A response template that allows the caller's origin if it is one of the allowed origins."""
    if len(origins) < 2:
        return None
    allowed = " || ".join(f'$origin == "{origin}"' for origin in origins)
    template = (
        '#set($origin = $input.params().header.get("Origin"))\n'
        '#if(!$origin || $origin == "") #set($origin = $input.params().header.get("origin")) #end\n'
        f"#if({allowed})\n"
        "#set($context.responseOverride.header.Access-Control-Allow-Origin = $origin)\n"
        "#end"
    )
    return {"application/json": template}
