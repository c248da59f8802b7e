"""The permissions of each function, read from the synthesized policies."""

import json
import re
from typing import Any

import pytest

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

LINK_DELETER = {
    "BatchGetItem",
    "DeleteItem",
    "GetItem",
    "PartiQLUpdate",
    # Of short codes only: quarantine.
    "UpdateItem",
}
RECORDER = {"BatchGetItem", "GetItem", "PutItem", "UpdateItem", "Query"}

FOLLOWER = {"DescribeStream", "GetRecords", "GetShardIterator"}

#: Function -> table (or table/index) -> DynamoDB actions; nothing else is allowed.
MAY = {
    "authorizer": {"Access": {"GetItem", "UpdateItem"}},
    "links": {
        "Links": {
            "BatchGetItem",
            "DeleteItem",
            "GetItem",
            "PutItem",
            "UpdateItem",
        },
        "Links/index/live": {"Query"},
        "Deletions": {"GetItem", "PutItem", "UpdateItem"},
        "Access": {"UpdateItem"},
    },
    "deletions": {
        "Links": LINK_DELETER,
        "Links/index/live": {"Query"},
        "Clicks": {"PutItem", "Query"},
        "Deletions": RECORDER,
        "Access": {"UpdateItem"},
    },
    "qr": {"Links": {"GetItem", "UpdateItem"}, "Access": {"UpdateItem"}},
    "account": {
        "Links": {"BatchGetItem"},
        "Deletions": {"GetItem", "Query"},
        "Access": {"UpdateItem"},
    },
    "keys": {
        "Access": {
            "BatchGetItem",
            "ConditionCheckItem",
            "GetItem",
            "PutItem",
            "Query",
            "UpdateItem",
        },
        "Deletions": {"GetItem", "PutItem"},
    },
    "receipts": {"Deletions": {"GetItem", "Query"}, "Access": {"UpdateItem"}},
    "receipt_signer": {
        "Deletions": {"GetItem", "PutItem", "UpdateItem"},
        "Deletions/index/open": {"Query"},
    },
    "pages": {},
    "click_stream": {
        "Links": {"BatchGetItem", "UpdateItem"},
        "Clicks": {
            "BatchGetItem",
            "BatchWriteItem",
            "PartiQLInsert",
            "PutItem",
            "Query",
            "UpdateItem",
        },
        "Clicks/stream": FOLLOWER,
    },
    "export_worker": {
        "Links": {"BatchGetItem", "GetItem"},
        "Clicks": {"GetItem", "Query", "UpdateItem"},
    },
    "analytics": {
        "Links": {"ConditionCheckItem", "GetItem"},
        "Clicks": {"GetItem", "PutItem", "Query", "UpdateItem"},
        "Deletions": {"GetItem", "PutItem"},
        "Access": {"UpdateItem"},
    },
    "redirect": {"Links": {"GetItem", "UpdateItem"}, "Clicks": {"PutItem"}},
    "deletion_worker": {
        "Links": LINK_DELETER,
        "Links/index/live": {"Query"},
        "Deletions": RECORDER,
        "Clicks": {"Query", "UpdateItem"},
    },
    "scheduler": {
        "Links": LINK_DELETER,
        "Links/index/live": {"Query"},
        "Deletions": RECORDER,
        "Deletions/index/open": {"Query"},
        "Clicks": {"UpdateItem"},
    },
    "link_stream": {
        "Links": {"UpdateItem"},
        "Links/stream": FOLLOWER,
        "Deletions": {"GetItem"},
    },
    "erase_worker": {
        "Links": {"BatchGetItem", "DeleteItem", "UpdateItem"},
        "Clicks": {"BatchWriteItem", "Query"},
        "Deletions": RECORDER,
    },
    "deletion_stream": {"Deletions/stream": FOLLOWER},
}

#: These actions do not support resources, so they are allowed on `*` (Service Authorization
#: Reference, "Actions, resources, and condition keys").
WITHOUT_RESOURCE = {
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "dynamodb:ListStreams",
}


