"""The deployed stage that is checked, with its own workspace."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from admin import commands
from admin.commands import Deployment
from admin.connection import outputs_of
from admin.failed_records import failures, records_of
from functions.domain.policies import Policies

#: What `call` answers: status, parsed body (or its text), headers by lower-case name.
Response = tuple[int, Any, dict[str, str]]


class Failed(Exception):
    """A check saw something else."""


class Smoke:
    """The deployed stage, with its own workspace.

    `client` makes boto3 clients; `cdk` runs a command of the CDK CLI for the stage and answers its
    exit code; `base_url` is where the API is, if not at the output `ApiUrl`.
    """

    def __init__(
        self,
        *,
        stage: str,
        client: Callable[[str], Any],
        cdk: Callable[..., int],
        base_url: str = "",
        ttl_hours: float = 0,
        domain_url: str = "",
    ) -> None:
        self.stage = stage
        self.client = client
        self.cdk = cdk
        self.ttl_hours = ttl_hours
        self.domain_url = domain_url.rstrip("/")
        self.outputs = outputs_of(f"Unlink-{stage}", client)
        self.base_url = (base_url or self.outputs["ApiUrl"]).rstrip("/")
        self.deployment = Deployment.of(self.outputs, client)
        self.workspace = f"smoke-{uuid.uuid4().hex[:8]}"
        self.key = ""
        self.erased: Response = (0, None, {})

    def begin(self) -> None:
        """Create the workspace and its key, and start an erasure, whose receipt takes longest."""
        # Retention, so that a soft-deleted link has what its removal by TTL needs.
        commands.create_workspace(
            self.deployment, self.workspace, plan="free", policies=Policies(retention_days=1)
        )
        self.key, _ = commands.issue_key(
            self.deployment,
            self.workspace,
            name="smoke",
            scopes=("linksRead", "linksWrite", "linksErase", "analyticsRead"),
        )
        # API Gateway may need a while until it knows a new key.
        wait("the first response with the new key", self._knows_key, minutes=5, pause=2)
        self.erased = self.call("DELETE", f"/api/links/{self.create()['id']}")

    def call(
        self, method: str, path: str, body: bytes | None = None, key: str | None = None
    ) -> Response:
        """Call the API with the workspace's key, or another."""
        address = urlsplit(self.base_url)
        secure = address.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(address.netloc, timeout=40)
        headers = {"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json"}
        try:
            connection.request(method, address.path + path, body, headers)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        finally:
            connection.close()
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = text
        return (
            response.status,
            parsed,
            {name.lower(): value for name, value in response.getheaders()},
        )

    def _knows_key(self) -> bool:
        status, _, _ = self.call("GET", "/api/links?limit=1")
        return status == 200

    def create(self) -> dict[str, Any]:
        """A new link."""
        status, link, _ = self.call("POST", "/api/links", b'{"originalUrl":"https://example.com"}')
        expect(status == 201, f"create answered {status}: {link}")
        return dict(link)

    def key_of(self, link: dict[str, Any]) -> dict[str, Any]:
        """The key of a link's item."""
        return {"pk": {"S": f"{self.workspace}#{link['id']}"}, "sk": {"S": "LINK"}}

    def named(self, kind: str, part: str = "") -> list[str]:
        """What the stack's resources of a type are called whose logical id contains `part`."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        return [
            str(resource["PhysicalResourceId"])
            for page in pages.paginate(StackName=f"Unlink-{self.stage}")
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == f"AWS::{kind}" and part in resource["LogicalResourceId"]
        ]

    def failed_records(self, text: str) -> list[str]:
        """Keys of the failures bucket whose records contain `text`."""
        bucket = self.outputs["FailuresBucketName"]
        return [
            key
            for key, failure in failures(self.client("s3"), bucket)
            if text in json.dumps(records_of(failure))
        ]

    def clean(self) -> None:
        """Remove what CloudFormation leaves: the workspace's usage key, and objects."""
        item = self.deployment.access.workspace(self.workspace)
        if item is not None:
            self.deployment.usage_keys.delete(str(item["usageKeyId"]))
        s3 = self.client("s3")
        for name, bucket in self.outputs.items():
            if name.endswith("BucketName"):
                for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                    for entry in page.get("Contents", []):
                        s3.delete_object(Bucket=bucket, Key=entry["Key"])


def expect(truth: bool, otherwise: str) -> None:
    if not truth:
        raise Failed(otherwise)


def wait(what: str, look: Callable[[], Any], *, minutes: float, pause: float = 5) -> Any:
    """Poll `look` until it returns something; raises `Failed` after a timeout."""
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(pause)
    raise Failed(f"{what}: not within {minutes:g} minutes")
