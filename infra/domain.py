"""A domain name of your own in front of the API."""

from aws_cdk import CfnOutput
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct

from infra.settings import CustomDomain


def add_custom_domain(scope: Construct, domain: CustomDomain, *, api: apigateway.RestApi) -> None:
    """Map the name to the API's stage, with DNS records if the hosted zone is known."""
    name = apigateway.DomainName(
        scope,
        "Domain",
        domain_name=domain.name,
        certificate=certificates.Certificate.from_certificate_arn(
            scope, "Certificate", domain.certificate_arn
        ),
        endpoint_type=apigateway.EndpointType.REGIONAL,
        security_policy=apigateway.SecurityPolicy.TLS_1_2,
    )
    name.add_base_path_mapping(api, base_path=domain.base_path or None, stage=api.deployment_stage)
    if domain.hosted_zone_id:
        zone = route53.HostedZone.from_hosted_zone_id(scope, "Zone", domain.hosted_zone_id)
        target = route53.RecordTarget.from_alias(targets.ApiGatewayDomain(name))
        # The dot says that the name is whole: the zone's own name is not known.
        record_name = f"{domain.name}."
        route53.ARecord(scope, "Ipv4", zone=zone, record_name=record_name, target=target)
        route53.AaaaRecord(scope, "Ipv6", zone=zone, record_name=record_name, target=target)
    output = CfnOutput(scope, "DomainTarget", value=name.domain_name_alias_domain_name)
    output.override_logical_id("DomainTarget")
