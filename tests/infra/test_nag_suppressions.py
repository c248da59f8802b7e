"""cdk-nag's AwsSolutions rules and cfn-lint over the template, with every option on and off."""

import hashlib
import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support import synthesis
from tests.support.synthesis import CACHE, key_of_stack, remembered, stand_in_code

pytestmark = pytest.mark.exhaustive

#: CDK names a dependency on a role in addition to the reference to it. This is not a fault.
LINT = ("--ignore-checks=W3005", "--regions=us-east-1")

EVERYTHING = {
    "stage": "prod",
    "alarmEmail": "ops@example.com",
    "domainName": "go.example.com",
    "certificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/one",
    "hostedZoneId": "Z1",
    "cdn": "true",
    "cdnDomainName": "l.example.com",
    "cdnCertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/two",
    "cdnWebAclArn": "arn:aws:wafv2:us-east-1:000000000000:global/webacl/WebAcl-x/0c6c8dd1",
    "waf": "true",
    "eventsUrl": "https://hooks.example.com/unlink",
    "eventsSecret": "unlink/events",
}


def key_of(*more: object) -> str:
    """A key that is new whenever the stack, the rules or this file are."""
    this_file = Path(__file__).read_text(encoding="utf-8")
    return key_of_stack("cdk-nag", metadata.version("cdk-nag"), this_file, *more)


def checked(directory: Path, **context: str) -> list[Path]:
    """The templates of a synthesis with the rules on, in which an unsuppressed finding fails.

    A synthesis without findings is not repeated for the same stack: it takes 5 s.
    """
    texts = remembered(key_of(context), lambda: _checked(directory, **context))
    paths = []
    for name, text in texts.items():
        paths.append(directory / name)
        paths[-1].write_text(text, encoding="utf-8")
    return paths


def _checked(directory: Path, **context: str) -> dict[str, str]:
    from aws_cdk import App, Validations
    from aws_cdk import aws_lambda as lambda_
    from cdk_nag import AwsSolutionsChecks

    from app import add_stack

    app = App(outdir=str(directory / "out"), context=context)
    stack = add_stack(app, code=lambda_.Code.from_asset(str(stand_in_code(directory))))
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    templates = sorted(Path(app.synth().directory).glob("*.template.json"))
    assert f"{stack.stack_name}.template.json" in {each.name for each in templates}
    return {each.name: each.read_text(encoding="utf-8") for each in templates}


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
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: CompletedProcess([], 0, "", ""))
    assert linted(bucket) == ""
    assert len(list((tmp_path / "clean").iterdir())) == 1
    monkeypatch.setattr(subprocess, "run", None)
    assert linted(bucket) == ""


def suppressions() -> list[dict[str, str]]:
    """Rule -> reason, for each kind of resource. Their module loads the CDK, so they are kept."""

    def read() -> list[dict[str, str]]:
        from infra.nag_suppressions import REASONS

        return list(REASONS.values())

    found: list[dict[str, str]] = remembered(key_of("reasons"), read)
    return found


def test_every_suppression_has_a_reason() -> None:
    for rules in suppressions():
        for rule, reason in rules.items():
            assert len(reason) > 40, rule


def test_a_synthesis_with_a_finding_is_never_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthesis, "CACHE", tmp_path / "clean")

    def refuse(*_: object, **__: str) -> dict[str, str]:
        raise RuntimeError("ValidationFailed")

    def accept(*_: object, **__: str) -> dict[str, str]:
        return {"one.template.json": "{}"}

    monkeypatch.setattr(sys.modules[__name__], "_checked", refuse)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="ValidationFailed"):
            checked(tmp_path, stage="prod")
    monkeypatch.setattr(sys.modules[__name__], "_checked", accept)
    assert checked(tmp_path, stage="prod") == [tmp_path / "one.template.json"]
    monkeypatch.setattr(sys.modules[__name__], "_checked", refuse)
    assert [each.read_text() for each in checked(tmp_path, stage="prod")] == ["{}"]
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        checked(tmp_path, stage="dev")


def test_an_unsuppressed_finding_fails(tmp_path: Path) -> None:
    """Without its suppressions the same template is refused, so the test above can fail."""
    refused = remembered(key_of("without suppressions"), lambda: _refused(tmp_path))
    # A suppression without a finding fails too.
    for rules in suppressions():
        for rule in rules:
            name = rule.partition("[")[0]
            assert name in refused or name in ONLY_WITH_OPTIONS, name


def _refused(directory: Path) -> str:
    """The message that lists the findings of a stack without its suppressions."""
    from aws_cdk import App, Validations
    from aws_cdk import aws_lambda as lambda_
    from cdk_nag import AwsSolutionsChecks

    from app import add_stack

    app = App(outdir=str(directory / "out"), context={"stage": "local"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("infra.stack.acknowledge_findings", lambda stack: None)
        add_stack(app, code=lambda_.Code.from_asset(str(stand_in_code(directory))))
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError, match="ValidationFailed") as refused:
        app.synth()
    return str(refused.value)


#: Findings that exist only with an option on, or off.
ONLY_WITH_OPTIONS = {
    "AwsSolutions-CFR1",
    "AwsSolutions-CFR2",
    "AwsSolutions-CFR3",
}
