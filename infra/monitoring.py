"""Alarms that mean something, and a dashboard that shows the life of a deletion.

Both are made from what the stack contains: a function, queue, table or stream reader that is
added gets its alarms without anybody thinking of it. Every alarm's description names its entry in
the runbook, docs/operations.md; a test holds that there is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct

from infra.metrics import own_metric
from infra.settings import Settings

RUNBOOK = "docs/operations.md"

#: By then an erased link's clicks, rollups, installs and images are gone, and the receipt says so.
#: Work starts a minute and a half after the erasure; the rest is room for a backlog.
ERASURE_PROMISE = Duration.hours(4)

#: A deletion whose worker died is taken over when its lease lapses (a minute) and the schedule
#: looks (another).
TAKE_OVER_PROMISE = Duration.minutes(15)

#: Twice the visibility timeout: a message whose worker died was tried again, and waits still.
OLDEST_MESSAGE = Duration.hours(1)

#: Records wait 23 hours for their reader (`STREAM_MAX_AGE`): this leaves most of a day to act.
STREAM_LAG = Duration.minutes(10)

#: What a visitor should never wait for a redirect, 99 times of 100.
SLOW_REDIRECT = Duration.seconds(1)

#: Periods of metrics, in seconds.
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


class Monitoring(Construct):
    """`topic` (where alarms go), `alarms` by name, `dashboard`, of everything in `watched`.

    `function_errors` (of each function) and `api_errors` are what speaks against a new version.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        watched: Construct,
        api: apigateway.RestApi,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage = settings.stage
        self.topic = sns.Topic(self, "Alarms", enforce_ssl=True)
        # A policy of its own takes the place of the one by which the account's alarms may publish.
        stack = Stack.of(self)
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": stack.account},
                    "ArnLike": {
                        "aws:SourceArn": stack.format_arn(
                            service="cloudwatch",
                            resource="alarm",
                            resource_name="*",
                            arn_format=ArnFormat.COLON_RESOURCE_NAME,
                        )
                    },
                },
            )
        )
        if settings.alarm_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(settings.alarm_email))
        self.alarms: dict[str, cloudwatch.CfnAlarm] = {}
        self.function_errors: dict[str, list[cloudwatch.CfnAlarm]] = {}

        found = watched.node.find_all()
        self._functions = [each for each in found if isinstance(each, lambda_.Function)]
        self._tables = [each for each in found if isinstance(each, dynamodb.Table)]
        queues = [each for each in found if isinstance(each, sqs.Queue)]
        dead = {each.dead_letter_queue.queue.node.path for each in queues if each.dead_letter_queue}
        self._dead_letters = [each for each in queues if each.node.path in dead]
        self._queues = [each for each in queues if each.node.path not in dead]
        self._readers = [
            each
            for each in found
            if isinstance(each, lambda_.CfnEventSourceMapping) and each.starting_position
        ]
        self._api = {"ApiName": api.rest_api_name, "Stage": settings.stage}

        for function in self._functions:
            self._watch_function(function)
        for queue in self._queues:
            self._watch_queue(queue)
        for queue in self._dead_letters:
            self._watch_dead_letters(queue)
        for table in self._tables:
            self._watch_table(table)
        for reader in self._readers:
            self._watch_reader(reader)
        self.api_errors = self._watch_api()
        self._watch_deletions()
        self.dashboard = self._dashboard()

    # -- what is watched --------------------------------------------------------------------

    def _watch_function(self, function: lambda_.Function) -> None:
        name = name_of(function)
        errors = self._alarm(
            f"{name}Errors",
            runbook="function-errors",
            says=f"{name} was killed, timed out or could not start three times in five minutes",
            metric=self._of_function(function, "Errors", "Sum"),
            threshold=3,
        )
        exceptions = self._alarm(
            f"{name}Exceptions",
            runbook="function-exceptions",
            says=f"{name} logged errors in two of three minutes",
            metric=self._error_lines(function),
            threshold=1,
            of=(2, 3),
        )
        self.function_errors[name] = [errors, exceptions]
        self._alarm(
            f"{name}Throttles",
            runbook="function-throttles",
            says=f"{name} reached a concurrency limit in three of five minutes",
            metric=self._of_function(function, "Throttles", "Sum", period=ONE_MINUTE),
            threshold=1,
            of=(3, 5),
        )
        if name == "Redirect":
            self._alarm(
                "RedirectSlow",
                runbook="slow-redirects",
                says="one redirect in a hundred takes longer than a second",
                metric=self._of_function(function, "Duration", "p99"),
                threshold=SLOW_REDIRECT.to_milliseconds(),
                of=(3, 3),
            )

    def _watch_queue(self, queue: sqs.Queue) -> None:
        name = name_of(queue)
        self._alarm(
            f"{name}QueueAge",
            runbook="old-messages",
            says=f"a message has waited in the {name} queue for an hour",
            metric=self._of_queue(queue, "ApproximateAgeOfOldestMessage", "Maximum"),
            threshold=OLDEST_MESSAGE.to_seconds(),
        )

    def _watch_dead_letters(self, queue: sqs.Queue) -> None:
        name = name_of(queue)
        self._alarm(
            f"{name}NotEmpty",
            runbook="dead-letters",
            says=f"{name} holds work that failed every time",
            metric=self._of_queue(
                queue, "ApproximateNumberOfMessagesVisible", "Maximum", period=ONE_MINUTE
            ),
            threshold=1,
        )

    def _watch_table(self, table: dynamodb.Table) -> None:
        for index in (None, *_index_names(table)):
            name = name_of(table) + (f"{index.capitalize()}Index" if index else "Table")
            for kind in ("Read", "Write"):
                self._alarm(
                    f"{name}{kind}sThrottled",
                    runbook="table-throttles",
                    says=f"DynamoDB has refused {kind.lower()}s of {name} for load for a quarter "
                    "of an hour",
                    metric=Metric(
                        namespace="AWS/DynamoDB",
                        name=f"{kind}ThrottleEvents",
                        dimensions={"TableName": table.table_name}
                        | ({"GlobalSecondaryIndexName": index} if index else {}),
                        statistic="Sum",
                    ),
                    threshold=100,
                    of=(3, 3),
                )

    def _watch_reader(self, reader: lambda_.CfnEventSourceMapping) -> None:
        function = next(each for each in self._functions if _reads(each, reader))
        name = name_of(function)
        # Without these counts nothing tells that a batch was given up (Lambda Developer Guide,
        # "Event source mapping metrics").
        reader.metrics_config = lambda_.CfnEventSourceMapping.MetricsConfigProperty(
            metrics=["EventCount"]
        )
        mapping = {"EventSourceMappingUUID": reader.attr_id}
        stream = f"{name}{name_of(reader)}"
        self._alarm(
            f"{stream}Behind",
            runbook="stream-behind",
            says=f"{name} is ten minutes behind its stream",
            metric=self._of_function(function, "IteratorAge", "Maximum"),
            threshold=STREAM_LAG.to_milliseconds(),
            of=(2, 2),
        )
        for event, what in (
            ("OnFailureDestinationDelivered", "set aside"),
            ("Dropped", "dropped"),
        ):
            self._alarm(
                f"{stream}{event}",
                runbook="stream-gave-up",
                says=f"{name} failed on records of its stream, and they were {what}",
                metric=Metric(
                    namespace="AWS/Lambda",
                    name=f"{event}EventCount",
                    dimensions=mapping,
                    statistic="Sum",
                ),
                threshold=1,
            )

    def _watch_api(self) -> cloudwatch.CfnAlarm:
        return self._alarm(
            "ApiErrors",
            runbook="api-errors",
            says="one answer in twenty is a 5xx",
            # Each request counts 0 or 1, so that the average is the rate (API Gateway Developer
            # Guide, "API dimensions and metrics").
            # By the minute: a new version has its tenth for five minutes only.
            metric=self._of_api("5XXError", "Average", period=ONE_MINUTE),
            threshold=0.05,
            of=(2, 3),
        )

    def _watch_deletions(self) -> None:
        self._alarm(
            "DeletionsOpen",
            runbook="open-deletions",
            says="a deletion has been without a worker for a quarter of an hour, "
            "or the schedule that looks for such no longer runs",
            metric=self._own("OldestLapsedDeletion", "Maximum"),
            threshold=TAKE_OVER_PROMISE.to_seconds(),
            # The schedule reports each minute, also that there is none.
            missing="breaching",
            of=(2, 2),
        )
        self._alarm(
            "ErasureLate",
            runbook="late-erasures",
            says="an erasure has had no receipt for longer than promised",
            metric=self._own("OldestErasure", "Maximum"),
            threshold=ERASURE_PROMISE.to_seconds(),
        )

    # -- how --------------------------------------------------------------------------------

    def _alarm(
        self,
        name: str,
        *,
        runbook: str,
        says: str,
        threshold: float,
        metric: Metric,
        of: tuple[int, int] = (1, 1),
        missing: str = "notBreaching",
    ) -> cloudwatch.CfnAlarm:
        """An alarm when the value is at least `threshold` in `of[0]` of the last `of[1]`."""
        # The API spells a percentile differently from other statistics.
        kind = "extended_statistic" if metric.statistic.startswith("p") else "statistic"
        statistic: dict[str, Any] = {kind: metric.statistic}
        alarm = cloudwatch.CfnAlarm(
            self,
            name,
            alarm_description=f"Unlink {self._stage}: {says}. {RUNBOOK}#{runbook}",
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=threshold,
            datapoints_to_alarm=of[0],
            evaluation_periods=of[1],
            treat_missing_data=missing,
            alarm_actions=[self.topic.topic_arn],
            namespace=metric.namespace,
            metric_name=metric.name,
            dimensions=[
                cloudwatch.CfnAlarm.DimensionProperty(name=key, value=value)
                for key, value in metric.dimensions.items()
            ],
            period=metric.period,
            **statistic,
        )
        self.alarms[name] = alarm
        return alarm

    def _own(self, name: str, statistic: str, label: str = "") -> Metric:
        namespace, name, dimensions = own_metric(name, stage=self._stage)
        return Metric(
            namespace=namespace, name=name, dimensions=dimensions, statistic=statistic, label=label
        )

    def _of_function(
        self, function: lambda_.Function, name: str, statistic: str, period: int = FIVE_MINUTES
    ) -> Metric:
        return Metric(
            namespace="AWS/Lambda",
            name=name,
            dimensions={"FunctionName": function.function_name},
            statistic=statistic,
            period=period,
            label=name_of(function),
        )

    def _of_queue(
        self, queue: sqs.Queue, name: str, statistic: str, period: int = FIVE_MINUTES
    ) -> Metric:
        return Metric(
            namespace="AWS/SQS",
            name=name,
            dimensions={"QueueName": queue.queue_name},
            statistic=statistic,
            period=period,
            label=name_of(queue),
        )

    def _error_lines(self, function: lambda_.Function) -> Metric:
        """Lines of level ERROR. A function answers, or leaves to be tried again, what it did not
        expect, so that Lambda counts no error; and a metric that nothing is written to is free."""
        name = name_of(function)
        metric = Metric(
            namespace=f"Unlink/{self._stage}",
            name=f"{name}Exceptions",
            dimensions={},
            statistic="Sum",
            period=ONE_MINUTE,
        )
        logs.CfnMetricFilter(
            self,
            f"{name}ErrorLines",
            log_group_name=function.log_group.log_group_name,
            filter_pattern='{ $.level = "ERROR" }',
            metric_transformations=[
                logs.CfnMetricFilter.MetricTransformationProperty(
                    metric_namespace=metric.namespace, metric_name=metric.name, metric_value="1"
                )
            ],
        )
        return metric

    def _of_api(self, name: str, statistic: str, period: int = FIVE_MINUTES) -> Metric:
        return Metric(
            namespace="AWS/ApiGateway",
            name=name,
            dimensions=self._api,
            statistic=statistic,
            period=period,
            label=name if statistic == "Sum" else f"{name} {statistic}",
        )

    # -- the dashboard ----------------------------------------------------------------------

    def _dashboard(self) -> cloudwatch.CfnDashboard:
        """Rows in the order of a deletion's life; the alarms on top."""
        stack = Stack.of(self)
        widgets: list[dict[str, Any]] = [
            {
                "type": "alarm",
                "width": 24,
                "height": 4,
                "properties": {
                    "title": "Alarms",
                    "alarms": [alarm.attr_arn for alarm in self.alarms.values()],
                },
            }
        ]

        def graph(title: str, lines: Sequence[Metric], *, width: int = 8) -> None:
            widgets.append(
                {
                    "type": "metric",
                    "width": width,
                    "height": 6,
                    "properties": {
                        "title": title,
                        "region": stack.region,
                        "period": FIVE_MINUTES,
                        "view": "timeSeries",
                        "metrics": [each.line() for each in lines],
                    },
                }
            )

        own = self._own
        graph(
            "1 Links deleted",
            [
                own("LinksSoftDeleted", "Sum", "soft-deleted"),
                own("LinksErased", "Sum", "erased"),
                own("LinksRestored", "Sum", "restored"),
            ],
        )
        graph(
            "2 Handed over or left",
            [
                own("HandOvers", "Sum", "handed over"),
                own("LapsedDeletions", "Maximum", "without a worker"),
            ],
        )
        graph("3 Sent again for load", [own("ThrottledStatements", "Sum", "statements")])
        graph(
            "4 Waiting in queues",
            [
                self._of_queue(each, "ApproximateNumberOfMessagesVisible", "Maximum")
                for each in (*self._queues, *self._dead_letters)
            ],
        )
        graph(
            "5 Seconds until the receipt",
            [
                own("ErasureLag", "p50", "median"),
                own("ErasureLag", "p99", "p99"),
                own("OldestErasure", "Maximum", "oldest without a receipt"),
            ],
        )
        graph(
            "6 Behind the streams (ms)",
            [
                self._of_function(each, "IteratorAge", "Maximum")
                for each in self._functions
                if any(_reads(each, reader) for reader in self._readers)
            ]
            or [own("OldestLapsedDeletion", "Maximum", "oldest without a worker")],
        )
        graph(
            "Requests",
            [
                self._of_api("Count", "Sum"),
                self._of_api("4XXError", "Sum"),
                self._of_api("5XXError", "Sum"),
            ],
        )
        graph("Latency (ms)", [self._of_api("Latency", each) for each in ("p50", "p99")])
        graph(
            "Functions: p99 duration (ms)",
            [self._of_function(each, "Duration", "p99") for each in self._functions],
        )
        graph(
            "Functions: concurrent",
            [
                self._of_function(each, "ConcurrentExecutions", "Maximum")
                for each in self._functions
            ],
        )
        for title, name in (
            ("Write units", "ConsumedWriteCapacityUnits"),
            ("Read units", "ConsumedReadCapacityUnits"),
        ):
            graph(
                f"Tables: {title.lower()}",
                [
                    Metric(
                        namespace="AWS/DynamoDB",
                        name=name,
                        dimensions={"TableName": table.table_name},
                        statistic="Sum",
                        label=name_of(table),
                    )
                    for table in self._tables
                ],
            )
        return cloudwatch.CfnDashboard(
            self,
            "Dashboard",
            # Dashboards of all regions share their names.
            dashboard_name=f"unlink-{self._stage}-{stack.region}",
            dashboard_body=stack.to_json_string({"widgets": widgets}),
        )


def name_of(construct: IConstruct) -> str:
    """What a person calls it: the id, or its parent's where CDK's own says nothing."""
    if construct.node.id in ("Function", "Resource") and construct.node.scope is not None:
        return name_of(construct.node.scope)
    return construct.node.id.split(":")[0]


def _reads(function: lambda_.Function, reader: lambda_.CfnEventSourceMapping) -> bool:
    """Whether the mapping belongs to the function: it is made within it, or within its alias."""
    home = function.node.scope
    return home is not None and reader.node.path.startswith(f"{home.node.path}/")


def _index_names(table: dynamodb.Table) -> list[str]:
    cfn = table.node.default_child
    resolved = Stack.of(table).resolve(cfn.global_secondary_indexes) if cfn else None  # type: ignore[attr-defined]
    return [each["indexName"] for each in resolved or []]
