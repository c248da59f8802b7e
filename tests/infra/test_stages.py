import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from infra.stages import settings_of
from tests.support.synthesis import key_of_stack, remembered
from tests.support.template import (
    Template,
    resources,
    synthesize,
    synthesized_template,
)


def test_without_a_stage_it_is_production() -> None:
    assert synthesize() == synthesized_template("prod")


def test_the_smoke_stage_is_the_dev_stage_by_another_name() -> None:
    assert comparable(synthesize(stage="smoke"), "smoke") == comparable(
        synthesized_template("dev"), "dev"
    )


@pytest.mark.parametrize(("stage", "gradual"), [("prod", "false"), ("dev", "true")])
def test_gradual_deployment_can_be_switched_by_context(stage: str, gradual: str) -> None:
    template = synthesize(stage=stage, gradual=gradual)
    groups = resources(template, "AWS::CodeDeploy::DeploymentGroup")
    assert bool(groups) == (gradual == "true")


@pytest.mark.parametrize("value", [True, "true"])
def test_a_context_switch_may_be_text_or_a_boolean(value: Any) -> None:
    assert resources(synthesize(stage="dev", waf=value), "AWS::WAFv2::WebACL")
    assert not resources(synthesize(stage="dev", waf=False), "AWS::WAFv2::WebACL")


def test_an_unknown_stage_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown stage 'production'"):
        settings_of({"stage": "production"})


def test_an_unknown_name_of_the_context_is_refused() -> None:
    def refused() -> str:
        from aws_cdk import App

        from app import add_stack

        own = {"aws:cdk:version-reporting": False, "@aws-cdk/core:x": True, "cli-telemetry": False}
        with pytest.raises(ValueError, match="rateLimt") as error:
            add_stack(App(context={"stage": "dev", "rateLimt": "100", **own}))
        return str(error.value)

    # Not repeated for the same stack and the same test: it loads the CDK.
    this_file = Path(__file__).read_text(encoding="utf-8")
    error = remembered(key_of_stack("an unknown name", this_file), refused)
    assert error.startswith("unknown context rateLimt: expected stage, ")


def test_the_local_stage_differs_from_production_in_protection_and_one_style() -> None:
    local = comparable(synthesized_template("local"), "local")
    production = comparable(synthesized_template("prod"), "prod")
    assert local - production == Counter()
    # Of Cognito's sign-in page; the emulator has another page.
    [style] = production - local
    assert "AWS::Cognito::ManagedLoginBranding" in style


def test_only_the_local_stage_has_fewer_erase_workers() -> None:
    def concurrency(stage: str) -> Counter[int]:
        resources = synthesized_template(stage)["Resources"].values()
        return Counter(
            each["Properties"]["ScalingConfig"]["MaximumConcurrency"]
            for each in resources
            if "ScalingConfig" in each.get("Properties", {})
        )

    others = Counter([5, 10])
    assert concurrency("prod") == concurrency("dev") == others + Counter([20])
    assert concurrency("local") == others + Counter([4])


#: Properties whose values `infra.stages` chooses by stage.
SETTINGS = {
    "DeletionProtection",
    "DeletionProtectionEnabled",
    "MaximumConcurrency",
    "MaximumBatchingWindowInSeconds",
    "OnDemandThroughput",
    "ReservedConcurrentExecutions",
    "RetentionInDays",
}


def without_settings(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: without_settings(each) for name, each in value.items() if name not in SETTINGS
        }
    if isinstance(value, list):
        return [without_settings(each) for each in value]
    return value


def comparable(template: Template, stage: str) -> Counter[str]:
    """The resources without the stage's name, hashes of names, and what the settings differ in."""
    rollout = {
        name
        for name, resource in template["Resources"].items()
        if resource["Type"].startswith("AWS::CodeDeploy::")
        or "codedeploy.amazonaws.com" in json.dumps(resource)
    }
    found: Counter[str] = Counter()
    for name, resource in template["Resources"].items():
        if name in rollout:
            continue
        properties: dict[str, Any] = without_settings(resource.get("Properties", {}))
        text = json.dumps([resource["Type"], properties], sort_keys=True)
        text = re.sub(rf"\b(unlink-|Unlink |Unlink)?{stage}", r"\1STAGE", text, flags=re.IGNORECASE)
        text = re.sub(rf"Stage{stage}", "StageSTAGE", text)
        found[re.sub(r"[0-9A-Fa-f]{8,64}\b", "HASH", text)] += 1
    return found


@pytest.mark.parametrize(
    "origins",
    [
        "*,https://app.example.com",
        "https://app.example.com/",
        "app.example.com",
        "https://app.example.com, https://b.example",
        "https://a.example'",
        'https://a.example"',
        "null",
    ],
)
def test_invalid_origins_are_refused(origins: str) -> None:
    with pytest.raises(ValueError, match="corsAllowOrigins"):
        settings_of({"corsAllowOrigins": origins})


@pytest.mark.parametrize("address", ["ops", "a@example.com,b@example.com", "Ops <o@example.com>"])
def test_an_address_that_sns_refuses_is_refused(address: str) -> None:
    """It would fail the deployment after the tables are created."""
    with pytest.raises(ValueError, match=r"alarmEmail .* expected one address"):
        settings_of({"alarmEmail": address})


@pytest.mark.parametrize("name", ["cdn", "waf", "gradual", "reservedConcurrency"])
@pytest.mark.parametrize("value", ["yes", "True", "0", "off"])
def test_a_switch_that_is_neither_true_nor_false_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{name} '{value}': expected true or false"):
        settings_of({name: value})


@pytest.mark.parametrize(
    "url",
    [
        "go.example.com",
        "ftp://go.example.com",
        # Cognito would refuse to return to the console there.
        "http://go.example.com",
        "https://",
        "https://go.example.com?a=1",
        "https://go.example.com/#x",
        "https://go.example.com/a b",
        "https://go.example.com//a",
    ],
)
def test_an_invalid_base_of_short_urls_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="publicBaseUrl"):
        settings_of({"publicBaseUrl": url})


@pytest.mark.parametrize(
    "url", ["https://go.example.com", "http://127.0.0.1:8000", "https://a.b/c/d"]
)
def test_the_base_of_short_urls_may_have_a_port_and_a_path(url: str) -> None:
    assert settings_of({"publicBaseUrl": f"{url}/"}).public_base_url == url


CERTIFICATE = "arn:aws:acm:eu-central-1:000000000000:certificate/one"
CDN_CERTIFICATE = "arn:aws:acm:us-east-1:000000000000:certificate/two"


@pytest.mark.parametrize(
    ("option", "context"),
    [
        ("domainName", {"domainName": "https://go.example.com", "certificateArn": CERTIFICATE}),
        ("domainName", {"domainName": "localhost", "certificateArn": CERTIFICATE}),
        ("certificateArn", {"domainName": "go.example.com"}),
        ("certificateArn", {"domainName": "go.example.com", "certificateArn": "one"}),
        (
            "cdnDomainName",
            {"cdnDomainName": "l.example.com/", "cdnCertificateArn": CDN_CERTIFICATE},
        ),
        ("cdnCertificateArn", {"cdnDomainName": "l.example.com"}),
        ("cdnCertificateArn", {"cdnDomainName": "l.example.com", "cdnCertificateArn": CERTIFICATE}),
        ("cdnCertificateArn", {"cdnCertificateArn": CDN_CERTIFICATE}),
    ],
)
def test_a_domain_name_needs_its_certificate(option: str, context: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=f"^{option} "):
        settings_of({"cdn": "true"} | context)
