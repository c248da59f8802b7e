"""Monitoring: a topic, the alarms that publish to it, and a dashboard."""

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.alarms import Alarms
from infra.dashboard import add_dashboard
from infra.settings import Settings
from infra.watched import Watched


class Monitoring(Construct):
    """`topic` (where alarms go), `alarms` and `dashboard` of everything in `watched`."""

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
        self.topic = self._topic(settings.alarm_email)
        contents = Watched(watched, stage=settings.stage, api=api)
        self.alarms = Alarms(self, stage=settings.stage, topic=self.topic, watched=contents)
        self.dashboard = add_dashboard(
            self, stage=settings.stage, alarms=self.alarms.by_name.values(), watched=contents
        )

    def _topic(self, email: str) -> sns.Topic:
        topic = sns.Topic(self, "Alarms", enforce_ssl=True)
        # This policy replaces the default one, which allows the account's alarms to publish.
        stack = Stack.of(self)
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
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
        if email:
            topic.add_subscription(subscriptions.EmailSubscription(email))
        return topic
