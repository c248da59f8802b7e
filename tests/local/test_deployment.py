"""A synthesized stack is created from its assembly, and a stack that fails says why."""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from local.deployment import ASSET_BUCKET, Client, DeploymentError, bootstrap, deploy
from local.emulator import client

QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "from-a-template"}}


@pytest.fixture(scope="module")
def aws(emulator_url: str) -> Client:
    made = cache(partial(client, emulator_url))
    bootstrap(made)
    return made


def assembly(directory: Path, name: str, template: Any, *, packaging: str = "file") -> Path:
    """An assembly of a stack with one more asset, as the CDK writes it."""
    stack = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "t.json"}}
    files = {
        path: {
            "source": {"path": path, "packaging": packaging},
            "destinations": {
                "any": {"bucketName": "the bootstrap's", "objectKey": f"{name}/{key}"}
            },
        }
        for path, key in (("t.json", "template"), ("code.zip", "code"))
    }
    for file, content in (
        ("manifest.json", {"artifacts": {name: stack, "Tree": {"type": "cdk:tree"}}}),
        ("stack.assets.json", {"files": files}),
        ("t.json", template),
        ("code.zip", "archive"),
    ):
        (directory / file).write_text(json.dumps(content), encoding="utf-8")
    return directory


def test_a_stack_is_created_with_its_assets(aws: Client, tmp_path: Path) -> None:
    outputs = {"QueueArn": {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}}, "Fixed": {"Value": "text"}}
    template = {"Resources": {"Queue": QUEUE}, "Outputs": outputs}

    deployed = deploy(aws, assembly(tmp_path, "works", template))

    assert len(aws("sqs").list_queues(QueueNamePrefix="from-a-template")["QueueUrls"]) == 1
    arn = "arn:aws:sqs:us-east-1:000000000000:from-a-template"
    assert deployed == {"QueueArn": arn, "Fixed": "text"}
    archive = aws("s3").get_object(Bucket=ASSET_BUCKET, Key="works/code")
    assert archive["Body"].read() == b'"archive"'
    stack = aws("cloudformation").describe_stacks(StackName="works")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"


def test_the_reason_of_a_failed_resource_is_in_the_error(aws: Client, tmp_path: Path) -> None:
    properties = {"TargetFunctionArn": "no-such-function", "AuthType": "NONE"}
    broken = {"Type": "AWS::Lambda::Url", "Properties": properties}

    with pytest.raises(DeploymentError) as error:
        deploy(aws, assembly(tmp_path, "fails", {"Resources": {"Broken": broken}}))

    first, reason, *_ = str(error.value).splitlines()
    assert first == "The stack fails is ROLLBACK_COMPLETE."
    assert reason == "Broken: Lambda function not found: no-such-function"


def test_a_refused_template_is_an_error(aws: Client, tmp_path: Path) -> None:
    unknown = {"Type": "AWS::SQS::NoSuchThing", "Properties": {}}

    with pytest.raises(DeploymentError, match=r"The stack unknown is refused: .*NoSuchThing"):
        deploy(aws, assembly(tmp_path, "unknown", {"Resources": {"Unknown": unknown}}))


def test_an_asset_that_needs_packing_is_refused(aws: Client, tmp_path: Path) -> None:
    directory = assembly(tmp_path, "packs", {"Resources": {"Queue": QUEUE}}, packaging="zip")

    with pytest.raises(DeploymentError, match=r"t\.json is packaged as zip, not as a file"):
        deploy(aws, directory)
