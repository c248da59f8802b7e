"""The Lambda functions: what each is for, how long it may take and exactly what it may touch."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.data import LIVE_INDEX, OPEN_INDEX, QR_PREFIX, Data
from infra.queues import WORKER_TIMEOUT, Queues
from infra.secrets import Secrets
from infra.settings import Settings
from infra.users import Users

#: One second less than API Gateway waits, so that a function can still answer by itself.
HTTP_TIMEOUT = Duration.seconds(28)

#: From this size on Lambda gives a function one whole vCPU
#: (Lambda Developer Guide, "Configure Lambda function memory").
ONE_VCPU_MB = 1_769

#: The deletions that may be worked on at a time, so that the queue never takes the concurrency
#: that the API needs.
RESUMED_AT_A_TIME = 10


class Functions(Construct):
    """One attribute for each function, `functions/<attribute>.py` being its code.

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
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self._code = code
        self._data = data
        self._secrets = secrets
        self._queues = queues
        self._users = users

        self.authorizer = self._authorizer()
        self.links = self._links()
        self.deletions = self._deletions()
        self.qr = self._qr()
        self.docs = self._docs()
        self.redirect = self._redirect()
        self.resume = self._resume()

    def _authorizer(self) -> lambda_.Function:
        return self._function(
            "authorizer",
            timeout=Duration.seconds(5),
            memory_mb=512,
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
            memory_mb=512,
            environment={
                **self._http_environment(),
                **self._tables("links", "access"),
                "CURSOR_SECRET_ARN": self._secrets.cursor.secret_arn,
            },
            statements=[
                allow(
                    "dynamodb:BatchGetItem",
                    "dynamodb:ConditionCheckItem",
                    # An external id that moves to another link, and creating all links or none.
                    "dynamodb:DeleteItem",
                    "dynamodb:GetItem",
                    "dynamodb:PutItem",
                    "dynamodb:UpdateItem",
                    on=[self._data.links.table_arn],
                ),
                allow("dynamodb:Query", on=[index_arn(self._data.links, LIVE_INDEX)]),
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
                **self._tables("links", "deletions", "access"),
                "CURSOR_SECRET_ARN": self._secrets.cursor.secret_arn,
                "RESUME_QUEUE_URL": self._queues.resume.queue_url,
            },
            statements=[
                self._allow_deleting_links(),
                self._allow_recording_deletions(),
                # The second is for deletions by filter, which are resolved to ids first.
                allow("dynamodb:Query", on=[self._data.deletions.table_arn]),
                allow("dynamodb:Query", on=[index_arn(self._data.links, LIVE_INDEX)]),
                allow("sqs:SendMessage", on=[self._queues.resume.queue_arn]),
                self._allow_counting_requests(),
                self._allow_reading_cursor_secret(),
            ],
        )

    def _qr(self) -> lambda_.Function:
        return self._function(
            "qr",
            timeout=HTTP_TIMEOUT,
            memory_mb=512,
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
                self._allow_counting_requests(),
            ],
        )

    def _docs(self) -> lambda_.Function:
        return self._function(
            "docs",
            timeout=Duration.seconds(10),
            memory_mb=512,
            environment={"PUBLIC_BASE_URL": self._settings.public_base_url},
            statements=[],
        )

    def _redirect(self) -> lambda_.Function:
        return self._function(
            "redirect",
            timeout=Duration.seconds(10),
            memory_mb=512,
            environment=self._tables("links", "clicks"),
            statements=[
                allow("dynamodb:GetItem", on=[self._data.links.table_arn]),
                allow("dynamodb:PutItem", on=[self._data.clicks.table_arn]),
            ],
        )

    def _resume(self) -> lambda_.Function:
        function = self._function(
            "resume",
            timeout=WORKER_TIMEOUT,
            memory_mb=ONE_VCPU_MB,
            environment={
                **self._tables("links", "deletions"),
                "RESUME_QUEUE_URL": self._queues.resume.queue_url,
            },
            statements=[
                self._allow_deleting_links(),
                self._allow_recording_deletions(),
                allow(
                    "dynamodb:Query",
                    on=[
                        self._data.deletions.table_arn,
                        index_arn(self._data.deletions, OPEN_INDEX),
                        index_arn(self._data.links, LIVE_INDEX),
                    ],
                ),
                allow("sqs:SendMessage", on=[self._queues.resume.queue_arn]),
            ],
        )
        self._work_through(
            self._queues.resume, function, at_a_time=1, max_concurrency=RESUMED_AT_A_TIME
        )
        # Takes over deletions whose worker died before it could hand anything to the queue.
        events.Rule(
            self,
            "EachMinute",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            targets=[
                targets.LambdaFunction(
                    function,
                    # The next minute makes up for a run that could not start.
                    retry_attempts=0,
                    max_event_age=Duration.minutes(1),
                )
            ],
        )
        return function

    def _function(
        self,
        name: str,
        *,
        timeout: Duration,
        memory_mb: int,
        environment: Mapping[str, str],
        statements: Sequence[iam.PolicyStatement],
    ) -> lambda_.Function:
        """A function with a role of its own, which may log, trace and what `statements` say."""
        construct_id = name.capitalize()
        scope = Construct(self, construct_id)
        # A log group and a role of our own: the managed policy that CDK would attach lets a
        # function write to, and create, any log group of the account.
        log_group = logs.LogGroup(
            scope,
            "Logs",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=self._settings.removal_policy,
        )
        role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        for statement in statements:
            role.add_to_policy(statement)
        return lambda_.Function(
            scope,
            "Function",
            description=f"Unlink {self._settings.stage}: {name}",
            code=self._code,
            handler=f"functions.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            timeout=timeout,
            memory_size=memory_mb,
            role=role,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            tracing=lambda_.Tracing.ACTIVE,
            environment={
                "STAGE": self._settings.stage,
                "POWERTOOLS_SERVICE_NAME": name,
                "POWERTOOLS_LOG_LEVEL": self._settings.log_level,
                # Pydantic otherwise looks through every installed distribution at import.
                "PYDANTIC_DISABLE_PLUGINS": "__all__",
                **environment,
            },
        )

    def _work_through(
        self,
        queue: sqs.Queue,
        function: lambda_.Function,
        *,
        at_a_time: int,
        max_concurrency: int,
    ) -> None:
        function.add_event_source(
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

    def _http_environment(self) -> dict[str, str]:
        return {
            "PUBLIC_BASE_URL": self._settings.public_base_url,
            "CORS_ALLOW_ORIGINS": ",".join(self._settings.cors_allow_origins),
        }

    def _allow_deleting_links(self) -> iam.PolicyStatement:
        return allow(
            "dynamodb:BatchGetItem",
            "dynamodb:ConditionCheckItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PartiQLUpdate",
            on=[self._data.links.table_arn],
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


def allow(
    *actions: str, on: Sequence[str], when: Mapping[str, object] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=list(on), conditions=when)


def index_arn(table: dynamodb.Table, index_name: str) -> str:
    return f"{table.table_arn}/index/{index_name}"
