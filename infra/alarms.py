"""The alarms. Each description names its entry in the runbook; a test checks that there is one.

A function, queue, table or stream reader that is added to the stack gets its alarms here
automatically.
"""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.watched import Watched, index_names, name_of

RUNBOOK = "docs/operations.md"

#: After this time an erased link's clicks, rollups, installs and images are removed, and the
#: receipt is complete. Work starts a minute and a half after the erasure; the rest is room for a
#: backlog.
ERASURE_PROMISE = Duration.hours(4)

#: A deletion whose worker was killed is resumed when its lease expires (a minute) and the schedule
#: runs (another).
RESUME_PROMISE = Duration.minutes(15)

#: A receipt is signed within a minute or two; the rest is room for an outage of KMS.
SIGNATURE_PROMISE = Duration.minutes(15)

#: Twice the visibility timeout: a message whose worker was killed was retried, and still waits.
OLDEST_MESSAGE = Duration.hours(1)

#: Records wait 23 hours for their reader (`streams.MAX_AGE`): this leaves most of a day to act.
STREAM_LAG = Duration.minutes(10)

ONE_MINUTE = Duration.minutes(1)

#: The redirect latency that 99 of 100 visits should stay below.
SLOW_REDIRECT = Duration.seconds(1)


class Alarms:
    """Adds the alarms to `scope`: `by_name`, and those that roll a new version back.

    The latter are `function_errors`, by function, and `api_errors`.
    """

    def __init__(self, scope: Construct, *, stage: str, topic: sns.Topic, watched: Watched) -> None:
        self._scope = scope
        self._stage = stage
        self._action = actions.SnsAction(topic)
        self._watched = watched
        self.by_name: dict[str, cloudwatch.Alarm] = {}
        self.function_errors: dict[str, list[cloudwatch.Alarm]] = {}
        for function in watched.functions:
            self._add_function_alarms(function)
        for queue in watched.queues:
            self._add_queue_alarm(queue)
        for queue in watched.dead_letter_queues:
            self._add_dead_letter_alarm(queue)
        for table in watched.tables:
            self._add_table_alarms(table)
        for reader in watched.stream_readers:
            self._add_stream_alarms(reader)
        self.api_errors = self._add_api_alarm()
        self._add_deletion_alarms()
        if any(name_of(function) == "ReceiptSigner" for function in watched.functions):
            self._add_receipt_alarm()

    def _add_function_alarms(self, function: lambda_.Function) -> None:
        name = name_of(function)
        errors = self._alarm(
            f"{name}Errors",
            runbook="function-errors",
            says=f"{name} was killed, timed out or could not start three times in five minutes",
            metric=function.metric("Errors", statistic="Sum"),
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
            metric=function.metric("Throttles", statistic="Sum", period=ONE_MINUTE),
            threshold=1,
            of=(3, 5),
        )
        if name == "Redirect":
            self._alarm(
                "RedirectSlow",
                runbook="slow-redirects",
                says="one redirect in a hundred takes longer than a second",
                metric=function.metric("Duration", statistic="p99"),
                threshold=SLOW_REDIRECT.to_milliseconds(),
                of=(3, 3),
            )

    def _add_queue_alarm(self, queue: sqs.Queue) -> None:
        name = name_of(queue)
        self._alarm(
            f"{name}QueueAge",
            runbook="old-messages",
            says=f"a message has waited in the {name} queue for an hour",
            metric=queue.metric_approximate_age_of_oldest_message(),
            threshold=OLDEST_MESSAGE.to_seconds(),
        )

    def _add_dead_letter_alarm(self, queue: sqs.Queue) -> None:
        name = name_of(queue)
        self._alarm(
            f"{name}NotEmpty",
            runbook="dead-letters",
            says=f"{name} holds work that failed every time",
            metric=queue.metric_approximate_number_of_messages_visible(period=ONE_MINUTE),
            threshold=1,
        )

    def _add_table_alarms(self, table: dynamodb.Table) -> None:
        for index in (None, *index_names(table)):
            name = name_of(table) + (f"{index.capitalize()}Index" if index else "Table")
            dimensions = {"TableName": table.table_name}
            if index is not None:
                dimensions["GlobalSecondaryIndexName"] = index
            for kind in ("Read", "Write"):
                self._alarm(
                    f"{name}{kind}sThrottled",
                    runbook="table-throttles",
                    says=f"DynamoDB has refused {kind.lower()}s of {name} for load for a quarter "
                    "of an hour",
                    metric=table.metric(
                        f"{kind}ThrottleEvents", statistic="Sum", dimensions_map=dimensions
                    ),
                    threshold=100,
                    of=(3, 3),
                )

    def _add_stream_alarms(self, reader: lambda_.CfnEventSourceMapping) -> None:
        function = self._watched.reader_function(reader)
        name = name_of(function)
        # Only these counts show that a batch was given up (Lambda Developer Guide, "Event source
        # mapping metrics").
        reader.metrics_config = lambda_.CfnEventSourceMapping.MetricsConfigProperty(
            metrics=["EventCount"]
        )
        stream = f"{name}{name_of(reader)}"
        self._alarm(
            f"{stream}Behind",
            runbook="stream-behind",
            says=f"{name} is ten minutes behind its stream",
            metric=function.metric("IteratorAge", statistic="Maximum"),
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
                metric=cloudwatch.Metric(
                    namespace="AWS/Lambda",
                    metric_name=f"{event}EventCount",
                    dimensions_map={"EventSourceMappingUUID": reader.attr_id},
                    statistic="Sum",
                ),
                threshold=1,
            )

    def _add_api_alarm(self) -> cloudwatch.Alarm:
        return self._alarm(
            "ApiErrors",
            runbook="api-errors",
            says="one response in twenty is a 5xx",
            # Each request counts 0 or 1, so that the average is the rate (API Gateway Developer
            # Guide, "API dimensions and metrics"). The period is a minute, because a new version
            # gets a tenth of the calls for five minutes only.
            metric=self._watched.api_metric("5XXError", "Average", period=ONE_MINUTE),
            threshold=0.05,
            of=(2, 3),
        )

    def _add_deletion_alarms(self) -> None:
        self._alarm(
            "DeletionsOpen",
            runbook="open-deletions",
            says="a deletion of more than a quarter of an hour ago has no worker, "
            "or the schedule that looks for such no longer runs",
            metric=self._watched.own_metric("OldestDeletionWithoutWorker", "Maximum"),
            threshold=RESUME_PROMISE.to_seconds(),
            # The schedule reports each minute, also when there is none.
            missing=cloudwatch.TreatMissingData.BREACHING,
            of=(2, 2),
        )
        self._alarm(
            "ErasureLate",
            runbook="late-erasures",
            says="an erasure has had no receipt for longer than promised",
            metric=self._watched.own_metric("OldestErasure", "Maximum"),
            threshold=ERASURE_PROMISE.to_seconds(),
        )

    def _add_receipt_alarm(self) -> None:
        self._alarm(
            "ReceiptsUnsigned",
            runbook="unsigned-receipts",
            says="a receipt has waited for its signature for a quarter of an hour, "
            "or the function that signs no longer runs",
            metric=self._watched.own_metric("OldestUnsignedReceipt", "Maximum"),
            threshold=SIGNATURE_PROMISE.to_seconds(),
            # The signer reports each minute, also that there is none.
            missing=cloudwatch.TreatMissingData.BREACHING,
            of=(2, 2),
        )

    def _alarm(
        self,
        name: str,
        *,
        runbook: str,
        says: str,
        threshold: float,
        metric: cloudwatch.Metric,
        of: tuple[int, int] = (1, 1),
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> cloudwatch.Alarm:
        """An alarm when the value is at least `threshold` in `of[0]` of the last `of[1]`."""
        alarm = metric.create_alarm(
            self._scope,
            name,
            alarm_description=f"Unlink {self._stage}: {says}. {RUNBOOK}#{runbook}",
            threshold=threshold,
            datapoints_to_alarm=of[0],
            evaluation_periods=of[1],
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(self._action)
        self.by_name[name] = alarm
        return alarm

    def _error_lines(self, function: lambda_.Function) -> cloudwatch.Metric:
        """Count log lines of level ERROR, by a metric filter.

        A function answers an unexpected error, or leaves the work to be retried, so Lambda counts
        no error. A metric without data is free.
        """
        name = name_of(function)
        lines = logs.MetricFilter(
            self._scope,
            f"{name}ErrorLines",
            log_group=function.log_group,
            filter_pattern=logs.FilterPattern.literal('{ $.level = "ERROR" }'),
            metric_namespace=f"Unlink/{self._stage}",
            metric_name=f"{name}Exceptions",
        )
        return lines.metric(statistic="Sum", period=ONE_MINUTE)
