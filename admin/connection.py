"""Which stack and account the command works on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from admin.commands import Deployment, Refused

Clients = Callable[[str], Any]

#: The emulator's credentials. A real account's credentials are never sent to it.
_LOCAL_CREDENTIALS = {
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
    "region_name": "us-east-1",
}


#: Seconds to wait for a response. Longer than the functions that replay failed records may run: a
#: call that times out is sent again, and the function would run twice.
READ_TIMEOUT = 90


def connect(stack: str) -> Deployment:
    """The deployment of a CloudFormation stack; raises `Refused` when there is none."""
    client = client_maker()
    return Deployment.of(outputs_of(stack, client), client)


class Outputs(dict[str, str]):
    """The outputs of a stack by name; raises `Refused` for one that it does not have."""

    def __init__(self, stack: str, outputs: Mapping[str, str]) -> None:
        super().__init__(outputs)
        self._stack = stack

    def __missing__(self, name: str) -> str:
        raise Refused(
            f"The stack {self._stack} has no output {name}. Is its deployment complete, and is it "
            "the stack of the service?"
        )


def outputs_of(stack: str, client: Clients) -> Outputs:
    """The outputs of a CloudFormation stack; raises `Refused` when there is none."""
    try:
        described = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            raise Refused(f"There is no stack {stack} in this account and region.") from None
        raise
    # A stack whose first deployment failed has none.
    outputs = described[0].get("Outputs", [])
    return Outputs(stack, {each["OutputKey"]: each["OutputValue"] for each in outputs})


def client_maker() -> Clients:
    """Makes boto3 clients of this account and region, or of the local stack."""
    make_session: Any = boto3.session.Session
    make = make_session(**(_LOCAL_CREDENTIALS if is_local() else {})).client
    config = Config(
        read_timeout=READ_TIMEOUT, retries={"mode": "standard", "total_max_attempts": 5}
    )
    return lambda service: make(service, config=config)


def is_local() -> bool:
    """Whether the environment names a local endpoint."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    return urlsplit(endpoint).hostname in ("127.0.0.1", "localhost", "::1")