def statements(template: Template, function: str) -> list[dict[str, Any]]:
    """Every statement of the function's role, with actions and resources as lists."""
    role = functions(template)[function]["Role"]["Fn::GetAtt"][0]
    return [
        {
            **statement,
            "Action": as_list(statement["Action"]),
            "Resource": as_list(statement["Resource"]),
        }
        for policy in properties_of(template, "AWS::IAM::Policy")
        if {"Ref": role} in policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def table_names(template: Template) -> dict[str, str]:
    """Logical id -> Links, Clicks, Deletions or Access."""
    return {
        value["Value"]["Ref"]: output.removesuffix("TableName")
        for output, value in template["Outputs"].items()
        if output.endswith("TableName")
    }


def table_of(template: Template, resource: Any) -> str:
    """`Links` for the ARN of a table, `Links/index/live` of an index, `Links/stream` of that."""
    if resource == "*":
        return "*"
    suffix = ""
    if "Fn::Join" in resource:
        resource, suffix = resource["Fn::Join"][1]
    logical_id, attribute = resource["Fn::GetAtt"]
    if attribute == "StreamArn":
        suffix = "/stream"
    return table_names(template)[logical_id] + suffix


@pytest.mark.parametrize("function", sorted(MAY))
def test_a_function_has_permissions_on_its_own_tables_only(
    template: Template, function: str
) -> None:
    granted: dict[str, set[str]] = {}
    for statement in statements(template, function):
        actions = {action for action in statement["Action"] if action.startswith("dynamodb:")}
        if actions - WITHOUT_RESOURCE:
            for resource in statement["Resource"]:
                granted.setdefault(table_of(template, resource), set()).update(
                    action.removeprefix("dynamodb:") for action in actions
                )
    assert granted == MAY[function]


def test_every_function_has_an_expected_policy(template: Template) -> None:
    assert set(functions(template)) == set(MAY)


def test_no_role_may_delete_from_the_audit_trail(template: Template) -> None:
    for function in functions(template):
        for statement in statements(template, function):
            for resource in statement["Resource"]:
                actions = {action for action in statement["Action"] if "dynamodb" in action}
                if actions and table_of(template, resource).startswith("Deletions"):
                    # Not BatchWriteItem or PartiQL either: their permissions cover deleting.
                    assert actions <= {
                        "dynamodb:BatchGetItem",
                        "dynamodb:GetItem",
                        "dynamodb:PutItem",
                        "dynamodb:Query",
                        "dynamodb:UpdateItem",
                        *(f"dynamodb:{action}" for action in FOLLOWER),
                    }


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


def on_table(template: Template, function: str, table: str, action: str = "") -> list[Any]:
    """The statements that allow a function something (or this action) on a table itself."""
    return [
        statement
        for statement in statements(template, function)
        if any(each.startswith(f"dynamodb:{action}") for each in statement["Action"])
        and table in [table_of(template, each) for each in statement["Resource"]]
    ]


def only(*keys: str) -> dict[str, Any]:
    """The condition that every key in a call begins like one of these."""
    return {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(keys)},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


@pytest.mark.parametrize(
    ("table", "action", "function", "keys"),
    [
        *(("Access", "", function, ["RATE#*"]) for function in ("links", "deletions", "qr")),
        *(("Deletions", "", function, ["IDEM#*"]) for function in ("links", "analytics")),
        # Erasures alone are read in batches.
        ("Deletions", "BatchGetItem", "deletions", ["LINK#*"]),
        ("Deletions", "BatchGetItem", "deletion_worker", ["LINK#*"]),
        # Links are deleted by PartiQL.
        ("Links", "UpdateItem", "deletions", ["CODE#*"]),
        ("Links", "UpdateItem", "deletion_worker", ["CODE#*"]),
        ("Links", "UpdateItem", "scheduler", ["CODE#*"]),
        ("Links", "UpdateItem", "erase_worker", ["CODE#*"]),
        ("Links", "DeleteItem", "erase_worker", ["CODE#*", "EXT#*"]),
    ],
)
def test_a_function_may_use_some_keys_of_a_table_alone(
    template: Template, table: str, action: str, function: str, keys: list[str]
) -> None:
    found = on_table(template, function, table, action)
    assert [statement["Condition"] for statement in found] == [only(*keys)]


@pytest.mark.parametrize(
    ("function", "actions"),
    [
        ("deletions", {"dynamodb:PutItem", "dynamodb:Query"}),
        ("deletion_worker", {"dynamodb:UpdateItem"}),
        ("scheduler", {"dynamodb:UpdateItem"}),
    ],
)
def test_functions_that_delete_write_only_export_slots_in_the_clicks_table(
    template: Template, function: str, actions: set[str]
) -> None:
    limited = [
        (set(statement["Action"]), statement["Condition"])
        for statement in on_table(template, function, "Clicks")
        if "Condition" in statement
    ]
    assert limited == [(actions, only("EXPORTS#*"))]


def test_a_redirect_changes_only_where_the_clicks_of_a_link_are(template: Template) -> None:
    [updating] = on_table(template, "redirect", "Links", "UpdateItem")
    assert updating["Condition"] == {
        "ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk", "onePartition"]},
        "Null": {"dynamodb:Attributes": "false"},
        "StringEqualsIfExists": {"dynamodb:ReturnValues": "NONE"},
    }


