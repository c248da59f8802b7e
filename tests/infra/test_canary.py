"""How a new version is deployed: by its alias, in production gradually, with rollback on an
alarm.
"""

from tests.support.template import (
    Template,
    invoked_function,
    properties_of,
    resources,
    synthesized_template,
)


def test_functions_are_invoked_through_their_alias_only(template: Template) -> None:
    invoked = [
        *(
            each["FunctionName"]
            for each in properties_of(template, "AWS::Lambda::EventSourceMapping")
        ),
        *(each["FunctionName"] for each in properties_of(template, "AWS::Lambda::Permission")),
        *(
            each["Integration"]["Uri"]
            for each in properties_of(template, "AWS::ApiGateway::Method")
            if each["Integration"]["Type"] == "AWS_PROXY"
        ),
    ]
    reached = {invoked_function(template, each)["Handler"] for each in invoked}
    assert reached == {each["Handler"] for each in properties_of(template, "AWS::Lambda::Function")}


def test_every_alias_shifts_gradually_and_rolls_back_on_an_alarm(template: Template) -> None:
    aliases = resources(template, "AWS::Lambda::Alias")
    groups = resources(template, "AWS::CodeDeploy::DeploymentGroup")
    assert len(aliases) == len(resources(template, "AWS::Lambda::Function")) == len(groups)
    for alias in aliases.values():
        policy = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        group = groups[policy["DeploymentGroupName"]["Ref"]]["Properties"]
        assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
        assert group["AlarmConfiguration"]["Enabled"] is True
        # Errors of the function, exceptions that it answers, 5xx of the API.
        assert len(group["AlarmConfiguration"]["Alarms"]) == 3
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]


def test_old_versions_are_kept_for_rollback(template: Template) -> None:
    versions = resources(template, "AWS::Lambda::Version").values()
    assert {version["DeletionPolicy"] for version in versions} == {"Retain"}


def test_other_stages_deploy_at_once() -> None:
    for stage in ("dev", "local"):
        assert not resources(synthesized_template(stage), "AWS::CodeDeploy::DeploymentGroup")
