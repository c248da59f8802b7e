"""The IAM actions of recorded AWS calls, and the grants of the synthesized policies.

The requests are read where the SDK sends them, so that it does not matter who made them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.support.dynamodb_shapes import shapes_of
from tests.support.template import Template, functions, properties_of


@dataclass(frozen=True)
class Use:
    """One permission that a request needs. A request may need several."""

    action: str
    resource: str
    leading_key: str | None = None
    attributes: frozenset[str] = frozenset()
    return_values: str | None = None


@dataclass(frozen=True)
class Grant:
    """One action on one resource, with the statement's conditions."""

    action: str
    resource: str
    conditions: str = "{}"

    def allows(self, use: Use) -> bool:
        """As IAM decides, for the condition keys that the stack uses."""
        return (
            self.action == use.action
            and fnmatchcase(use.resource, self.resource)
            and all(
                holds(operator, key, value if isinstance(value, list) else [value], use)
                for operator, entries in json.loads(self.conditions).items()
                for key, value in entries.items()
            )
        )


def holds(operator: str, key: str, values: list[str], use: Use) -> bool:
    """One condition; an unknown one fails, so that a new one is thought about here."""
    known: dict[str, set[str]] = {
        "dynamodb:LeadingKeys": {use.leading_key} if use.leading_key else set(),
        "dynamodb:Attributes": set(use.attributes),
        "dynamodb:ReturnValues": {use.return_values} if use.return_values else set(),
    }
    present = known[key]
    match operator:
        case "Null":
            return (values == ["true"]) == (not present)
        case "ForAllValues:StringLike" | "ForAllValues:StringEquals" | "StringEqualsIfExists":
            return all(any(fnmatchcase(each, v) for v in values) for each in present)
    raise AssertionError(f"no rule for {operator}")


# -- grants ---------------------------------------------------------------------------------


