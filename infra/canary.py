"""How a new version of the functions is deployed and rolled back."""

from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.lambdas.base import live_alias
from infra.monitoring import Monitoring
from infra.watched import name_of


class Rollout(Construct):
    """Shifts a tenth of each alias to its new version for five minutes, then all of it.

    When an alarm for errors of the function or the API goes off during this time, its alias goes
    back to the previous version, and CloudFormation rolls back the rest of the deployment.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        functions: Construct,
        monitoring: Monitoring,
    ) -> None:
        super().__init__(scope, construct_id)
        application = codedeploy.LambdaApplication(self, "Application")
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("codedeploy.amazonaws.com"),
            managed_policies=[
                iam.ManagedPolicy.from_aws_managed_policy_name(
                    "service-role/AWSCodeDeployRoleForLambdaLimited"
                )
            ],
        )
        alarms = monitoring.alarms
        for function in functions.node.find_all():
            if not isinstance(function, lambda_.Function):
                continue
            name = name_of(function)
            codedeploy.LambdaDeploymentGroup(
                self,
                name,
                application=application,
                role=role,
                alias=live_alias(function),
                deployment_config=codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_5_MINUTES,
                alarms=[*alarms.function_errors[name], alarms.api_errors],
            )