def test_the_authorizer_writes_only_the_last_use_of_a_key(template: Template) -> None:
    [updating] = on_table(template, "authorizer", "Access", "UpdateItem")
    assert updating["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["KEY#*"]},
        "ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk", "lastUsedAt"]},
        "Null": {"dynamodb:LeadingKeys": "false", "dynamodb:Attributes": "false"},
        "StringEqualsIfExists": {"dynamodb:ReturnValues": "NONE"},
    }


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("CURSOR_SECRET_ARN", {"account", "deletions", "keys", "links"}),
        ("VISITOR_SECRET_ARN", {"click_stream"}),
    ],
)
def test_each_secret_is_read_only_by_the_functions_that_use_it(
    template: Template, variable: str, expected: set[str]
) -> None:
    named = variables_of(template, variable)
    assert set(named) == expected
    [secret] = {json.dumps(reference) for reference in named.values()}
    assert secret_readers(template, secret) == expected


def secret_readers(template: Template, secret: str = "") -> set[str]:
    return {
        function
        for function in functions(template)
        for statement in statements(template, function)
        if "secretsmanager:GetSecretValue" in statement["Action"]
        and secret in json.dumps(statement["Resource"])
    }


def test_no_other_function_reads_a_secret(template: Template) -> None:
    readers = secret_readers(template)
    assert readers == {"account", "deletions", "keys", "links", "click_stream"}


def test_a_functions_environment_names_only_its_own_tables(template: Template) -> None:
    for function, properties in functions(template).items():
        known = {
            name.removesuffix("_TABLE").capitalize()
            for name in properties["Environment"]["Variables"]
            if name.endswith("_TABLE")
        }
        assert known == {table for table in MAY[function] if "/" not in table}


def test_functions_log_to_their_own_group_for_a_limited_time(template: Template) -> None:
    groups = resources(template, "AWS::Logs::LogGroup")
    for function, properties in functions(template).items():
        group = properties["LoggingConfig"]["LogGroup"]["Ref"]
        assert groups[group]["Properties"]["RetentionInDays"] == 90
        writable = [
            statement["Resource"]
            for statement in statements(template, function)
            if "logs:PutLogEvents" in statement["Action"]
        ]
        assert writable == [[{"Fn::GetAtt": [group, "Arn"]}]]


def test_functions_run_on_graviton_with_tracing(template: Template) -> None:
    for properties in functions(template).values():
        assert properties["Architectures"] == ["arm64"]
        assert properties["Runtime"] == "python3.13"
        assert properties["TracingConfig"] == {"Mode": "Active"}


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


def test_functions_time_out_before_the_gateway_does(template: Template) -> None:
    timeouts = {name: each["Timeout"] for name, each in functions(template).items()}
    assert timeouts == {
        "authorizer": 5,
        "account": 28,
        "keys": 28,
        "receipts": 28,
        "receipt_signer": 50,
        "links": 28,
        "deletions": 28,
        "qr": 28,
        "pages": 10,
        "redirect": 10,
        "click_stream": 60,
        "analytics": 28,
        "export_worker": 60,
        "deletion_worker": 300,
        "scheduler": 300,
        "link_stream": 60,
        "erase_worker": 300,
        "deletion_stream": 30,
    }


