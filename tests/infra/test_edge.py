"""What a stage may put in front of the API, and that by default nothing is."""

from app import settings_of
from tests.template import Template, resources, synthesize

DOMAIN = {
    "domainName": "go.example.com",
    "certificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/one",
}


def test_by_default_nothing_stands_in_front(template: Template) -> None:
    for kind in (
        "AWS::ApiGateway::DomainName",
        "AWS::CloudFront::Distribution",
        "AWS::Route53::RecordSet",
        "AWS::WAFv2::WebACL",
    ):
        assert not resources(template, kind)


def test_a_custom_domain_has_a_base_path_and_short_urls_of_its_own() -> None:
    template = synthesize(basePath="l", **DOMAIN)
    [domain] = resources(template, "AWS::ApiGateway::DomainName").values()
    assert domain["Properties"]["DomainName"] == "go.example.com"
    assert domain["Properties"]["RegionalCertificateArn"] == DOMAIN["certificateArn"]
    assert domain["Properties"]["SecurityPolicy"] == "TLS_1_2"
    [mapping] = resources(template, "AWS::ApiGateway::BasePathMapping").values()
    assert mapping["Properties"]["BasePath"] == "l"
    urls = {
        function["Properties"]["Environment"]["Variables"].get("PUBLIC_BASE_URL")
        for function in resources(template, "AWS::Lambda::Function").values()
    }
    assert urls - {None} == {"https://go.example.com/l"}
    # Without a hosted zone the name is pointed there by hand.
    assert not resources(template, "AWS::Route53::RecordSet")
    assert "DomainTarget" in template["Outputs"]


def test_with_a_hosted_zone_the_records_are_made_too() -> None:
    template = synthesize(hostedZoneId="Z1", hostedZoneName="example.com", **DOMAIN)
    records = resources(template, "AWS::Route53::RecordSet").values()
    assert {record["Properties"]["Type"] for record in records} == {"A", "AAAA"}
    assert {record["Properties"]["Name"] for record in records} == {"go.example.com."}


def test_cloudfront_never_keeps_a_redirect() -> None:
    template = synthesize(cdn="true")
    [distribution] = resources(template, "AWS::CloudFront::Distribution").values()
    behaviour = distribution["Properties"]["DistributionConfig"]["DefaultCacheBehavior"]
    # AWS's managed policy CachingDisabled.
    assert behaviour["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    assert behaviour["AllowedMethods"] == ["GET", "HEAD"]
    [stage] = resources(template, "AWS::ApiGateway::Stage").values()
    throttled = [
        each
        for each in stage["Properties"]["MethodSettings"]
        if each["ResourcePath"] == "/~1{code}" and each["ThrottlingRateLimit"]
    ]
    assert len(throttled) == 2


def test_short_urls_start_with_what_visitors_reach() -> None:
    assert settings_of({}).short_url_base == ""
    assert settings_of(DOMAIN).short_url_base == "https://go.example.com"
    both = DOMAIN | {"cdn": "true", "cdnDomainName": "l.example.com"}
    assert settings_of(both).short_url_base == "https://l.example.com"
    # The API is not behind CloudFront, which passes on neither keys nor bodies.
    assert settings_of(both).api_base == "https://go.example.com"
    assert settings_of({"cdn": "true", "cdnDomainName": "l.example.com"}).api_base == ""
    assert settings_of({"publicBaseUrl": "https://x.test/"}).api_base == "https://x.test"
    assert settings_of({"publicBaseUrl": "https://x.test/"}).short_url_base == "https://x.test"
