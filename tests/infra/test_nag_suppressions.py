"""cdk-nag's AwsSolutions rules and cfn-lint over the template, with every option on and off."""

import hashlib
import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.support.synthesis import CACHE, stand_in_code

pytestmark = pytest.mark.exhaustive

#: CDK names a dependency on a role in addition to the reference to it. This is not a fault.
LINT = ("--ignore-checks=W3005", "--regions=us-east-1")

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


def _mark(template: Path) -> Path:
    checked_by = f"{metadata.version('cfn-lint')} {LINT}".encode()
    return CACHE / f"{hashlib.sha256(checked_by + template.read_bytes()).hexdigest()}.ok"


def linted(*templates: Path) -> str:
    """The output of cfn-lint for the templates; empty without findings.

    cfn-lint takes 8 s for a template. A template without findings is not checked again by the same
    version: a file of its hash in `.build/templates` says so.
    """
    clean = {_mark(each): each for each in templates}
    new = {mark: each for mark, each in clean.items() if not mark.exists()}
    if not new:
        return ""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), *LINT, "--", *map(str, new.values())],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0 and not done.stdout + done.stderr:
        CACHE.mkdir(parents=True, exist_ok=True)
        for mark in new:
            mark.touch()
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


def test_a_template_with_a_finding_is_never_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "CACHE", tmp_path / "clean")
    bucket, wrong = tmp_path / "bucket.json", tmp_path / "wrong.json"
    bucket.write_text(json.dumps({"Resources": {"One": {"Type": "AWS::S3::Bucket"}}}))
    wrong.write_text(json.dumps({"Resources": {"One": {"Type": "AWS::S3::Nothing"}}}))
    assert "AWS::S3::Nothing" in linted(wrong)
    assert not (tmp_path / "clean").exists()
    assert linted(bucket) == ""
    assert len(list((tmp_path / "clean").iterdir())) == 1
    monkeypatch.setattr(subprocess, "run", None)
    assert linted(bucket) == ""


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
