"""CloudFront in front of the redirects."""

from pathlib import Path

from aws_cdk import Aws, CfnOutput, Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.settings import Cdn

#: The headers of a visitor's request that a redirect reads, and those that CloudFront adds. At most
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

#: The header that shows the redirect that CloudFront sent a request. CloudFront replaces a viewer's
#: own header of this name (Developer Guide, "Add custom headers to origin requests").
ORIGIN_HEADER = "X-Unlink-Origin"

#: A distribution has one function per event type, so this one does everything for viewer requests.
VIEWER_REQUEST = Path(__file__).with_name("viewer_request.js")


def add_cdn(
    scope: Construct,
    cdn: Cdn,
    *,
    stage: str,
    api: apigateway.RestApi,
    origin_secret: secretsmanager.Secret,
) -> cloudfront.Distribution:
    """Serve redirects near their visitors: connections end at the edge, and nothing is cached.

    The limit is the redirects' own throttle at the gateway (`redirect_rate_limit`), which callers
    of the API do not share.
    """
    headers = cloudfront.OriginRequestPolicy(
        scope,
        "RedirectHeaders",
        # Policies of all regions share their names.
        origin_request_policy_name=f"unlink-{stage}-{Aws.REGION}",
        header_behavior=cloudfront.OriginRequestHeaderBehavior.allow_list(*REDIRECT_HEADERS),
        query_string_behavior=cloudfront.OriginRequestQueryStringBehavior.all(),
        cookie_behavior=cloudfront.OriginRequestCookieBehavior.none(),
    )
    certificate = (
        certificates.Certificate.from_certificate_arn(scope, "CdnCertificate", cdn.certificate_arn)
        if cdn.domain_name
        else None
    )
    viewer_request = cloudfront.Function(
        scope,
        "ViewerRequest",
        comment="Escapes what API Gateway refuses in a query; unifies prefetch headers",
        runtime=cloudfront.FunctionRuntime.JS_2_0,
        code=cloudfront.FunctionCode.from_file(file_path=str(VIEWER_REQUEST)),
    )
    distribution = cloudfront.Distribution(
        scope,
        "Cdn",
        comment=f"Unlink {stage}: redirects",
        default_behavior=cloudfront.BehaviorOptions(
            origin=origins.HttpOrigin(
                f"{api.rest_api_id}.execute-api.{Aws.REGION}.{Aws.URL_SUFFIX}",
                origin_path=f"/{stage}",
                # Without it the redirect trusts no viewer header.
                custom_headers={ORIGIN_HEADER: origin_secret.secret_value.unsafe_unwrap()},
                protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
                # The redirect function's own timeout.
                read_timeout=Duration.seconds(10),
            ),
            allowed_methods=cloudfront.AllowedMethods.ALLOW_GET_HEAD,
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
            # A cached redirect would work after its link is deleted.
            cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
            origin_request_policy=headers,
            function_associations=[
                cloudfront.FunctionAssociation(
                    event_type=cloudfront.FunctionEventType.VIEWER_REQUEST,
                    function=viewer_request,
                )
            ],
        ),
        # Errors are not cached either: the code may be free again at once.
        error_responses=[
            cloudfront.ErrorResponse(http_status=status, ttl=Duration.seconds(0))
            for status in (404, 500, 502, 503, 504)
        ],
        minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
        domain_names=[cdn.domain_name] if cdn.domain_name else None,
        certificate=certificate,
        web_acl_id=cdn.web_acl_arn or None,
    )
    output = CfnOutput(scope, "CdnTarget", value=distribution.distribution_domain_name)
    output.override_logical_id("CdnTarget")
    return distribution