def test_the_schedule_looks_for_unfinished_work_each_minute(template: Template) -> None:
    rules = properties_of(template, "AWS::Events::Rule")
    assert {rule["ScheduleExpression"] for rule in rules} == {"rate(1 minute)"}
    targets = [invoked_function(template, rule["Targets"][0]["Arn"]) for rule in rules]
    assert sorted(target["Handler"] for target in targets) == [
        "functions.handlers.receipt_signer.handler",
        "functions.handlers.scheduler.handler",
    ]


def test_only_the_signer_may_use_the_key_of_receipts(template: Template) -> None:
    users = {
        function: set(statement["Action"])
        for function in functions(template)
        for statement in statements(template, function)
        if any(action.startswith("kms:") for action in statement["Action"])
    }
    assert users == {"receipt_signer": {"kms:GetPublicKey", "kms:Sign"}}
    [key] = resources(template, "AWS::KMS::Key").values()
    assert key["Properties"]["KeySpec"] == "ECC_NIST_P256"
    assert key["Properties"]["KeyUsage"] == "SIGN_VERIFY"
    assert key["DeletionPolicy"] == key["UpdateReplacePolicy"] == "Retain"


def test_a_new_number_is_a_new_key_and_zero_is_none() -> None:
    [first] = resources(synthesized_template(), "AWS::KMS::Key")
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
    [bucket] = [
        value["Value"]["Ref"]
        for output, value in template["Outputs"].items()
        if output == "QrBucketName"
    ]
    on_objects = [
        statement
        for statement in statements(template, "qr")
        if any(action.startswith("s3:") for action in statement["Action"])
    ]
    assert [(set(statement["Action"]), statement["Resource"]) for statement in on_objects] == [
        (
            {"s3:DeleteObject", "s3:GetObject", "s3:PutObject"},
            [{"Fn::Join": ["", [{"Fn::GetAtt": [bucket, "Arn"]}, "/qr/*"]]}],
        ),
        # So that S3 answers NoSuchKey, not AccessDenied, for a missing image.
        ({"s3:ListBucket"}, [{"Fn::GetAtt": [bucket, "Arn"]}]),
    ]


def test_the_erase_worker_can_remove_codes_but_no_link(template: Template) -> None:
    [deleting] = [
        each for each in statements(template, "erase_worker") if "DeleteItem" in str(each)
    ]
    assert deleting["Action"] == ["dynamodb:DeleteItem"]
    assert table_of(template, deleting["Resource"][0]) == "Links"


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


def test_scheduled_invocations_are_not_retried_or_kept(template: Template) -> None:
    """The next minute makes up for a run that failed; old ones would only add to a backlog."""
    configs = resources(template, "AWS::Lambda::EventInvokeConfig").values()
    invoked = set()
    for properties in (config["Properties"] for config in configs):
        assert properties["MaximumRetryAttempts"] == 0
        assert properties["MaximumEventAgeInSeconds"] == 60
        # Of the alias that the schedule invokes.
        target = invoked_function(template, properties["Qualifier"])
        invoked.add(module_of(target))
        assert template["Resources"][properties["FunctionName"]["Ref"]]["Properties"] == target
    assert invoked == {"scheduler", "receipt_signer"}


def test_stream_readers_retry_a_few_times_and_keep_failed_records_whole(template: Template) -> None:
    mappings = {
        module_of(invoked_function(template, each["FunctionName"])): each
        for each in properties_of(template, "AWS::Lambda::EventSourceMapping")
        if "StartingPosition" in each
    }
    assert {"link_stream", "deletion_stream"} <= set(mappings)
    failures = template["Outputs"]["FailuresBucketName"]["Value"]["Ref"]
    for name in ("link_stream", "deletion_stream"):
        properties = mappings[name]
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


def test_the_link_stream_is_invoked_for_deleted_and_restored_links_only(template: Template) -> None:
    [mapping] = [
        each["Properties"]
        for each in resources(template, "AWS::Lambda::EventSourceMapping").values()
        if "livePk" in str(each)
    ]
    patterns = [json.loads(each["Pattern"]) for each in mapping["FilterCriteria"]["Filters"]]
    there = {"S": [{"exists": True}]}
    assert patterns == [
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
