"""CloudWatch metrics: the services' and the functions' own."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import IConstruct

#: The functions read this file too.
_DEFINITIONS: dict[str, Any] = json.loads(
    Path(__file__)
    .resolve()
    .parent.parent.joinpath("functions", "metrics.json")
    .read_text(encoding="utf-8")
)

#: Periods in seconds.
FIVE_MINUTES = 300
ONE_MINUTE = 60


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One CloudWatch metric over a period (seconds)."""

    namespace: str
    name: str
    dimensions: dict[str, Any]
    statistic: str
    period: int = FIVE_MINUTES
    label: str = ""

    def line(self) -> list[Any]:
        """As a line of a dashboard's widget (CloudWatch, "Dashboard body structure")."""
        named = [part for pair in self.dimensions.items() for part in pair]
        options: dict[str, Any] = {"stat": self.statistic}
        if self.label:
            options["label"] = self.label
        return [self.namespace, self.name, *named, options]


def own_metric(name: str, statistic: str, *, stage: str, label: str = "") -> Metric:
    """One of the functions' own metrics. Raises `KeyError` if metrics.json does not define it."""
    if name not in _DEFINITIONS["metrics"]:
        raise KeyError(f"metrics.json does not define {name}")
    return Metric(
        namespace=_DEFINITIONS["namespace"],
        name=name,
        dimensions={"service": _DEFINITIONS["service"], "stage": stage},
        statistic=statistic,
        label=label,
    )


def function_metric(
    function: lambda_.Function, name: str, statistic: str, period: int = FIVE_MINUTES
) -> Metric:
    return Metric(
        namespace="AWS/Lambda",
        name=name,
        dimensions={"FunctionName": function.function_name},
        statistic=statistic,
        period=period,
        label=name_of(function),
    )


def queue_metric(queue: sqs.Queue, name: str, statistic: str, period: int = FIVE_MINUTES) -> Metric:
    return Metric(
        namespace="AWS/SQS",
        name=name,
        dimensions={"QueueName": queue.queue_name},
        statistic=statistic,
        period=period,
        label=name_of(queue),
    )


def table_metric(
    table: dynamodb.Table, name: str, statistic: str, *, index: str | None = None, label: str = ""
) -> Metric:
    return Metric(
        namespace="AWS/DynamoDB",
        name=name,
        dimensions={"TableName": table.table_name}
        | ({"GlobalSecondaryIndexName": index} if index else {}),
        statistic=statistic,
        label=label,
    )


def api_metric(
    name: str, statistic: str, *, api_name: str, stage: str, period: int = FIVE_MINUTES
) -> Metric:
    return Metric(
        namespace="AWS/ApiGateway",
        name=name,
        dimensions={"ApiName": api_name, "Stage": stage},
        statistic=statistic,
        period=period,
        label=name if statistic == "Sum" else f"{name} {statistic}",
    )


def name_of(construct: IConstruct) -> str:
    """The construct's id, or its parent's where CDK chose the id."""
    if construct.node.id in ("Function", "Resource") and construct.node.scope is not None:
        return name_of(construct.node.scope)
    return construct.node.id.split(":")[0]
