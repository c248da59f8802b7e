"""The Lambda functions: what each is for, how long it may take and exactly what it may touch."""

from collections.abc import Mapping, Sequence

import jsii
from aws_cdk import Duration, aws_events
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cognito import Users
from infra.data import EXPORTS_PREFIX, LIVE_INDEX, OPEN_INDEX, QR_PREFIX, Data
from infra.events import Events
from infra.queues import DELIVERIES, EXPORT_TIMEOUT, WORKER_TIMEOUT, Queues
from infra.secrets import Secrets
from infra.settings import Settings

#: One second less than API Gateway waits, so that a function can still answer by itself.
HTTP_TIMEOUT = Duration.seconds(28)

#: From this size on Lambda gives a function one whole vCPU
#: (Lambda Developer Guide, "Configure Lambda function memory").
ONE_VCPU_MB = 1_769

#: For functions that make a few calls: the fastest size that costs at most a tenth more than the
#: cheapest (docs/decisions/074-memory-sizes.md, for all sizes here).
FEW_CALLS_MB = 1_024

#: Nobody waits for it, and it waits for DynamoDB: the rest of a processor would be idle.
ERASE_MB = 512

#: The deletions that may be worked on at a time, so that the queue never takes the concurrency
#: that the API needs.
RESUMED_AT_A_TIME = 10

#: Erasing at a time: enough to empty a full queue in minutes, without taking the API's share.
ERASED_AT_A_TIME = 20

#: Exports at a time.
EXPORTED_AT_A_TIME = 5

#: Stream records in one batch. With both images of 1,000 links it stays under the 6 MB of an
#: event, and all their QR images fit a few calls.
RECORDS_AT_A_TIME = 1_000

#: How often a failed batch of a stream is tried before it is put into the failures bucket. Its
#: shard waits meanwhile. This, and not the age, is what ends a batch that always fails.
STREAM_RETRIES = 10

#: Records older than this are put there untried, also those that a reader never saw because it was
#: off or behind. An hour less than the stream keeps them: then they would be gone without a trace.
STREAM_MAX_AGE = Duration.hours(23)

#: What adding something to a link is called in a policy. Without `BatchWriteItem`: erasing needs
#: it, and erasing adds nothing.
WRITES = {"dynamodb:PutItem", "dynamodb:UpdateItem", "s3:PutObject"}

#: The condition for the slots of unfinished exports in `clicks`.
EXPORT_SLOTS = {
    "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["EXPORTS#*"]},
    # ForAllValues holds for a request that has no such key at all.
    "Null": {"dynamodb:LeadingKeys": "false"},
}

#: What callers, queues, streams and schedules invoke: the version that is in service.
LIVE = "Live"


