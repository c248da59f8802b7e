"""cdk-nag's AwsSolutions rules and cfn-lint over the template, with every option on and off."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.synthesis import stand_in_code

pytestmark = pytest.mark.exhaustive

EVERYTHING = {
    "stage": "prod",
    "alarmEmail": "ops@example.com",
    "domainName": "go.example.com",
    "certificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/one",
    "hostedZoneId": "Z1",
    "hostedZoneName": "example.com",
    "cdn": "true",
    "cdnDomainName": "l.example.com",
    "cdnCertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/two",
    "cdnWebAclArn": "arn:aws:wafv2:us-east-1:000000000000:global/webacl/WebAcl-x/0c6c8dd1",
    "waf": "true",
    "eventsUrl": "https://hooks.example.com/unlink",
    "eventsSecret": "unlink/events",
}


def checked(directory: Path, **context: str) -> list[Path]:
    """Synthesize with the rules on: an unsuppressed finding fails. Returns the templates."""
    from aws_cdk import App, Validations
    from aws_cdk import aws_lambda as lambda_
    from cdk_nag import AwsSolutionsChecks

    from app import add_stack

    app = App(outdir=str(directory / "out"), context=context)
    stack = add_stack(app, code=lambda_.Code.from_asset(str(stand_in_code(directory))))
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    templates = sorted(Path(app.synth().directory).glob("*.template.json"))
    assert f"{stack.stack_name}.template.json" in {each.name for each in templates}
    return templates


def linted(*templates: Path) -> str:
    """The output of cfn-lint for the templates; empty without findings."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("cfn-lint")),
            # CDK names a dependency on a role beside the reference to it. It is no fault.
            "--ignore-checks=W3005",
            "--regions=us-east-1",
            "--",
            *map(str, templates),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "context",
    [
        {"stage": "prod"},
        EVERYTHING | {"waf": "false", "cdnWebAclArn": ""},
        EVERYTHING,
    ],
    ids=["production", "a distribution without a web ACL", "every option"],
)
def test_every_finding_is_fixed_or_suppressed(tmp_path: Path, context: dict[str, str]) -> None:
    assert linted(*checked(tmp_path, **context)) == ""


def test_every_suppression_has_a_reason() -> None:
    from infra.nag_suppressions import REASONS

    for rules in REASONS.values():
        for rule, reason in rules.items():
            assert len(reason) > 40, rule


def test_an_unsuppressed_finding_fails(tmp_path: Path) -> None:
    """Without its suppressions the same template is refused, so the test above can fail."""
    from aws_cdk import App, Validations
    from aws_cdk import aws_lambda as lambda_
    from cdk_nag import AwsSolutionsChecks

    from app import add_stack
    from infra.nag_suppressions import REASONS

    app = App(outdir=str(tmp_path / "out"), context={"stage": "local"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("infra.stack.acknowledge_findings", lambda stack: None)
        add_stack(app, code=lambda_.Code.from_asset(str(stand_in_code(tmp_path))))
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError, match="ValidationFailed") as refused:
        app.synth()
    # A suppression without a finding fails too.
    for rules in REASONS.values():
        for rule in rules:
            name = rule.partition("[")[0]
            assert name in str(refused.value) or name in ONLY_WITH_OPTIONS, name


#: Findings that exist only with an option on, or off.
ONLY_WITH_OPTIONS = {
    "AwsSolutions-APIG1",
    "AwsSolutions-CFR1",
    "AwsSolutions-CFR2",
    "AwsSolutions-CFR3",
}
