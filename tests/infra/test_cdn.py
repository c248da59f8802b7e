"""Custom domain and CloudFront in front of the API; none by default."""

import json

import pytest

from functions.domain.click_fields import ORIGIN_HEADER
from infra.stages import settings_of
from tests.support.template import Template, properties_of, resources, synthesize, variables_of

DOMAIN = {
    "domainName": "go.example.com",
    "certificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/one",
}


def test_by_default_there_is_no_domain_or_distribution(template: Template) -> None:
    for kind in (
        "AWS::ApiGateway::DomainName",
        "AWS::CloudFront::Distribution",
        "AWS::Route53::RecordSet",
        "AWS::WAFv2::WebACL",
    ):
        assert not resources(template, kind)


def test_a_custom_domain_has_its_base_path_and_short_urls() -> None:
    template = synthesize(basePath="l", **DOMAIN)
    [domain] = properties_of(template, "AWS::ApiGateway::DomainName")
    assert domain["DomainName"] == "go.example.com"
    assert domain["RegionalCertificateArn"] == DOMAIN["certificateArn"]
    assert domain["SecurityPolicy"] == "TLS_1_2"
    [mapping] = properties_of(template, "AWS::ApiGateway::BasePathMapping")
    assert mapping["BasePath"] == "l"
    urls = variables_of(template, "PUBLIC_BASE_URL")
    assert set(urls.values()) == {"https://go.example.com/l"}
    # Without a hosted zone the name is pointed there by hand.
    assert not resources(template, "AWS::Route53::RecordSet")
    assert "DomainTarget" in template["Outputs"]


def test_with_a_hosted_zone_the_dns_records_are_created() -> None:
    template = synthesize(hostedZoneId="Z1", **DOMAIN)
    records = resources(template, "AWS::Route53::RecordSet").values()
    assert {record["Properties"]["Type"] for record in records} == {"A", "AAAA"}
    assert {record["Properties"]["Name"] for record in records} == {"go.example.com."}


def test_cloudfront_never_caches_a_redirect() -> None:
    template = synthesize(cdn="true")
    [distribution] = properties_of(template, "AWS::CloudFront::Distribution")
    behaviour = distribution["DistributionConfig"]["DefaultCacheBehavior"]
    # AWS's managed policy CachingDisabled.
    assert behaviour["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    assert behaviour["AllowedMethods"] == ["GET", "HEAD"]


def test_the_distribution_and_the_redirect_share_a_secret() -> None:
    template = synthesize(cdn="true")
    [distribution] = properties_of(template, "AWS::CloudFront::Distribution")
    [origin] = distribution["DistributionConfig"]["Origins"]
    [header] = origin["OriginCustomHeaders"]
    assert header["HeaderName"].lower() == ORIGIN_HEADER
    secrets = variables_of(template, "ORIGIN_SECRET")
    assert set(secrets) == {"redirect"}
    secret = secrets["redirect"]
    assert secret == header["HeaderValue"]
    # Resolved at deployment from Secrets Manager: the template does not have the value.
    assert json.dumps(secret).count("{{resolve:secretsmanager:") == 1


def test_without_a_distribution_there_is_no_origin_secret(template: Template) -> None:
    assert "ORIGIN_SECRET" not in json.dumps(template)
    assert not [
        name for name in resources(template, "AWS::SecretsManager::Secret") if "Origin" in name
    ]


def test_cloudfront_forwards_the_headers_that_the_redirect_reads() -> None:
    template = synthesize(cdn="true")
    [policy] = properties_of(template, "AWS::CloudFront::OriginRequestPolicy")
    passed = policy["OriginRequestPolicyConfig"]["HeadersConfig"]["Headers"]
    assert len(passed) <= 10
    read = {"accept", "referer", "user-agent", "sec-purpose"} | {
        f"cloudfront-viewer-{name}"
        for name in ("address", "city", "country", "country-region", "time-zone")
    }
    assert {name.lower() for name in passed} == read


def test_names_that_regions_share_have_the_region() -> None:
    """An account has one list of CloudFront's policies and functions for stacks of all regions."""
    template = synthesize(cdn="true")
    [policy] = properties_of(template, "AWS::CloudFront::OriginRequestPolicy")
    [function] = properties_of(template, "AWS::CloudFront::Function")
    for name in (policy["OriginRequestPolicyConfig"]["Name"], function["Name"]):
        assert {"Ref": "AWS::Region"} in name["Fn::Join"][1]


def test_short_urls_start_with_the_public_base_url() -> None:
    assert settings_of({}).short_url_base == ""
    assert settings_of(DOMAIN).short_url_base == "https://go.example.com"
    cdn = {
        "cdn": "true",
        "cdnDomainName": "l.example.com",
        "cdnCertificateArn": DOMAIN["certificateArn"],
    }
    both = DOMAIN | cdn
    assert settings_of(both).short_url_base == "https://l.example.com"
    # The API is not behind CloudFront, which passes on neither keys nor bodies.
    assert settings_of(both).api_base == "https://go.example.com"
    assert settings_of(cdn).api_base == ""
    assert settings_of({"publicBaseUrl": "https://x.test/"}).api_base == "https://x.test"
    assert settings_of({"publicBaseUrl": "https://x.test/"}).short_url_base == "https://x.test"


def test_the_links_function_gets_every_host_of_the_service() -> None:
    """Also when the configured base URL is another one: all of the names keep working."""
    cdn = {"cdnDomainName": "l.example.com", "cdnCertificateArn": DOMAIN["certificateArn"]}
    template = synthesize(cdn="true", publicBaseUrl="https://s.example.com", **cdn, **DOMAIN)
    [distribution] = resources(template, "AWS::CloudFront::Distribution")
    assert variables_of(template, "OWN_HOSTS") == {
        "links": {
            "Fn::Join": [
                "",
                [
                    "go.example.com ",
                    {"Fn::GetAtt": [distribution, "DomainName"]},
                    " l.example.com",
                ],
            ]
        }
    }


def test_events_and_receipts_name_the_api_and_not_the_distribution() -> None:
    """An event's `url` is a path of the API, which CloudFront does not serve."""
    cdn = {"cdnDomainName": "l.example.com", "cdnCertificateArn": DOMAIN["certificateArn"]}
    behind_both = synthesize(cdn="true", **cdn, **DOMAIN)
    assert variables_of(behind_both, "API_URL") == {
        "deletion_stream": "https://go.example.com",
        "receipt_signer": "https://go.example.com",
    }
    without_a_domain = variables_of(synthesize(cdn="true", **cdn), "API_URL")
    assert without_a_domain["deletion_stream"] == without_a_domain["receipt_signer"]
    assert ".execute-api." in str(without_a_domain["deletion_stream"])


def test_the_home_url_reaches_the_function_that_answers_the_root() -> None:
    template = synthesize(homeUrl="https://www.example.com/start?from=link#top")
    assert variables_of(template, "HOME_URL") == {
        "pages": "https://www.example.com/start?from=link#top"
    }


@pytest.mark.parametrize(
    "url",
    [
        "www.example.com",
        "javascript:alert(1)",
        "https://www.example.com/a b",
        "https://www.example.com/\r\nX: y",
        "https://user@www.example.com/",
        "https:///start",
        # The service's own root, which would lead there again.
        "https://go.example.com",
        "https://go.example.com/",
    ],
)
def test_an_invalid_home_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="homeUrl"):
        settings_of(DOMAIN | {"homeUrl": url})