class Functions(Construct):
    """One attribute for each function, `functions/handlers/<attribute>.py` being its code.

    To add one: write a method that returns `self._function(…)` with its statements, and call it
    in the constructor.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        code: lambda_.Code,
        data: Data,
        secrets: Secrets,
        queues: Queues,
        users: Users,
        events: Events,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self._code = code
        self._data = data
        self._secrets = secrets
        self._queues = queues
        self._users = users
        self._events = events
        self._made: list[tuple[lambda_.Function, Sequence[iam.PolicyStatement]]] = []
        self._names: set[str] = set()

        self.authorizer = self._authorizer()
        self.links = self._links()
        self.deletions = self._deletions()
        self.qr = self._qr()
        self.pages = self._pages()
        self.redirect = self._redirect()
        self.click_stream = self._click_stream()
        self.analytics = self._analytics()
        self.export_worker = self._export_worker()
        self.deletion_worker = self._deletion_worker()
        self.link_stream = self._link_stream()
        self.erase_worker = self._erase_worker()
        self.deletion_stream = self._deletion_stream()
        unknown = settings.reserved_concurrency.keys() - self._names
        if unknown:
            # A misspelled name would leave its function without a reservation.
            raise ValueError(f"reserved_concurrency: no such functions: {sorted(unknown)}")

    @property
    def longest_writer(self) -> Duration:
        """The longest timeout of the functions that add to what hangs on a link: clicks, rollups,
        installs and exports, and QR images.

        Who writes exports of links writes down in `clicks` how far they are. `resume` does not: its
        exports belong to a deletion, and outlive the links. The slots that it and `deletions` may
        write there name no link.
        """
        images = self._data.qr_bucket.arn_for_objects(f"{QR_PREFIX}*")
        written = {self._data.clicks.table_arn, images}
        seconds = [
            function.timeout.to_seconds()
            for function, statements in self._made
            if function.timeout is not None
            and any(
                WRITES & set(statement.actions)
                and written & set(statement.resources)
                and statement.conditions != EXPORT_SLOTS
                for statement in statements
            )
        ]
        return Duration.seconds(max(seconds))

    def _authorizer(self) -> lambda_.Function:
        return self._function(
            "authorizer",
            timeout=Duration.seconds(5),
            memory_mb=FEW_CALLS_MB,
            environment={
                **self._tables("access"),
                "SESSION_ISSUER": self._users.issuer,
                "SESSION_CLIENT_ID": self._users.client.user_pool_client_id,
            },
            statements=[
                allow("dynamodb:GetItem", on=[self._data.access.table_arn]),
                self._allow_noting_use(),
            ],
        )

    def _links(self) -> lambda_.Function:
        return self._function(
            "links",
            timeout=HTTP_TIMEOUT,
            memory_mb=FEW_CALLS_MB,
            environment={
                **self._http_environment(),
                **self._tables("links", "deletions", "access"),
                "CURSOR_SECRET_ARN": self._secrets.cursor.secret_arn,
            },
            statements=[
                allow(
                    "dynamodb:BatchGetItem",
                    # An external id that moves to another link, and creating all links or none.
                    "dynamodb:DeleteItem",
                    "dynamodb:GetItem",
                    "dynamodb:PutItem",
                    "dynamodb:UpdateItem",
                    on=[self._data.links.table_arn],
                ),
                allow("dynamodb:Query", on=[index_arn(self._data.links, LIVE_INDEX)]),
                self._allow_idempotency_keys("GetItem", "PutItem", "UpdateItem"),
                self._allow_counting_requests(),
                self._allow_reading_cursor_secret(),
            ],
        )

    def _deletions(self) -> lambda_.Function:
        return self._function(
            "deletions",
            timeout=HTTP_TIMEOUT,
            memory_mb=ONE_VCPU_MB,
            environment={
                **self._http_environment(),
                **self._tables("links", "clicks", "deletions", "access"),
                "CURSOR_SECRET_ARN": self._secrets.cursor.secret_arn,
                "RESUME_QUEUE_URL": self._queues.resume.queue_url,
                "EXPORTS_BUCKET": self._data.exports_bucket.bucket_name,
            },
            statements=[
                self._allow_deleting_links(),
                self._allow_quarantining_codes(),
                self._allow_recording_deletions(),
                # The second is for deletions by filter, which are resolved to ids first.
                allow("dynamodb:Query", on=[self._data.deletions.table_arn]),
                allow("dynamodb:Query", on=[index_arn(self._data.links, LIVE_INDEX)]),
                self._allow_export_slots("Query", "PutItem"),
                allow("sqs:SendMessage", on=[self._queues.resume.queue_arn]),
                # What a signed URL may do is what its signer may.
                allow(
                    "s3:GetObject",
                    on=[self._data.exports_bucket.arn_for_objects(f"{EXPORTS_PREFIX}*")],
                ),
                self._allow_counting_requests(),
                self._allow_reading_cursor_secret(),
            ],
        )

    def _qr(self) -> lambda_.Function:
        return self._function(
            "qr",
            timeout=HTTP_TIMEOUT,
            memory_mb=FEW_CALLS_MB,
            environment={
                **self._http_environment(),
                **self._tables("links", "access"),
                "QR_BUCKET": self._data.qr_bucket.bucket_name,
            },
            statements=[
                allow("dynamodb:GetItem", "dynamodb:UpdateItem", on=[self._data.links.table_arn]),
                # Deleting: an image whose link was deleted while it was being rendered.
                allow(
                    "s3:DeleteObject",
                    "s3:GetObject",
                    "s3:PutObject",
                    on=[self._data.qr_bucket.arn_for_objects(f"{QR_PREFIX}*")],
                ),
                # Without it S3 answers AccessDenied, not NoSuchKey, for a missing image.
                allow("s3:ListBucket", on=[self._data.qr_bucket.bucket_arn]),
                self._allow_counting_requests(),
            ],
        )

    def _pages(self) -> lambda_.Function:
        return self._function(
            "pages",
            timeout=Duration.seconds(10),
            memory_mb=FEW_CALLS_MB,
            environment={
                "API_BASE_URL": self._settings.api_base,
                "HOME_URL": self._settings.home_url,
            },
            statements=[],
        )

    def _redirect(self) -> lambda_.Function:
        return self._function(
            "redirect",
            timeout=Duration.seconds(10),
            memory_mb=FEW_CALLS_MB,
            environment={**self._tables("links", "clicks"), **self._origin_environment()},
            statements=[
                allow("dynamodb:GetItem", on=[self._data.links.table_arn]),
                allow("dynamodb:PutItem", on=[self._data.clicks.table_arn]),
            ],
        )

    def _click_stream(self) -> lambda_.Function:
        function = self._function(
            "click_stream",
            timeout=Duration.seconds(60),
            memory_mb=ONE_VCPU_MB,
            environment={
                **self._tables("links", "clicks"),
                "FAILURES_BUCKET": self._data.failures_bucket.bucket_name,
                "VISITOR_SECRET_ARN": self._secrets.visitor.secret_arn,
            },
            statements=[
                allow("secretsmanager:GetSecretValue", on=[self._secrets.visitor.secret_arn]),
                allow(
                    "dynamodb:BatchGetItem",
                    "dynamodb:UpdateItem",
                    on=[self._data.links.table_arn],
                ),
                allow(
                    "dynamodb:BatchGetItem",
                    "dynamodb:PutItem",
                    "dynamodb:UpdateItem",
                    on=[self._data.clicks.table_arn],
                ),
            ],
        )
        self._follow(
            self._data.clicks,
            function,
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

    def _analytics(self) -> lambda_.Function:
        return self._function(
            "analytics",
            timeout=HTTP_TIMEOUT,
            memory_mb=FEW_CALLS_MB,
            environment={
                **self._http_environment(),
                **self._tables("links", "clicks", "deletions", "access"),
                "EXPORTS_BUCKET": self._data.exports_bucket.bucket_name,
                "EXPORT_QUEUE_URL": self._queues.export.queue_url,
            },
            statements=[
                allow(
                    "dynamodb:ConditionCheckItem",
                    "dynamodb:GetItem",
                    on=[self._data.links.table_arn],
                ),
                # Writing: installs and the records of exports.
                allow(
                    "dynamodb:GetItem",
                    "dynamodb:PutItem",
                    "dynamodb:Query",
                    "dynamodb:UpdateItem",
                    on=[self._data.clicks.table_arn],
                ),
                # What a signed URL may do is what its signer may.
                allow(
                    "s3:GetObject",
                    on=[self._data.exports_bucket.arn_for_objects(f"{EXPORTS_PREFIX}*")],
                ),
                allow("sqs:SendMessage", on=[self._queues.export.queue_arn]),
                self._allow_idempotency_keys("GetItem", "PutItem"),
                self._allow_counting_requests(),
            ],
        )

    def _export_worker(self) -> lambda_.Function:
        bucket = self._data.exports_bucket
        function = self._function(
            "export_worker",
            sends_to_itself=True,
            timeout=EXPORT_TIMEOUT,
            memory_mb=ONE_VCPU_MB,
            environment={
                **self._tables("links", "clicks"),
                "EXPORTS_BUCKET": bucket.bucket_name,
                "EXPORT_QUEUE_URL": self._queues.export.queue_url,
                "EXPORT_DELIVERIES": str(DELIVERIES),
            },
            statements=[
                allow("dynamodb:BatchGetItem", "dynamodb:GetItem", on=[self._data.links.table_arn]),
                allow(
                    "dynamodb:GetItem",
                    "dynamodb:Query",
                    "dynamodb:UpdateItem",
                    on=[self._data.clicks.table_arn],
                ),
                self._allow_keeping_tails(),
                allow(
                    "s3:AbortMultipartUpload",
                    "s3:ListMultipartUploadParts",
                    "s3:PutObject",
                    on=[bucket.arn_for_objects(f"{EXPORTS_PREFIX}*")],
                ),
                # To see whether a run that died had finished.
                allow("s3:ListBucket", on=[bucket.bucket_arn]),
                allow("sqs:SendMessage", on=[self._queues.export.queue_arn]),
            ],
        )
        self._work_through(
            self._queues.export, function, at_a_time=1, max_concurrency=EXPORTED_AT_A_TIME
        )
        return function

    def _deletion_worker(self) -> lambda_.Function:
        function = self._function(
            "deletion_worker",
            sends_to_itself=True,
            timeout=WORKER_TIMEOUT,
            memory_mb=ONE_VCPU_MB,
            environment={
                **self._tables("links", "clicks", "deletions"),
                "RESUME_QUEUE_URL": self._queues.resume.queue_url,
                "ERASE_QUEUE_URL": self._queues.erase.queue_url,
                "EXPORTS_BUCKET": self._data.exports_bucket.bucket_name,
            },
            statements=[
                self._allow_deleting_links(),
                self._allow_quarantining_codes(),
                self._allow_recording_deletions(),
                allow("dynamodb:BatchGetItem", on=[self._data.deletions.table_arn]),
                allow("sqs:SendMessage", on=[self._queues.erase.queue_arn]),
                allow(
                    "dynamodb:Query",
                    on=[
                        self._data.deletions.table_arn,
                        index_arn(self._data.deletions, OPEN_INDEX),
                        index_arn(self._data.links, LIVE_INDEX),
                    ],
                ),
                allow("sqs:SendMessage", on=[self._queues.resume.queue_arn]),
                # The export that a deletion may ask for first.
                self._allow_keeping_tails(),
                allow("dynamodb:Query", on=[self._data.clicks.table_arn]),
                self._allow_export_slots("UpdateItem"),
                allow(
                    "s3:ListMultipartUploadParts",
                    "s3:PutObject",
                    on=[self._data.exports_bucket.arn_for_objects(f"{EXPORTS_PREFIX}*")],
                ),
                allow("s3:ListBucket", on=[self._data.exports_bucket.bucket_arn]),
            ],
        )
        self._work_through(
            self._queues.resume, function, at_a_time=1, max_concurrency=RESUMED_AT_A_TIME
        )
        # EventBridge's own retries end when Lambda has taken the event. From then on Lambda's queue
        # would try twice more, and for six hours while the function is throttled.
        live_alias(function).configure_async_invoke(
            retry_attempts=0, max_event_age=Duration.minutes(1)
        )
        # Takes over deletions whose worker died before it could hand anything to the queue, and
        # goes on with erasures of which nothing was heard.
        aws_events.Rule(
            self,
            "EachMinute",
            schedule=aws_events.Schedule.rate(Duration.minutes(1)),
            targets=[
                targets.LambdaFunction(
                    live_alias(function),
                    # The next minute makes up for a run that could not start.
                    retry_attempts=0,
                    max_event_age=Duration.minutes(1),
                )
            ],
        )
        return function

    def _link_stream(self) -> lambda_.Function:
        function = self._function(
            "link_stream",
            timeout=Duration.seconds(60),
            memory_mb=FEW_CALLS_MB,
            environment={
                **self._tables("deletions", "links"),
                "QR_BUCKET": self._data.qr_bucket.bucket_name,
                "FAILURES_BUCKET": self._data.failures_bucket.bucket_name,
                "ERASE_QUEUE_URL": self._queues.erase.queue_url,
                "EVENT_BUS": self._events.bus.event_bus_name,
            },
            statements=[
                # Whether the workspace wants an event for each link.
                allow("dynamodb:GetItem", on=[self._data.deletions.table_arn]),
                self._allow_counting_links(),
                self._allow_deleting_images(),
                allow("sqs:SendMessage", on=[self._queues.erase.queue_arn]),
                self._allow_sending_events(),
            ],
        )
        is_link = {"Keys": {"sk": {"S": lambda_.FilterRule.is_equal("LINK")}}}
        self._follow(
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
                # Restored: the other way round.
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

    def _erase_worker(self) -> lambda_.Function:
        function = self._function(
            "erase_worker",
            sends_to_itself=True,
            timeout=WORKER_TIMEOUT,
            memory_mb=ERASE_MB,
            environment={
                **self._tables("links", "clicks", "deletions"),
                "QR_BUCKET": self._data.qr_bucket.bucket_name,
                "EXPORTS_BUCKET": self._data.exports_bucket.bucket_name,
                "ERASE_QUEUE_URL": self._queues.erase.queue_url,
                "EVENT_BUS": self._events.bus.event_bus_name,
            },
            statements=[
                allow(
                    "dynamodb:BatchWriteItem",
                    "dynamodb:Query",
                    on=[self._data.clicks.table_arn],
                ),
                # Its own rights on the record: it creates deletions for links that TTL removed.
                self._allow_recording_deletions(),
                allow(
                    "dynamodb:BatchGetItem",
                    "dynamodb:Query",
                    on=[self._data.deletions.table_arn],
                ),
                # To see that a link is gone, and to free what TTL leaves; never a link itself.
                allow("dynamodb:BatchGetItem", on=[self._data.links.table_arn]),
                self._allow_quarantining_codes(),
                allow(
                    "dynamodb:DeleteItem",
                    on=[self._data.links.table_arn],
                    when={
                        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["CODE#*", "EXT#*"]},
                        "Null": {"dynamodb:LeadingKeys": "false"},
                    },
                ),
                self._allow_deleting_images(),
                allow(
                    "s3:DeleteObject",
                    on=[self._data.exports_bucket.arn_for_objects(f"{EXPORTS_PREFIX}*")],
                ),
                # An unfinished export may have saved lines under names that no record has.
                allow("s3:ListBucket", on=[self._data.exports_bucket.bucket_arn]),
                allow("sqs:SendMessage", on=[self._queues.erase.queue_arn]),
                self._allow_sending_events(),
            ],
        )
        self._work_through(
            self._queues.erase, function, at_a_time=1, max_concurrency=ERASED_AT_A_TIME
        )
        return function

    def _deletion_stream(self) -> lambda_.Function:
        function = self._function(
            "deletion_stream",
            timeout=Duration.seconds(30),
            memory_mb=512,
            environment={
                "EVENT_BUS": self._events.bus.event_bus_name,
                "FAILURES_BUCKET": self._data.failures_bucket.bucket_name,
            },
            statements=[self._allow_sending_events()],
        )
        self._follow(
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

    def _follow(
        self,
        table: dynamodb.Table,
        function: lambda_.Function,
        *,
        filters: Sequence[Mapping[str, object]],
    ) -> None:
        """Let a function handle a table's stream from its beginning, and lose no record.

        What still fails after the retries goes to the failures bucket: S3, because a queue would
        get only where the records were, in a stream that keeps them for a day.
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
            # Knows no resources (Service Authorization Reference, "DynamoDB").
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
            batch_size=RECORDS_AT_A_TIME,
            bisect_batch_on_error=True,
            report_batch_item_failures=True,
            retry_attempts=STREAM_RETRIES,
            max_record_age=STREAM_MAX_AGE,
            on_failure=_IntoBucket(bucket),
            filters=[lambda_.FilterCriteria.filter(each) for each in filters],
        )
        # The role's policy comes first: a mapping without rights is refused.
        mapping.node.add_dependency(function)

    def _function(
        self,
        name: str,
        *,
        timeout: Duration,
        memory_mb: int,
        environment: Mapping[str, str],
        statements: Sequence[iam.PolicyStatement],
        sends_to_itself: bool = False,
    ) -> lambda_.Function:
        """A function with a role of its own, which may log, trace and what `statements` say."""
        construct_id = "".join(part.capitalize() for part in name.split("_"))
        scope = Construct(self, construct_id)
        # A log group and a role of our own: the managed policy that CDK would attach lets a
        # function write to, and create, any log group of the account.
        log_group = logs.LogGroup(
            scope,
            "Logs",
            retention=self._settings.log_retention,
            removal_policy=self._settings.removal_policy,
        )
        role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        for statement in statements:
            role.add_to_policy(statement)
        function = lambda_.Function(
            scope,
            "Function",
            description=f"Unlink {self._settings.stage}: {name}",
            code=self._code,
            handler=f"functions.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            timeout=timeout,
            memory_size=memory_mb,
            role=role,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            # Lambda drops what is below its own level, which is INFO unless it is told.
            application_log_level_v2=lambda_.ApplicationLogLevel[self._settings.log_level],
            tracing=lambda_.Tracing.ACTIVE,
            # Lambda otherwise ends a chain of about 16 messages that a function sends to its own
            # queue, and the next one goes to the dead letters without a run (Lambda Developer
            # Guide, "Recursive loop detection"). Each such message is bound by a position that
            # only advances.
            recursive_loop=lambda_.RecursiveLoop.ALLOW if sends_to_itself else None,
            reserved_concurrent_executions=self._settings.reserved_concurrency.get(name),
            # An old version stays callable, so that going back is one call.
            current_version_options=lambda_.VersionOptions(
                removal_policy=self._settings.removal_policy
            ),
            environment={
                "STAGE": self._settings.stage,
                "POWERTOOLS_SERVICE_NAME": name,
                "POWERTOOLS_LOG_LEVEL": self._settings.log_level,
                # Pydantic otherwise looks through every installed distribution at import.
                "PYDANTIC_DISABLE_PLUGINS": "__all__",
                **environment,
            },
        )
        self._made.append((function, statements))
        self._names.add(name)
        lambda_.Alias(scope, LIVE, alias_name=LIVE.lower(), version=function.current_version)
        return function

    def _work_through(
        self,
        queue: sqs.Queue,
        function: lambda_.Function,
        *,
        at_a_time: int,
        max_concurrency: int,
    ) -> None:
        live_alias(function).add_event_source(
            event_sources.SqsEventSource(
                queue,
                batch_size=at_a_time,
                max_concurrency=max_concurrency,
                report_batch_item_failures=True,
            )
        )

    def _tables(self, *names: str) -> dict[str, str]:
        tables: dict[str, dynamodb.Table] = {
            "links": self._data.links,
            "clicks": self._data.clicks,
            "deletions": self._data.deletions,
            "access": self._data.access,
        }
        return {f"{name.upper()}_TABLE": tables[name].table_name for name in names}

    def _origin_environment(self) -> dict[str, str]:
        """The distribution's secret, resolved by CloudFormation at deployment.

        Not read at run time: a call to Secrets Manager would lengthen each cold start of the
        redirect (docs/decisions/100-trust-in-viewer-headers.md).
        """
        origin = self._secrets.origin
        return {} if origin is None else {"ORIGIN_SECRET": origin.secret_value.unsafe_unwrap()}

    def _http_environment(self) -> dict[str, str]:
        return {
            "PUBLIC_BASE_URL": self._settings.short_url_base,
            "API_BASE_URL": self._settings.api_base,
            "CORS_ALLOW_ORIGINS": ",".join(self._settings.cors_allow_origins),
        }

    def _allow_keeping_tails(self) -> iam.PolicyStatement:
        """Read and delete what an unfinished export has saved of its next part."""
        return allow(
            "s3:DeleteObject",
            "s3:GetObject",
            on=[self._data.exports_bucket.arn_for_objects(f"{EXPORTS_PREFIX}*.tail")],
        )

    def _allow_deleting_links(self) -> iam.PolicyStatement:
        return allow(
            "dynamodb:BatchGetItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PartiQLUpdate",
            on=[self._data.links.table_arn],
        )

    def _allow_quarantining_codes(self) -> iam.PolicyStatement:
        """Turn the code of an erased link into one that is taken for a while."""
        return allow(
            "dynamodb:UpdateItem",
            on=[self._data.links.table_arn],
            when={
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["CODE#*"]},
                "Null": {"dynamodb:LeadingKeys": "false"},
            },
        )

    def _allow_recording_deletions(self) -> iam.PolicyStatement:
        """Create and advance, never delete.

        Without `BatchWriteItem`: its permission covers deleting too.
        """
        return allow(
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            on=[self._data.deletions.table_arn],
        )

    def _allow_idempotency_keys(self, *actions: str) -> iam.PolicyStatement:
        """Find and claim Idempotency-Keys, and touch no deletion beside them."""
        return allow(
            *(f"dynamodb:{action}" for action in actions),
            on=[self._data.deletions.table_arn],
            when={
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["IDEM#*"]},
                # ForAllValues holds for a request that has no such key at all.
                "Null": {"dynamodb:LeadingKeys": "false"},
            },
        )

    def _allow_export_slots(self, *actions: str) -> iam.PolicyStatement:
        """The workspace's slots for unfinished exports, and nothing of a link beside them."""
        return allow(
            *(f"dynamodb:{action}" for action in actions),
            on=[self._data.clicks.table_arn],
            when=EXPORT_SLOTS,
        )

    def _allow_deleting_images(self) -> iam.PolicyStatement:
        return allow("s3:DeleteObject", on=[self._data.qr_bucket.arn_for_objects(f"{QR_PREFIX}*")])

    def _allow_sending_events(self) -> iam.PolicyStatement:
        return allow("events:PutEvents", on=[self._events.bus.event_bus_arn])

    def _allow_counting_requests(self) -> iam.PolicyStatement:
        """Advance the rate windows, but write no API key or workspace beside them."""
        return allow(
            "dynamodb:UpdateItem",
            on=[self._data.access.table_arn],
            when={
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["RATE#*"]},
                # ForAllValues holds for a request that has no such key at all.
                "Null": {"dynamodb:LeadingKeys": "false"},
            },
        )

    def _allow_counting_links(self) -> iam.PolicyStatement:
        """Change the counters of live links, and no link."""
        return allow(
            "dynamodb:UpdateItem",
            on=[self._data.links.table_arn],
            when={
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["COUNT#*"]},
                # ForAllValues holds for a request that has no such key at all.
                "Null": {"dynamodb:LeadingKeys": "false"},
            },
        )

    def _allow_noting_use(self) -> iam.PolicyStatement:
        """Say when a key was last used, and change nothing else of it: scopes least of all."""
        return allow(
            "dynamodb:UpdateItem",
            on=[self._data.access.table_arn],
            when={
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["KEY#*"]},
                "ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk", "lastUsedAt"]},
                # ForAllValues holds for a request that has no such key at all.
                "Null": {"dynamodb:LeadingKeys": "false", "dynamodb:Attributes": "false"},
                # The answer would otherwise show the whole item.
                "StringEqualsIfExists": {"dynamodb:ReturnValues": "NONE"},
            },
        )

    def _allow_reading_cursor_secret(self) -> iam.PolicyStatement:
        return allow("secretsmanager:GetSecretValue", on=[self._secrets.cursor.secret_arn])


@jsii.implements(lambda_.IEventSourceDlq)
class _IntoBucket:
    """An on-failure destination: S3.

    CDK's own lets the function read and delete everything in the bucket too.
    """

    def __init__(self, bucket: s3.Bucket) -> None:
        self._bucket = bucket

    def bind(
        self, target: lambda_.IEventSourceMapping, target_handler: lambda_.IFunction
    ) -> lambda_.DlqDestinationConfig:
        del target, target_handler
        return lambda_.DlqDestinationConfig(destination=self._bucket.bucket_arn)


def live_alias(function: lambda_.Function) -> lambda_.Alias:
    """The function's alias, which moves to a new version only when it is known to work.

    Invoke this and never the function itself, which is whatever was uploaded last.
    """
    scope = function.node.scope
    alias = scope.node.find_child(LIVE) if scope is not None else None
    if not isinstance(alias, lambda_.Alias):
        raise TypeError(f"{function.node.path} has no alias")
    return alias


def allow(
    *actions: str, on: Sequence[str], when: Mapping[str, object] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=list(on), conditions=when)


def index_arn(table: dynamodb.Table, index_name: str) -> str:
    return f"{table.table_arn}/index/{index_name}"
