"""The functions that read the tables' streams."""

from collections.abc import Mapping, Sequence

import jsii
from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3

from infra.lambdas.base import Functions, live_alias
from infra.lambdas.permissions import allow, on_table
from infra.sizes import BACKGROUND_MB, FEW_CALLS_MB

#: Stream records in one batch. With both images of 1,000 links it stays under the 6 MB of an
#: event, and all their QR images fit a few calls.
BATCH_RECORDS = 1_000

#: How often a failed batch is retried before it goes to the failures bucket. Its shard waits during
#: that time. This limit, not the age, ends a batch that always fails.
RETRIES = 10

#: Records older than this go to the bucket untried, also those that a reader did not see because
#: it was off or behind. An hour less than the stream keeps them: after that they would be lost
#: without a trace.
MAX_AGE = Duration.hours(23)


class StreamReaders:
    """One attribute for each function."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._settings = functions.settings
        self._permissions = functions.permissions
        self._resources = functions.resources
        self._data = functions.resources.data
        self.click_stream = self._click_stream()
        self.link_stream = self._link_stream()
        self.deletion_stream = self._deletion_stream()

    def _click_stream(self) -> lambda_.Function:
        visitor = self._resources.secrets.visitor
        function = self._functions.add(
            "click_stream",
            timeout=Duration.seconds(60),
            memory_mb=FEW_CALLS_MB,
            platform_logs=False,
            environment={
                **self._functions.table_names("links", "clicks"),
                "FAILURES_BUCKET": self._data.failures_bucket.bucket_name,
                "VISITOR_SECRET_ARN": visitor.secret_arn,
            },
            statements=[
                allow("secretsmanager:GetSecretValue", on=[visitor.secret_arn]),
                on_table(self._data.links, "BatchGetItem", "UpdateItem"),
                # BatchWriteItem only removes what was written for a link that was erased in the
                # meantime.
                on_table(
                    self._data.clicks,
                    "BatchGetItem",
                    "BatchWriteItem",
                    "PartiQLInsert",
                    "PutItem",
                    "Query",
                    "UpdateItem",
                ),
            ],
        )
        self._read(
            self._data.clicks,
            function,
            window=self._settings.click_window,
            filters=[
                {
                    "eventName": lambda_.FilterRule.is_equal("INSERT"),
                    "dynamodb": {
                        "Keys": {"sk": {"S": lambda_.FilterRule.begins_with("CLICK#")}},
                        # Bots are recorded and not counted.
                        "NewImage": {"isBot": {"BOOL": [False]}},
                    },
                }
            ],
        )
        return function

    def _link_stream(self) -> lambda_.Function:
        function = self._functions.add(
            "link_stream",
            timeout=Duration.seconds(60),
            memory_mb=FEW_CALLS_MB,
            environment={
                **self._functions.table_names("deletions", "links"),
                "QR_BUCKET": self._data.qr_bucket.bucket_name,
                "FAILURES_BUCKET": self._data.failures_bucket.bucket_name,
                "ERASE_QUEUE_URL": self._resources.queues.erase.queue_url,
                "EVENT_BUS": self._resources.events.bus.event_bus_name,
            },
            statements=[
                # Whether the workspace wants an event for each link.
                on_table(self._data.deletions, "GetItem"),
                self._permissions.count_links(),
                self._permissions.delete_images(),
                allow("sqs:SendMessage", on=[self._resources.queues.erase.queue_arn]),
                self._permissions.send_events(),
            ],
        )
        is_link = {"Keys": {"sk": {"S": lambda_.FilterRule.is_equal("LINK")}}}
        self._read(
            self._data.links,
            function,
            filters=[
                {"eventName": lambda_.FilterRule.is_equal("REMOVE"), "dynamodb": is_link},
                # Soft-deleted: it was live and has a deletion now.
                {
                    "eventName": lambda_.FilterRule.is_equal("MODIFY"),
                    "dynamodb": {
                        "OldImage": {"livePk": {"S": lambda_.FilterRule.exists()}},
                        "NewImage": {"deletedAt": {"S": lambda_.FilterRule.exists()}},
                    },
                },
                # Restored: the reverse.
                {
                    "eventName": lambda_.FilterRule.is_equal("MODIFY"),
                    "dynamodb": {
                        "OldImage": {"deletedAt": {"S": lambda_.FilterRule.exists()}},
                        "NewImage": {"livePk": {"S": lambda_.FilterRule.exists()}},
                    },
                },
            ],
        )
        return function

    def _deletion_stream(self) -> lambda_.Function:
        function = self._functions.add(
            "deletion_stream",
            timeout=Duration.seconds(30),
            memory_mb=BACKGROUND_MB,
            environment={
                "EVENT_BUS": self._resources.events.bus.event_bus_name,
                "FAILURES_BUCKET": self._data.failures_bucket.bucket_name,
            },
            statements=[self._permissions.send_events()],
        )
        self._read(
            self._data.deletions,
            function,
            filters=[
                {
                    "eventName": lambda_.FilterRule.or_("INSERT", "MODIFY"),
                    "dynamodb": {
                        "NewImage": {"state": {"S": lambda_.FilterRule.or_("complete", "failed")}}
                    },
                }
            ],
        )
        return function

    def _read(
        self,
        table: dynamodb.Table,
        function: lambda_.Function,
        *,
        filters: Sequence[Mapping[str, object]],
        window: int = 0,
    ) -> None:
        """Let a function read a table's stream from its beginning, without losing a record.

        Records that still fail after the retries go to the failures bucket. A queue would receive
        only their positions in a stream that keeps them for a day. `window` is how many seconds
        records are collected.
        """
        if table.table_stream_arn is None:
            raise ValueError(f"{table.node.path} has no stream")
        bucket = self._data.failures_bucket
        for statement in (
            allow(
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
                on=[table.table_stream_arn],
            ),
            # The action supports no resources (Service Authorization Reference, "DynamoDB").
            allow("dynamodb:ListStreams", on=["*"]),
            # Lambda writes failed batches under the function's own role.
            allow("s3:PutObject", on=[bucket.arn_for_objects("*")]),
            allow("s3:ListBucket", on=[bucket.bucket_arn]),
        ):
            function.add_to_role_policy(statement)
        mapping = live_alias(function).add_event_source_mapping(
            "Stream",
            event_source_arn=table.table_stream_arn,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=BATCH_RECORDS,
            max_batching_window=Duration.seconds(window) if window else None,
            bisect_batch_on_error=True,
            report_batch_item_failures=True,
            retry_attempts=RETRIES,
            max_record_age=MAX_AGE,
            on_failure=_FailuresBucket(bucket),
            filters=[lambda_.FilterCriteria.filter(each) for each in filters],
        )
        # The role's policy comes first: a mapping without rights is refused.
        mapping.node.add_dependency(function)


@jsii.implements(lambda_.IEventSourceDlq)
class _FailuresBucket:
    """An on-failure destination: S3.

    CDK's own also lets the function read and delete everything in the bucket.
    """

    def __init__(self, bucket: s3.Bucket) -> None:
        self._bucket = bucket

    def bind(
        self, target: lambda_.IEventSourceMapping, target_handler: lambda_.IFunction
    ) -> lambda_.DlqDestinationConfig:
        del target, target_handler
        return lambda_.DlqDestinationConfig(destination=self._bucket.bucket_arn)
