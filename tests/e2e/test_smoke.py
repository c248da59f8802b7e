"""The checks of `make aws-smoke`, against the local stack wherever the emulator can do them.

They run last, because they write into tables and buckets that other tests compare. Their erasure
starts first, so that no test waits for its receipt.
"""

from __future__ import annotations

import subprocess

import pytest

from local import stack as local_stack
from local.emulator import LOCAL_DIR, ROOT
from local.stack import LocalStack
from tests.smoke.__main__ import CHECKS, FIRST, ON_AWS, run
from tests.smoke.on_aws import settings_that_the_emulator_drops
from tests.smoke.stage import Failed, Smoke
from tests.smoke.versions import broken


@pytest.fixture(scope="session")
def smoke(stack: LocalStack) -> Smoke:
    def cdk(command: str, *options: str) -> int:
        return subprocess.run(
            [local_stack.CDK, command, f"--app={LOCAL_DIR / 'cdk' / 'e2e'}", *options],
            cwd=ROOT,
            env=local_stack._cdk_environment(stack.emulator),
            capture_output=True,
            check=False,
        ).returncode

    smoke = Smoke(stage="local", client=stack.client, cdk=cdk, base_url=stack.base_url)
    FIRST(smoke)
    smoke.begin()
    return smoke


@pytest.mark.at_first
def test_an_erasure_is_started_for_the_check_of_its_receipt(smoke: Smoke) -> None:
    status, response, _ = smoke.erased
    assert (status, response) == (200, {"success": True})


@pytest.mark.at_last
def test_every_check_that_the_emulator_supports_succeeds(smoke: Smoke) -> None:
    lines: list[str] = []
    assert run(smoke, CHECKS, lines.append) == []
    assert lines == [f"{check.__name__}: ok\n" for check in CHECKS]


@pytest.mark.at_last
def test_a_failed_check_is_reported_and_the_others_continue(smoke: Smoke) -> None:
    lines: list[str] = []

    def refused(_: Smoke) -> None:
        raise Failed("something else")

    failed = run(smoke, (refused, settings_that_the_emulator_drops, lambda _: None), lines.append)

    # The emulator drops TTL. On AWS the check succeeds.
    assert failed == ["refused", "settings_that_the_emulator_drops"]
    assert lines[0] == "refused: FAILED: Failed: something else\n"
    assert "TimeToLiveStatus" in lines[1]
    assert lines[2] == "<lambda>: ok\n"
    assert settings_that_the_emulator_drops in ON_AWS


@pytest.mark.at_last
def test_a_function_broken_for_a_check_is_repaired_after_it(
    stack: LocalStack, smoke: Smoke
) -> None:
    functions = stack.client("lambda")
    [name] = smoke.named("Lambda::Function", "FunctionsPages")
    alias = functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
    settings = functions.get_function_configuration(FunctionName=name)["Environment"]

    with broken(smoke, name) as version:
        functions.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
        failing = functions.get_function_configuration(FunctionName=name, Qualifier=version)
        assert version != alias
        assert failing["Environment"] != settings

    assert functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == alias
    assert functions.get_function_configuration(FunctionName=name)["Environment"] == settings


@pytest.mark.at_last
def test_resources_that_cloudformation_leaves_are_removed(stack: LocalStack, smoke: Smoke) -> None:
    gateway, s3 = stack.client("apigateway"), stack.client("s3")
    bucket = stack.outputs["ExportsBucketName"]
    s3.put_object(Bucket=bucket, Key="exports/left", Body=b"")

    def keys() -> list[str]:
        return [key["name"] for key in gateway.get_api_keys(limit=500)["items"]]

    assert f"workspace-{smoke.workspace}" in keys()
    smoke.clean()
    assert f"workspace-{smoke.workspace}" not in keys()
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
