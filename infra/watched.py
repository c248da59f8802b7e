"""What a stack contains that alarms and the dashboard cover, and the metrics of CloudWatch."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

#: The functions read this file too.
_DEFINITIONS: dict[str, Any] = json.loads(
    Path(__file__)
    .resolve()
    .parent.parent.joinpath("functions", "metrics.json")
    .read_text(encoding="utf-8")
)


class Watched:
    """Every function, table, queue and stream reader under a construct, and the API."""

    def __init__(self, construct: Construct, *, stage: str, api: apigateway.RestApi) -> None:
        self._stage = stage
        self._api = api
        found = construct.node.find_all()
        self.functions = [each for each in found if isinstance(each, lambda_.Function)]
        self.tables = [each for each in found if isinstance(each, dynamodb.Table)]
        queues = [each for each in found if isinstance(each, sqs.Queue)]
        # Recognized by their names, because not every source of dead letters is a queue.
        self.dead_letter_queues = [each for each in queues if is_dead_letter_queue(each)]
        self.queues = [each for each in queues if not is_dead_letter_queue(each)]
        self.stream_readers = [
            each
            for each in found
            if isinstance(each, lambda_.CfnEventSourceMapping) and each.starting_position
        ]
        # A stream reader is in the scope of its function.
        scopes = {_scope_path(each): each for each in self.functions}
        self._functions_of_readers = {
            each: next(
                function for scope, function in scopes.items() if path.startswith(f"{scope}/")
            )
            for each in self.stream_readers
            for path in [each.node.path]
        }

    def reader_function(self, reader: lambda_.CfnEventSourceMapping) -> lambda_.Function:
        """The function of a stream reader."""
        return self._functions_of_readers[reader]

    def stream_functions(self) -> list[lambda_.Function]:
        reading = set(self._functions_of_readers.values())
        return [each for each in self.functions if each in reading]

    def api_metric(
        self, name: str, statistic: str, *, label: str | None = None, period: Duration | None = None
    ) -> cloudwatch.Metric:
        """A metric of the API's stage.

        Not the stage's own: that depends on the deployment, and so on the functions, which may
        depend on the alarm that rolls them back.
        """
        return cloudwatch.Metric(
            namespace="AWS/ApiGateway",
            metric_name=name,
            dimensions_map={"ApiName": self._api.rest_api_name, "Stage": self._stage},
            statistic=statistic,
            label=label,
            period=period,
        )

    def own_metric(self, name: str, statistic: str, label: str | None = None) -> cloudwatch.Metric:
        """A metric that the functions write. Raises `KeyError` if metrics.json does not have it."""
        if name not in _DEFINITIONS["metrics"]:
            raise KeyError(f"metrics.json does not define {name}")
        return cloudwatch.Metric(
            namespace=_DEFINITIONS["namespace"],
            metric_name=name,
            dimensions_map={"service": _DEFINITIONS["service"], "stage": self._stage},
            statistic=statistic,
            label=label,
        )


@lru_cache(maxsize=256)
def name_of(construct: Construct) -> str:
    """The construct's id, or its parent's where CDK chose the id.

    Cached, because each property of a construct is a call of the CDK's Node process. These calls
    take most of the time of a synthesis.
    """
    node = construct.node
    name: str = node.id
    if name in ("Function", "Resource") and isinstance(scope := node.scope, Construct):
        return name_of(scope)
    return name.partition(":")[0]


def is_dead_letter_queue(queue: sqs.Queue) -> bool:
    return queue.node.id.endswith("DeadLetters")


def index_names(table: dynamodb.Table) -> list[str]:
    cfn = table.node.default_child
    resolved = Stack.of(table).resolve(cfn.global_secondary_indexes) if cfn else None  # type: ignore[attr-defined]
    return [each["indexName"] for each in resolved or []]


def _scope_path(function: lambda_.Function) -> str:
    """The path of the construct that a function is in."""
    path: str = function.node.path
    return path.rpartition("/")[0]
