"""Evaluates requests against the synthesized roles with an independent IAM simulator.

The simulator is `@cloud-copilot/iam-simulate` (AGPL: a test tool that is not deployed). One node
process answers all evaluations. A second opinion on `tests/support/iam.py`: it knows every
condition operator, which context keys an action has, and which resources.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.support.iam import Use, as_list, statements, text
from tests.support.template import Template

_SCRIPT = Path(__file__).with_name("iam_simulator.mjs")
_ACCOUNT = "us-east-1:111122223333"
_PSEUDO = {
    "{AWS::Partition}": "aws",
    "{AWS::Region}": "us-east-1",
    "{AWS::AccountId}": "111122223333",
}

#: Resource type -> the ARN of one with this logical id.
_ARNS = {
    "AWS::KMS::Key": f"arn:aws:kms:{_ACCOUNT}:key/{{}}",
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{_ACCOUNT}:table/{{}}",
    "AWS::S3::Bucket": "arn:aws:s3:::{}",
    "AWS::SQS::Queue": f"arn:aws:sqs:{_ACCOUNT}:{{}}",
    "AWS::SecretsManager::Secret": f"arn:aws:secretsmanager:{_ACCOUNT}:secret:{{}}-AbCdEf",
    "AWS::Events::EventBus": f"arn:aws:events:{_ACCOUNT}:event-bus/{{}}",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{_ACCOUNT}:log-group:{{}}:*",
}


class IamSimulator:
    """The simulator and the template whose roles it evaluates; close it after use."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._process = subprocess.Popen(
            ["node", str(_SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def allows(self, function: str, use: Use) -> bool:
        """Whether the role of `functions/handlers/<function>.py` may; raises on unknown actions."""
        context: dict[str, Any] = {}
        if use.leading_key is not None:
            context["dynamodb:LeadingKeys"] = [use.leading_key]
        if use.attributes:
            context["dynamodb:Attributes"] = sorted(use.attributes)
        if use.return_values is not None:
            context["dynamodb:ReturnValues"] = use.return_values
        result, errors = self._ask(
            {
                "policy": self.policy(function),
                "action": use.action,
                "resource": self.arn(use.resource),
                "context": context,
            }
        )
        if result not in ("Allowed", "ImplicitlyDenied", "ExplicitlyDenied"):
            raise AssertionError(f"{use}: {errors}")
        return result == "Allowed"

    def policy(self, function: str) -> dict[str, Any]:
        """All statements of a function's role, with ARNs as they are in an account."""
        in_account = [
            each | {"Resource": [self.arn(text(part)) for part in as_list(each["Resource"])]}
            for each in statements(self._template, function)
        ]
        return {"Version": "2012-10-17", "Statement": in_account}

    def arn(self, resource: str) -> str:
        """The ARN for what `text` writes: `{logical id}/path`, or a whole ARN."""
        for name, value in _PSEUDO.items():
            resource = resource.replace(name, value)
        found = re.fullmatch(r"\{(\w+)\}(.*)", resource)
        if found is None:
            return resource
        kind = self._template["Resources"][found[1]]["Type"]
        path = found[2].replace("/stream", "/stream/2026-01-31T12:00:00.000")
        return _ARNS[kind].format(found[1]) + path

    def _ask(self, request: dict[str, Any]) -> tuple[str, Any]:
        pipe = self._process
        assert pipe.stdin is not None
        assert pipe.stdout is not None
        pipe.stdin.write(json.dumps(request) + "\n")
        pipe.stdin.flush()
        response = json.loads(pipe.stdout.readline())
        return response["result"], response["errors"]
