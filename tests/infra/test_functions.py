"""The functions of the template: what they may access, what invokes them, and how they log.

`tests/test_least_privilege.py` compares what each role allows with what its function sends.
"""

import json
import re
from typing import Any

import pytest

from infra.packaging import LAMBDA_ARM64
from tests.support.iam import grants, text
from tests.support.synthesis import ROOT
from tests.support.template import (
    Template,
    functions,
    invoked_function,
    module_of,
    properties_of,
    resources,
    synthesize,
    synthesized_template,
    variables_of,
)

#: These actions do not support resources, so they are allowed on `*` (Service Authorization
#: Reference, "Actions, resources, and condition keys").
WITHOUT_RESOURCE = {
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "dynamodb:ListStreams",
}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_nothing_is_allowed_with_a_wildcard(template: Template) -> None:
    for policy in properties_of(template, "AWS::IAM::Policy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = as_list(statement["Action"])
            assert not [action for action in actions if "*" in action]
            if "*" in as_list(statement["Resource"]):
                assert set(actions) <= WITHOUT_RESOURCE


def test_each_function_has_its_own_role_without_managed_policies(template: Template) -> None:
    roles = [properties["Role"]["Fn::GetAtt"][0] for properties in functions(template).values()]
    assert len(set(roles)) == len(roles)
    for role in roles:
        assert "ManagedPolicyArns" not in template["Resources"][role]["Properties"]


def test_a_functions_environment_names_only_its_own_tables(template: Template) -> None:
    for name, function in functions(template).items():
        named = {
            text(value)
            for variable, value in function["Environment"]["Variables"].items()
            if variable.endswith("_TABLE")
        }
        granted = {
            grant.resource
            for grant in grants(template, name)
            if grant.action.startswith("dynamodb:") and re.fullmatch(r"\{\w+\}", grant.resource)
        }
        assert named == granted, name


def test_functions_log_to_their_own_group(template: Template) -> None:
    for name, function in functions(template).items():
        writable = {
            grant.resource
            for grant in grants(template, name)
            if grant.action in {"logs:CreateLogStream", "logs:PutLogEvents"}
        }
        assert writable == {text(function["LoggingConfig"]["LogGroup"])}


def test_functions_run_where_their_wheels_do(template: Template) -> None:
    for function in functions(template).values():
        assert function["Runtime"] == f"python{LAMBDA_ARM64.python}"
        assert function["Architectures"] == ["arm64"]


def test_memory_sizes_are_the_measured_ones(template: Template) -> None:
    decision = (ROOT / "docs/decisions/074-memory-sizes.md").read_text(encoding="utf-8")
    chosen = {
        name: int(size.replace(",", ""))
        for name, size in re.findall(r"^\| (\w+) \| ([\d,]+) \|", decision, re.MULTILINE)
    }
    assert chosen == {
        module_of(function): function["MemorySize"]
        for function in properties_of(template, "AWS::Lambda::Function")
        if function["Handler"].startswith("functions.")
    }


def test_a_new_number_is_a_new_key_and_zero_is_none() -> None:
    [(first, key)] = resources(synthesized_template(), "AWS::KMS::Key").items()
    # An earlier key stays in the account.
    assert key["DeletionPolicy"] == "Retain"
    second_template = synthesize(receiptKey="2")
    [second] = resources(second_template, "AWS::KMS::Key")
    assert first != second
    none = synthesize(receiptKey="0")
    assert resources(none, "AWS::KMS::Key") == {}
    assert "receipt_signer" not in functions(none)
    for function in ("scheduler", "erase_worker"):
        assert variables_of(none, "SIGN_RECEIPTS")[function] == "false"
        assert variables_of(second_template, "SIGN_RECEIPTS")[function] == "true"


def test_the_qr_function_can_access_qr_objects_only(template: Template) -> None:
    bucket = text(template["Outputs"]["QrBucketName"]["Value"])
    granted = {(grant.action, grant.resource) for grant in grants(template, "qr")}
    assert {each for each in granted if each[0].startswith("s3:")} == {
        ("s3:DeleteObject", f"{bucket}/qr/*"),
        ("s3:GetObject", f"{bucket}/qr/*"),
        ("s3:PutObject", f"{bucket}/qr/*"),
        # So that S3 answers NoSuchKey, not AccessDenied, for a missing image.
        ("s3:ListBucket", bucket),
    }


def test_workers_that_send_to_their_own_queue_allow_recursion(template: Template) -> None:
    """Lambda's loop detection would otherwise end a long deletion or export at its 16th message."""
    allowed = {
        name
        for name, function in functions(template).items()
        if function.get("RecursiveLoop") == "Allow"
    }
    queues = {
        module_of(invoked_function(template, mapping["FunctionName"]))
        for mapping in properties_of(template, "AWS::Lambda::EventSourceMapping")
        if "StartingPosition" not in mapping
    }
    assert allowed == queues == {"export_worker", "erase_worker", "deletion_worker"}


def test_scheduled_invocations_come_each_minute_and_are_not_retried_or_kept(
    template: Template,
) -> None:
    """The next minute makes up for a run that failed; old ones would only add to a backlog."""
    rules = properties_of(template, "AWS::Events::Rule")
    assert {rule["ScheduleExpression"] for rule in rules} == {"rate(1 minute)"}
    scheduled = {module_of(invoked_function(template, rule["Targets"][0]["Arn"])) for rule in rules}
    invoked = set()
    for properties in properties_of(template, "AWS::Lambda::EventInvokeConfig"):
        assert properties["MaximumRetryAttempts"] == 0
        assert properties["MaximumEventAgeInSeconds"] == 60
        # Of the alias that the schedule invokes.
        target = invoked_function(template, properties["Qualifier"])
        invoked.add(module_of(target))
        assert template["Resources"][properties["FunctionName"]["Ref"]]["Properties"] == target
    assert invoked == scheduled == {"scheduler", "receipt_signer"}


def stream_mappings(template: Template) -> dict[str, dict[str, Any]]:
    """The event source mappings of streams by the module of their function."""
    return {
        module_of(invoked_function(template, each["FunctionName"])): each
        for each in properties_of(template, "AWS::Lambda::EventSourceMapping")
        if "StartingPosition" in each
    }


def test_stream_readers_retry_a_few_times_and_keep_failed_records_whole(template: Template) -> None:
    mappings = stream_mappings(template)
    assert set(mappings) == {"click_stream", "link_stream", "deletion_stream"}
    failures = template["Outputs"]["FailuresBucketName"]["Value"]["Ref"]
    for properties in mappings.values():
        assert properties["StartingPosition"] == "TRIM_HORIZON"
        assert properties["BisectBatchOnFunctionError"] is True
        assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert properties["MaximumRetryAttempts"] == 10
        # An hour less than the stream keeps it, so that it still reaches the failures bucket.
        assert properties["MaximumRecordAgeInSeconds"] == 23 * 3_600
        # A queue would get only the positions of the records in the stream.
        assert properties["DestinationConfig"] == {
            "OnFailure": {"Destination": {"Fn::GetAtt": [failures, "Arn"]}}
        }


def test_only_clicks_are_collected_before_they_are_processed(template: Template) -> None:
    windows = {
        name: mapping.get("MaximumBatchingWindowInSeconds")
        for name, mapping in stream_mappings(template).items()
    }
    # A delete's own work does not wait.
    assert windows == {"click_stream": 10, "link_stream": None, "deletion_stream": None}


def patterns(template: Template, function: str) -> list[dict[str, Any]]:
    filters = stream_mappings(template)[function]["FilterCriteria"]["Filters"]
    return [json.loads(each["Pattern"]) for each in filters]


def test_the_click_stream_is_invoked_for_clicks_of_people_only(template: Template) -> None:
    assert patterns(template, "click_stream") == [
        {
            "eventName": ["INSERT"],
            "dynamodb": {
                "Keys": {"sk": {"S": [{"prefix": "CLICK#"}]}},
                "NewImage": {"isBot": {"BOOL": [False]}},
            },
        }
    ]


def test_the_link_stream_is_invoked_for_deleted_and_restored_links_only(template: Template) -> None:
    there = {"S": [{"exists": True}]}
    assert patterns(template, "link_stream") == [
        {"eventName": ["REMOVE"], "dynamodb": {"Keys": {"sk": {"S": ["LINK"]}}}},
        {
            "eventName": ["MODIFY"],
            "dynamodb": {"OldImage": {"livePk": there}, "NewImage": {"deletedAt": there}},
        },
        {
            "eventName": ["MODIFY"],
            "dynamodb": {"OldImage": {"deletedAt": there}, "NewImage": {"livePk": there}},
        },
    ]


@pytest.mark.parametrize(("stage", "level"), [("prod", "INFO"), ("dev", "DEBUG")])
def test_lambda_log_levels_keep_the_functions_log_lines(stage: str, level: str) -> None:
    for function in functions(synthesized_template(stage)).values():
        assert function["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] == level
        assert function["LoggingConfig"]["ApplicationLogLevel"] == level


def test_lambda_writes_no_platform_lines_for_a_successful_visit(template: Template) -> None:
    levels = {
        name: function["LoggingConfig"].get("SystemLogLevel")
        for name, function in functions(template).items()
    }
    assert {name for name, level in levels.items() if level} == {"redirect", "click_stream"}
    # The report of a failure is a warning.
    assert levels["redirect"] == levels["click_stream"] == "WARN"
