"""Unlink as one stack."""

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.api import Api
from infra.canary import Rollout
from infra.cdn import ORIGIN_HEADER, add_cdn
from infra.cognito import Users
from infra.data import Data
from infra.domain import add_custom_domain
from infra.events import Events
from infra.firewall import StageFirewall
from infra.lambdas.base import Functions, Resources
from infra.lambdas.http import HttpFunctions
from infra.lambdas.streams import StreamReaders
from infra.lambdas.workers import Workers
from infra.monitoring import Monitoring
from infra.nag_suppressions import acknowledge_findings
from infra.packaging import function_code
from infra.queues import Queues
from infra.secrets import Secrets
from infra.settings import Settings

#: CDK feature flags. They are here and not in `cdk.json`, which only the CLI reads, because `python
#: app.py` must synthesize the same template.
FEATURE_FLAGS = {
    # A change to the authorizer creates a new deployment of the stage.
    "@aws-cdk/aws-apigateway:authorizerChangeDeploymentLogicalId": True,
}


class UnlinkStack(Stack):
    """Tables, secrets, queues, users, functions, the API, and their alarms.

    `code` is the archive that all functions share; without it, it is packaged for the stage's
    target.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        code: lambda_.Code | None = None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            description=f"Unlink, {settings.stage}: short links whose deletion is provable",
            termination_protection=settings.deletion_protection,
        )
        for flag, value in FEATURE_FLAGS.items():
            self.node.set_context(flag, value)
        self.data = Data(self, "Data", settings=settings)
        self.secrets = Secrets(self, "Secrets", settings=settings)
        self.queues = Queues(self, "Queues")
        self.users = Users(self, "Users", settings=settings)
        self.events = Events(self, "Events", settings=settings)
        self.functions = Functions(
            self,
            "Functions",
            settings=settings,
            code=code or function_code(settings.target),
            resources=Resources(
                data=self.data,
                secrets=self.secrets,
                queues=self.queues,
                users=self.users,
                events=self.events,
            ),
        )
        self.http = HttpFunctions(self.functions)
        self.workers = Workers(self.functions)
        self.streams = StreamReaders(self.functions)
        self.functions.check_reserved_names()
        self.queues.delay_erasure(longest_writer=self.functions.longest_writer())
        self.api = Api(self, "Api", settings=settings, functions=self.http)
        self._console_url = f"{settings.api_base or self._own_address(settings)}/console"
        self.users.allow_console(self._console_url)
        for function in (self.streams.deletion_stream, self.workers.receipt_signer):
            if function is not None:
                function.add_environment("API_URL", settings.api_base or self.api.rest_api.url)
        self._add_front(settings)
        # Last: it covers everything above.
        self.monitoring = Monitoring(
            self, "Monitoring", settings=settings, watched=self, api=self.api.rest_api
        )
        if settings.gradual_deployment:
            self.rollout = Rollout(
                self,
                "Rollout",
                functions=self.functions,
                monitoring=self.monitoring,
            )
        acknowledge_findings(self)
        self._add_outputs(settings.stage)

    def _own_address(self, settings: Settings) -> str:
        """Where the API is without a domain name.

        Not `rest_api.url`: that depends on the deployment, and so on the functions, which depend
        on the client that has this address.
        """
        host = f"{self.api.rest_api.rest_api_id}.execute-api.{self.region}.{self.url_suffix}"
        return f"https://{host}/{settings.stage}"

    def _add_front(self, settings: Settings) -> None:
        """Add what the settings require in front of the API: a domain name, CloudFront, WAF."""
        # The id is part of the logical ids; a new one would replace the distribution.
        front = Construct(self, "Edge")
        api, secret = self.api.rest_api, self.secrets.origin
        hosts: list[str] = []
        if settings.custom_domain is not None:
            add_custom_domain(front, settings.custom_domain, api=api)
            hosts.append(settings.custom_domain.name)
        if settings.cdn is not None and secret is not None:
            distribution = add_cdn(
                front, settings.cdn, stage=settings.stage, api=api, origin_secret=secret
            )
            # CloudFront's own name also works.
            hosts += filter(None, (distribution.distribution_domain_name, settings.cdn.domain_name))
        if settings.waf:
            StageFirewall(
                front,
                "Firewall",
                stage_arn=api.deployment_stage.stage_arn,
                from_cdn=(
                    (ORIGIN_HEADER, secret.secret_value.unsafe_unwrap())
                    if secret is not None
                    else None
                ),
            )
        if hosts:
            # The function that creates and changes links refuses links to its own hosts.
            self.http.links.add_environment("OWN_HOSTS", " ".join(hosts))

    def _add_outputs(self, stage: str) -> None:
        outputs = {
            "ApiId": self.api.rest_api.rest_api_id,
            "StageName": stage,
            "ApiUrl": self.api.rest_api.url,
            "LinksTableName": self.data.links.table_name,
            "ClicksTableName": self.data.clicks.table_name,
            "DeletionsTableName": self.data.deletions.table_name,
            "AccessTableName": self.data.access.table_name,
            "QrBucketName": self.data.qr_bucket.bucket_name,
            "ResumeQueueUrl": self.queues.resume.queue_url,
            "EraseQueueUrl": self.queues.erase.queue_url,
            "ExportQueueUrl": self.queues.export.queue_url,
            "ExportsBucketName": self.data.exports_bucket.bucket_name,
            "FailuresBucketName": self.data.failures_bucket.bucket_name,
            "EventBusName": self.events.bus.event_bus_name,
            "LinkStreamFunctionName": self.streams.link_stream.function_name,
            "AlarmTopicArn": self.monitoring.topic.topic_arn,
            "DashboardName": self.monitoring.dashboard.dashboard_name,
            "AuthorizerFunctionName": self.http.authorizer.function_name,
            "UserPoolId": self.users.pool.user_pool_id,
            "UserPoolClientId": self.users.client.user_pool_client_id,
            "ConsoleClientId": self.users.console_client.user_pool_client_id,
            "ConsoleUrl": self._console_url,
        }
        for plan, usage_plan in self.api.usage_plans.items():
            outputs[f"UsagePlan{plan.capitalize()}"] = usage_plan.usage_plan_id
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
