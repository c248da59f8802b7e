"""How a Lambda function is defined: its role, log group, alias and environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.cognito import Users
from infra.data import QR_PREFIX, Data
from infra.events import Events
from infra.lambdas.permissions import EXPORT_SLOTS, Permissions
from infra.queues import Queues
from infra.secrets import Secrets
from infra.settings import Settings

#: Actions that add data to a link. Without `BatchWriteItem`: erasing needs it, and erasing adds
#: nothing.
WRITES = {"dynamodb:PartiQLInsert", "dynamodb:PutItem", "dynamodb:UpdateItem", "s3:PutObject"}

#: The name of the alias that API, queues, streams and schedules invoke.
LIVE = "Live"


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What the functions use."""

    data: Data
    secrets: Secrets
    queues: Queues
    users: Users
    events: Events


class Functions(Construct):
    """Creates the functions and contains them all. They share one archive, `code`.

    To add one: call `add` in `http`, `workers` or `streams`, and write its handler,
    `functions/handlers/<name>.py`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        code: lambda_.Code,
        resources: Resources,
    ) -> None:
        super().__init__(scope, construct_id)
        self.settings = settings
        self.resources = resources
        self.permissions = Permissions(
            data=resources.data, secrets=resources.secrets, events=resources.events
        )
        self._code = code
        self._added: list[tuple[lambda_.Function, Sequence[iam.PolicyStatement]]] = []
        self._names: set[str] = set()

    def add(
        self,
        name: str,
        *,
        timeout: Duration,
        memory_mb: int,
        environment: Mapping[str, str],
        statements: Sequence[iam.PolicyStatement],
        sends_to_itself: bool = False,
        platform_logs: bool = True,
    ) -> lambda_.Function:
        """A function whose role allows logs, traces and what `statements` say.

        Without `platform_logs` Lambda's own lines about an invocation are written only if it fails
        (Lambda Developer Guide, "Log-level filtering": `platform.start` and the report of a success
        are INFO). For functions that run at each visit: these lines cost more than the run.
        """
        construct_id = "".join(part.capitalize() for part in name.split("_"))
        scope = Construct(self, construct_id)
        # A separate log group and role: the managed policy that CDK would attach lets a function
        # create, and write to, any log group of the account.
        log_group = logs.LogGroup(
            scope,
            "Logs",
            retention=logs.RetentionDays[self.settings.log_retention],
            removal_policy=RemovalPolicy[self.settings.removal_policy],
        )
        role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        for statement in statements:
            role.add_to_policy(statement)
        function = lambda_.Function(
            scope,
            "Function",
            description=f"Unlink {self.settings.stage}: {name}",
            code=self._code,
            handler=f"functions.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            timeout=timeout,
            memory_size=memory_mb,
            role=role,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            # Lambda drops lines below its own log level, which is INFO by default.
            application_log_level_v2=lambda_.ApplicationLogLevel[self.settings.log_level],
            system_log_level_v2=None if platform_logs else lambda_.SystemLogLevel.WARN,
            tracing=lambda_.Tracing.ACTIVE,
            # By default Lambda stops a chain of about 16 messages that a function sends to its own
            # queue, and the next one becomes a dead letter without a run (Lambda Developer Guide,
            # "Recursive loop detection"). Each such message has a position that only advances, so
            # the chain ends.
            recursive_loop=lambda_.RecursiveLoop.ALLOW if sends_to_itself else None,
            reserved_concurrent_executions=self.settings.reserved_concurrency.get(name),
            # Old versions stay callable, so a rollback is one call.
            current_version_options=lambda_.VersionOptions(
                removal_policy=RemovalPolicy[self.settings.removal_policy]
            ),
            environment={
                "STAGE": self.settings.stage,
                "POWERTOOLS_SERVICE_NAME": name,
                "POWERTOOLS_LOG_LEVEL": self.settings.log_level,
                # Otherwise Pydantic searches every installed distribution at import.
                "PYDANTIC_DISABLE_PLUGINS": "__all__",
                **environment,
            },
        )
        self._added.append((function, statements))
        self._names.add(name)
        lambda_.Alias(scope, LIVE, alias_name=LIVE.lower(), version=function.current_version)
        return function

    def check_reserved_names(self) -> None:
        """Raise `ValueError` if `reserved_concurrency` names a function that does not exist.

        A misspelled name would leave its function without a reservation.
        """
        unknown = self.settings.reserved_concurrency.keys() - self._names
        if unknown:
            raise ValueError(f"reserved_concurrency: no such functions: {sorted(unknown)}")

    def longest_writer(self) -> Duration:
        """The longest timeout of the functions that add data to a link.

        Such data are clicks, rollups, installs, QR images, and the progress of a link's export.
        The progress of an export that belongs to a deletion is in the deletion's record and
        outlives the links, so `deletion_worker` and `scheduler` do not count; export slots belong
        to no link.
        """
        data = self.resources.data
        written = {data.clicks.table_arn, data.qr_bucket.arn_for_objects(f"{QR_PREFIX}*")}
        seconds = [
            function.timeout.to_seconds()
            for function, statements in self._added
            if function.timeout is not None
            and any(
                WRITES & set(statement.actions)
                and written & set(statement.resources)
                and statement.conditions != EXPORT_SLOTS
                for statement in statements
            )
        ]
        return Duration.seconds(max(seconds))

    def table_names(self, *names: str) -> dict[str, str]:
        """The environment variables that name the tables."""
        data = self.resources.data
        tables: dict[str, dynamodb.Table] = {
            "links": data.links,
            "clicks": data.clicks,
            "deletions": data.deletions,
            "access": data.access,
        }
        return {f"{name.upper()}_TABLE": tables[name].table_name for name in names}


@lru_cache(maxsize=256)
def live_alias(function: lambda_.Function) -> lambda_.Alias:
    """The function's alias, which moves to a new version when that is known to work.

    Invoke the alias, never the function, which is the code that was uploaded last. Cached: each
    step of the search is a call of the CDK's Node process.
    """
    scope = function.node.scope
    alias = scope.node.find_child(LIVE) if scope is not None else None
    if not isinstance(alias, lambda_.Alias):
        raise TypeError(f"{function.node.path} has no alias")
    return alias
