"""What may stand in front of the API: a name of your own, CloudFront, a web ACL."""

from aws_cdk import Aws, CfnOutput, Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct

from infra.firewall import StageFirewall
from infra.secrets import Secrets
from infra.settings import Cdn, CustomDomain, Settings

#: What a redirect reads of a visitor's request, and what CloudFront knows of the visitor. At most
#: ten (CloudFront quotas, "Headers per origin request policy").
REDIRECT_HEADERS = (
    "Accept",
    "Referer",
    "Sec-Purpose",
    "User-Agent",
    "CloudFront-Viewer-Address",
    "CloudFront-Viewer-City",
    "CloudFront-Viewer-Country",
    "CloudFront-Viewer-Country-Region",
    "CloudFront-Viewer-Time-Zone",
)

#: The header by which the redirect knows that CloudFront sent a request. CloudFront replaces a
#: viewer's own header of this name (Developer Guide, "Add custom headers to origin requests").
ORIGIN_HEADER = "X-Unlink-Origin"

#: Names every spelling of a prefetch as `Sec-Purpose`, so that one of the ten headers is enough.
_ONE_PURPOSE = """\
function handler(event) {
    var headers = event.request.headers;
    ['purpose', 'x-purpose', 'x-moz'].forEach(function (name) {
        if (headers[name] && !headers['sec-purpose']) {
            headers['sec-purpose'] = { value: headers[name].value };
        }
    });
    return event.request;
}
"""


class Edge(Construct):
    """Only what the settings ask for; by default nothing."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        api: apigateway.RestApi,
        secrets: Secrets,
    ) -> None:
        super().__init__(scope, construct_id)
        self._secrets = secrets
        self._settings = settings
        self._api = api
        #: The hosts at which short links are found because of what stands in front.
        self.hosts: list[str] = []
        if settings.custom_domain is not None:
            self._add_domain(settings.custom_domain)
        if settings.cdn is not None:
            self._add_cdn(settings.cdn)
        if settings.waf:
            StageFirewall(
                self,
                "Firewall",
                stage_arn=api.deployment_stage.stage_arn,
                from_cdn=(
                    (ORIGIN_HEADER, secrets.origin.secret_value.unsafe_unwrap())
                    if secrets.origin is not None
                    else None
                ),
            )

    def _add_domain(self, domain: CustomDomain) -> None:
        name = apigateway.DomainName(
            self,
            "Domain",
            domain_name=domain.name,
            certificate=certificates.Certificate.from_certificate_arn(
                self, "Certificate", domain.certificate_arn
            ),
            endpoint_type=apigateway.EndpointType.REGIONAL,
            security_policy=apigateway.SecurityPolicy.TLS_1_2,
        )
        name.add_base_path_mapping(
            self._api, base_path=domain.base_path or None, stage=self._api.deployment_stage
        )
        if domain.hosted_zone_id:
            zone = route53.HostedZone.from_hosted_zone_attributes(
                self,
                "Zone",
                hosted_zone_id=domain.hosted_zone_id,
                zone_name=domain.hosted_zone_name,
            )
            target = route53.RecordTarget.from_alias(targets.ApiGatewayDomain(name))
            route53.ARecord(self, "Ipv4", zone=zone, record_name=f"{domain.name}.", target=target)
            route53.AaaaRecord(
                self, "Ipv6", zone=zone, record_name=f"{domain.name}.", target=target
            )
        output = CfnOutput(self, "DomainTarget", value=name.domain_name_alias_domain_name)
        output.override_logical_id("DomainTarget")
        self.hosts.append(domain.name)

    def _add_cdn(self, cdn: Cdn) -> None:
        """Redirects near their visitors: connections end at the edge, answers are not kept.

        Its ceiling is the redirects' own throttle at the gateway (`redirect_rate_limit`), which
        the API's callers do not share.
        """
        headers = cloudfront.OriginRequestPolicy(
            self,
            "RedirectHeaders",
            header_behavior=cloudfront.OriginRequestHeaderBehavior.allow_list(*REDIRECT_HEADERS),
            query_string_behavior=cloudfront.OriginRequestQueryStringBehavior.all(),
            cookie_behavior=cloudfront.OriginRequestCookieBehavior.none(),
        )
        certificate = (
            certificates.Certificate.from_certificate_arn(
                self, "CdnCertificate", cdn.certificate_arn
            )
            if cdn.domain_name
            else None
        )
        one_purpose = cloudfront.Function(
            self,
            "OnePurpose",
            comment="Names every spelling of a prefetch as Sec-Purpose",
            runtime=cloudfront.FunctionRuntime.JS_2_0,
            code=cloudfront.FunctionCode.from_inline(_ONE_PURPOSE),
        )
        if self._secrets.origin is None:
            raise ValueError("a distribution needs its origin secret")
        distribution = cloudfront.Distribution(
            self,
            "Cdn",
            comment=f"Unlink {self._settings.stage}: redirects",
            default_behavior=cloudfront.BehaviorOptions(
                origin=origins.HttpOrigin(
                    f"{self._api.rest_api_id}.execute-api.{Aws.REGION}.{Aws.URL_SUFFIX}",
                    origin_path=f"/{self._settings.stage}",
                    # Without it the redirect takes no viewer header for true.
                    custom_headers={
                        ORIGIN_HEADER: self._secrets.origin.secret_value.unsafe_unwrap()
                    },
                    protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
                    # The redirect function's own timeout.
                    read_timeout=Duration.seconds(10),
                ),
                allowed_methods=cloudfront.AllowedMethods.ALLOW_GET_HEAD,
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                # A kept redirect would outlive its link's delete.
                cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
                origin_request_policy=headers,
                function_associations=[
                    cloudfront.FunctionAssociation(
                        event_type=cloudfront.FunctionEventType.VIEWER_REQUEST,
                        function=one_purpose,
                    )
                ],
            ),
            # An error answer is as final as a redirect: the code may be free again at once.
            error_responses=[
                cloudfront.ErrorResponse(http_status=status, ttl=Duration.seconds(0))
                for status in (404, 500, 502, 503, 504)
            ],
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
            domain_names=[cdn.domain_name] if cdn.domain_name else None,
            certificate=certificate,
            web_acl_id=cdn.web_acl_arn or None,
        )
        output = CfnOutput(self, "CdnTarget", value=distribution.distribution_domain_name)
        output.override_logical_id("CdnTarget")
        # CloudFront's own name keeps working beside a name of yours.
        self.hosts += [distribution.distribution_domain_name]
        if cdn.domain_name:
            self.hosts.append(cdn.domain_name)
