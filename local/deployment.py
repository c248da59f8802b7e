"""Deploys a synthesized stack to the emulator: its assets, then the stack.

The CDK CLI does the same in two seconds of CPU, one of them to load. The tests of the runbook and
of the stack's life (`tests/e2e`) deploy with it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.emulator import ACCOUNT, REGION

# The resources of `cdk bootstrap` that a deployment needs.
ASSET_BUCKET = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
BOOTSTRAP_VERSION = "99"

#: Makes a boto3 client of a service for the emulator, as `Emulator.client`.
Client = Callable[[str], Any]

_DEPLOY_SECONDS = 300
_POLL_SECONDS = 0.1


class DeploymentError(RuntimeError):
    """The stack could not be created; the message has the reasons of its resources."""


def bootstrap(client: Client) -> None:
    """What `cdk bootstrap` does, as far as a deployment needs it."""
    client("s3").create_bucket(Bucket=ASSET_BUCKET)
    client("ssm").put_parameter(Name=BOOTSTRAP_PARAMETER, Type="String", Value=BOOTSTRAP_VERSION)


def deploy(client: Client, assembly: Path) -> dict[str, str]:
    """Create the only stack of an assembly and return its outputs by name.

    Raises `DeploymentError`.
    """
    [(name, template)] = _stacks(assembly)
    keys = _upload_assets(client, assembly)
    stacks = client("cloudformation")
    try:
        stacks.create_stack(
            StackName=name,
            TemplateURL=f"{stacks.meta.endpoint_url}/{ASSET_BUCKET}/{keys[template]}",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
    except ClientError as error:
        raise DeploymentError(f"The stack {name} is refused: {error}") from None
    deadline = time.monotonic() + _DEPLOY_SECONDS
    while (stack := _described(stacks, name))["StackStatus"] == "CREATE_IN_PROGRESS":
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_SECONDS)
    if stack["StackStatus"] != "CREATE_COMPLETE":
        reasons = "\n".join(_reasons(stacks, name))
        raise DeploymentError(f"The stack {name} is {stack['StackStatus']}.\n{reasons}")
    return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def _stacks(assembly: Path) -> list[tuple[str, str]]:
    """The name and the file of the template of each stack."""
    artifacts = json.loads((assembly / "manifest.json").read_text("utf-8"))["artifacts"]
    return [
        (name, artifact["properties"]["templateFile"])
        for name, artifact in artifacts.items()
        if artifact["type"] == "aws:cloudformation:stack"
    ]


def _upload_assets(client: Client, assembly: Path) -> dict[str, str]:
    """Upload the files of an assembly, and return their keys by file."""
    keys = {}
    for manifest in assembly.glob("*.assets.json"):
        for asset in json.loads(manifest.read_text("utf-8"))["files"].values():
            path, packaging = asset["source"]["path"], asset["source"]["packaging"]
            if packaging != "file":
                raise DeploymentError(f"{path} is packaged as {packaging}, not as a file.")
            for destination in asset["destinations"].values():
                keys[path] = destination["objectKey"]
                body = (assembly / path).read_bytes()
                client("s3").put_object(
                    Bucket=ASSET_BUCKET, Key=destination["objectKey"], Body=body
                )
    return keys


def _described(stacks: Any, name: str) -> dict[str, Any]:
    stack: dict[str, Any] = stacks.describe_stacks(StackName=name)["Stacks"][0]
    return stack


def _reasons(stacks: Any, name: str) -> list[str]:
    """Of what failed, the first first."""
    events = stacks.describe_stack_events(StackName=name)["StackEvents"]
    return [
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("FAILED")
    ]
