"""The functions that process queues, and the schedule."""

from aws_cdk import Duration, aws_events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_sqs as sqs

from infra.data import EXPORTS_PREFIX, LIVE_INDEX, OPEN_INDEX
from infra.lambdas.base import Functions, live_alias
from infra.lambdas.permissions import allow, index_arn, leading_keys, on_table
from infra.queues import DELIVERIES, EXPORT_TIMEOUT, WORKER_TIMEOUT
from infra.sizes import BACKGROUND_MB, FEW_CALLS_MB, ONE_VCPU_MB

#: Deletions that are processed at a time. It keeps the queue from using the concurrency that the
#: API needs.
MAX_CONCURRENT_DELETIONS = 10

MAX_CONCURRENT_EXPORTS = 5


class Workers:
    """One attribute for each function."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._permissions = functions.permissions
        self._data = functions.resources.data
        self._queues = functions.resources.queues
        self._events = functions.resources.events
        self.export_worker = self._export_worker()
        self.deletion_worker = self._deletion_worker()
        self.scheduler = self._scheduler()
        self.erase_worker = self._erase_worker()
        key = functions.resources.secrets.receipt
        self.receipt_signer = self._receipt_signer(key) if key is not None else None

    def _export_worker(self) -> lambda_.Function:
        bucket = self._data.exports_bucket
        function = self._functions.add(
            "export_worker",
            sends_to_itself=True,
            timeout=EXPORT_TIMEOUT,
            memory_mb=ONE_VCPU_MB,
            environment={
                **self._functions.table_names("links", "clicks"),
                "EXPORTS_BUCKET": bucket.bucket_name,
                "EXPORT_QUEUE_URL": self._queues.export.queue_url,
                "EXPORT_DELIVERIES": str(DELIVERIES),
            },
            statements=[
                on_table(self._data.links, "BatchGetItem", "GetItem"),
                on_table(self._data.clicks, "GetItem", "Query", "UpdateItem"),
                self._permissions.save_export_tails(),
                allow(
                    "s3:AbortMultipartUpload",
                    "s3:ListMultipartUploadParts",
                    "s3:PutObject",
                    on=[bucket.arn_for_objects(f"{EXPORTS_PREFIX}*")],
                ),
                # To see whether a killed run had finished.
                allow("s3:ListBucket", on=[bucket.bucket_arn]),
                allow("sqs:SendMessage", on=[self._queues.export.queue_arn]),
            ],
        )
        _process(self._queues.export, function, max_concurrency=MAX_CONCURRENT_EXPORTS)
        return function

    def _deletion_worker(self) -> lambda_.Function:
        bucket = self._data.exports_bucket
        function = self._functions.add(
            "deletion_worker",
            sends_to_itself=True,
            timeout=WORKER_TIMEOUT,
            memory_mb=ONE_VCPU_MB,
            environment={
                **self._functions.table_names("links", "clicks", "deletions"),
                "RESUME_QUEUE_URL": self._queues.resume.queue_url,
                "EXPORTS_BUCKET": bucket.bucket_name,
            },
            statements=[
                self._permissions.delete_links(),
                self._permissions.quarantine_codes(),
                self._permissions.record_deletions(),
                self._permissions.read_erasures(),
                allow(
                    "dynamodb:Query",
                    on=[
                        self._data.deletions.table_arn,
                        index_arn(self._data.links, LIVE_INDEX),
                    ],
                ),
                allow("sqs:SendMessage", on=[self._queues.resume.queue_arn]),
                # For the export that a deletion may request.
                self._permissions.save_export_tails(),
                on_table(self._data.clicks, "Query"),
                self._permissions.use_export_slots("UpdateItem"),
                allow(
                    "s3:ListMultipartUploadParts",
                    "s3:PutObject",
                    on=[bucket.arn_for_objects(f"{EXPORTS_PREFIX}*")],
                ),
                allow("s3:ListBucket", on=[bucket.bucket_arn]),
            ],
        )
        _process(self._queues.resume, function, max_concurrency=MAX_CONCURRENT_DELETIONS)
        return function

    def _scheduler(self) -> lambda_.Function:
        """Continues the work of killed workers with the permissions of a request: it writes no
        exports.
        """
        function = self._functions.add(
            "scheduler",
            timeout=WORKER_TIMEOUT,
            memory_mb=FEW_CALLS_MB,
            environment={
                **self._functions.table_names("links", "clicks", "deletions"),
                **self._receipt_environment(),
                "RESUME_QUEUE_URL": self._queues.resume.queue_url,
                "ERASE_QUEUE_URL": self._queues.erase.queue_url,
            },
            statements=[
                self._permissions.delete_links(),
                self._permissions.quarantine_codes(),
                self._permissions.record_deletions(),
                on_table(self._data.deletions, "BatchGetItem"),
                allow(
                    "dynamodb:Query",
                    on=[
                        self._data.deletions.table_arn,
                        index_arn(self._data.deletions, OPEN_INDEX),
                        index_arn(self._data.links, LIVE_INDEX),
                    ],
                ),
                self._permissions.use_export_slots("UpdateItem"),
                allow(
                    "sqs:SendMessage",
                    on=[self._queues.resume.queue_arn, self._queues.erase.queue_arn],
                ),
            ],
        )
        self._each_minute("EachMinute", function)
        return function

    def _erase_worker(self) -> lambda_.Function:
        function = self._functions.add(
            "erase_worker",
            sends_to_itself=True,
            timeout=WORKER_TIMEOUT,
            memory_mb=BACKGROUND_MB,
            environment={
                **self._functions.table_names("links", "clicks", "deletions"),
                **self._receipt_environment(),
                "QR_BUCKET": self._data.qr_bucket.bucket_name,
                "EXPORTS_BUCKET": self._data.exports_bucket.bucket_name,
                "ERASE_QUEUE_URL": self._queues.erase.queue_url,
                "EVENT_BUS": self._events.bus.event_bus_name,
            },
            statements=[
                on_table(self._data.clicks, "BatchWriteItem", "Query"),
                # It creates deletions for links that TTL removed.
                self._permissions.record_deletions(),
                on_table(self._data.deletions, "BatchGetItem", "Query"),
                # To check that a link is gone, and to remove what TTL leaves. It never deletes a
                # link.
                on_table(self._data.links, "BatchGetItem"),
                self._permissions.quarantine_codes(),
                on_table(self._data.links, "DeleteItem", when=leading_keys("CODE#*", "EXT#*")),
                self._permissions.delete_images(),
                allow(
                    "s3:DeleteObject",
                    on=[self._data.exports_bucket.arn_for_objects(f"{EXPORTS_PREFIX}*")],
                ),
                # An unfinished export may have saved lines under names that no record has.
                allow("s3:ListBucket", on=[self._data.exports_bucket.bucket_arn]),
                allow("sqs:SendMessage", on=[self._queues.erase.queue_arn]),
                self._permissions.send_events(),
            ],
        )
        _process(
            self._queues.erase,
            function,
            max_concurrency=self._functions.settings.concurrent_erasures,
        )
        return function

    def _receipt_signer(self, key: kms.Key) -> lambda_.Function:
        """Signs receipts each minute, and retries until each is signed."""
        function = self._functions.add(
            "receipt_signer",
            timeout=Duration.seconds(50),
            memory_mb=BACKGROUND_MB,
            environment={
                **self._functions.table_names("deletions"),
                "RECEIPT_KEY_ID": key.key_id,
            },
            statements=[
                allow("kms:GetPublicKey", "kms:Sign", on=[key.key_arn]),
                # The signature, the public key, and the mark on the record.
                self._permissions.record_deletions(),
                allow("dynamodb:Query", on=[index_arn(self._data.deletions, OPEN_INDEX)]),
            ],
        )
        self._each_minute("SignReceipts", function)
        return function

    def _receipt_environment(self) -> dict[str, str]:
        """For functions that complete erasures: whether receipts are signed."""
        signed = self._functions.resources.secrets.receipt is not None
        return {"SIGN_RECEIPTS": "true" if signed else "false"}

    def _each_minute(self, construct_id: str, function: lambda_.Function) -> None:
        # EventBridge's own retries end when Lambda has accepted the event. From then on Lambda's
        # queue would retry twice, and for six hours while the function is throttled.
        live_alias(function).configure_async_invoke(
            retry_attempts=0, max_event_age=Duration.minutes(1)
        )
        aws_events.Rule(
            self._functions,
            construct_id,
            schedule=aws_events.Schedule.rate(Duration.minutes(1)),
            targets=[
                targets.LambdaFunction(
                    live_alias(function),
                    # The run of the next minute replaces a run that could not start.
                    retry_attempts=0,
                    max_event_age=Duration.minutes(1),
                )
            ],
        )


def _process(queue: sqs.Queue, function: lambda_.Function, *, max_concurrency: int) -> None:
    """Let a function process a queue, one message a run."""
    live_alias(function).add_event_source(
        event_sources.SqsEventSource(
            queue,
            batch_size=1,
            max_concurrency=max_concurrency,
            report_batch_item_failures=True,
        )
    )