def grants(template: Template, function: str) -> set[Grant]:
    """All that the role of `functions/handlers/<function>.py` may."""
    return {
        Grant(action, text(resource), json.dumps(statement.get("Condition", {})))
        for statement in statements(template, function)
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


def statements(template: Template, function: str) -> list[dict[str, Any]]:
    """The statements of the role of `functions/handlers/<function>.py`."""
    role = functions(template)[function]["Role"]["Fn::GetAtt"][0]
    return [
        statement
        for policy in properties_of(template, "AWS::IAM::Policy")
        if {"Ref": role} in policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def text(value: Any) -> str:
    """An ARN of the template with `{logical id}` for each resource."""
    if isinstance(value, str):
        return value
    [(function, argument)] = value.items()
    if function == "Ref":
        return f"{{{argument}}}"
    if function == "Fn::GetAtt":
        return f"{{{argument[0]}}}" + ("/stream" if argument[1] == "StreamArn" else "")
    return "".join(text(part) for part in argument[1])


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# -- uses -----------------------------------------------------------------------------------

_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}
#: Operation -> the action that permits it
#: (Amazon S3 User Guide, "Required permissions for Amazon S3 API operations").
_S3 = {
    "AbortMultipartUpload": "AbortMultipartUpload",
    "CompleteMultipartUpload": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteObject": "DeleteObject",
    "DeleteObjects": "DeleteObject",
    "GetObject": "GetObject",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
    "PutObject": "PutObject",
    "UploadPart": "PutObject",
}
_PARTIQL = re.compile(r'\s*(SELECT|INSERT|UPDATE|DELETE)\b[^"]*"([^"]+)"(?:\."([^"]+)")?', re.ASCII)
_PARTITION = re.compile(r"\s*#?\w+\s*=\s*(:\w+)")
_NAME = re.compile(r"(?<![:#\w])[a-z]\w+(?!\w*\()|#\w+")


@dataclass
class Recorder:
    """Records what the SDK sends while a function acts. `names`: name or URL -> logical id."""

    names: Mapping[str, str]
    acting: str | None = None
    used: dict[str, set[Use]] = field(default_factory=dict)
    #: What all calls to DynamoDB ask (`tests/support/dynamodb_shapes.py`).
    shapes: set[str] = field(default_factory=set)

    @contextmanager
    def acts(self, function: str) -> Iterator[None]:
        """Calls in this context belong to `function`, on any thread."""
        self.acting = function
        try:
            yield
        finally:
            self.acting = None

    @contextmanager
    def pauses(self) -> Iterator[None]:
        """Calls in this context do not belong to the function under test."""
        acting, self.acting = self.acting, None
        try:
            yield
        finally:
            self.acting = acting

    def before_send(self, **given: Any) -> None:
        """The handler of botocore's event `before-send`."""
        request, event_name = given["request"], given["event_name"]
        if self.acting is not None:
            _, service, operation = event_name.split(".")
            self.used.setdefault(self.acting, set()).update(self._uses(service, operation, request))
            if service == "dynamodb":
                self.shapes.update(shapes_of(operation, json.loads(request.body)))

    def _uses(self, service: str, operation: str, request: Any) -> Iterator[Use]:
        raw = request.body if isinstance(request.body, bytes) else b""
        match service:
            case "dynamodb":
                yield from self._dynamodb(operation, json.loads(raw))
            case "s3":
                bucket, _, key = unquote(urlsplit(request.url).path).lstrip("/").partition("/")
                action = _S3[operation]
                keys = re.findall(r"<Key>([^<]+)</Key>", raw.decode("utf-8", "replace"))
                objects = keys if operation == "DeleteObjects" else [key]
                for name in [""] if action == "ListBucket" else objects:
                    yield Use(f"s3:{action}", self.names[bucket] + (f"/{name}" if name else ""))
            case "sqs":
                action = operation.removesuffix("Batch")
                yield Use(f"sqs:{action}", self.names[json.loads(raw)["QueueUrl"]])
            case "eventbridge":
                for entry in json.loads(raw)["Entries"]:
                    yield Use(f"events:{operation}", self.names[entry["EventBusName"]])
            case "kms":
                yield Use(f"kms:{operation}", self.names[json.loads(raw)["KeyId"]])
            case "secrets-manager":
                yield Use(f"secretsmanager:{operation}", self.names[json.loads(raw)["SecretId"]])
            case _:
                raise AssertionError(f"no rule for {service}")

    def _dynamodb(self, operation: str, sent: dict[str, Any]) -> Iterator[Use]:
        if operation in ("BatchGetItem", "BatchWriteItem"):
            for table, wanted in sent["RequestItems"].items():
                for key in _batch_keys(wanted):
                    leading_key = key["pk"]["S"]
                    yield Use(f"dynamodb:{operation}", self.names[table], leading_key=leading_key)
        elif operation in ("TransactWriteItems", "TransactGetItems"):
            # No separate action: each item is the action that it performs.
            for item in sent["TransactItems"]:
                for kind, content in item.items():
                    yield self._item(_TRANSACTION[kind], content)
        elif operation in ("BatchExecuteStatement", "ExecuteStatement"):
            for each in sent.get("Statements", [sent]):
                found = _PARTIQL.match(each["Statement"])
                assert found, each["Statement"]
                index = f"/index/{found[3]}" if found[3] else ""
                yield Use(f"dynamodb:PartiQL{found[1].capitalize()}", self.names[found[2]] + index)
        else:
            yield self._item(operation, sent)

    def _item(self, action: str, sent: dict[str, Any]) -> Use:
        key = sent.get("Key") or sent.get("Item") or {}
        index = f"/index/{sent['IndexName']}" if "IndexName" in sent else ""
        expressions = " ".join(
            sent.get(name, "") for name in ("UpdateExpression", "ConditionExpression")
        )
        names = sent.get("ExpressionAttributeNames", {})
        attributes = {names.get(each, each) for each in _NAME.findall(expressions)}
        return Use(
            f"dynamodb:{action}",
            self.names[sent["TableName"]] + index,
            key.get("pk", {}).get("S") or _queried(sent),
            frozenset(attributes | set(key) if attributes else set()),
            sent.get("ReturnValues"),
        )


def _queried(sent: Mapping[str, Any]) -> str | None:
    """The partition key of a `Query`, which `dynamodb:LeadingKeys` has as well."""
    found = _PARTITION.match(sent.get("KeyConditionExpression", ""))
    if found is None:
        return None
    value: str | None = sent["ExpressionAttributeValues"][found[1]].get("S")
    return value


def _batch_keys(wanted: Any) -> list[dict[str, Any]]:
    """The keys of a batch: of a read, or the items and keys of a list of writes."""
    if isinstance(wanted, dict):
        keys: list[dict[str, Any]] = wanted["Keys"]
        return keys
    return [
        each["PutRequest"]["Item"] if "PutRequest" in each else each["DeleteRequest"]["Key"]
        for each in wanted
    ]
