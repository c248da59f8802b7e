"""Every resource that can fail has alarms with a runbook entry."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.template import (
    Template,
    invoked_function,
    properties_of,
    resources,
    synthesize,
    synthesized_template,
)

ROOT = Path(__file__).parents[2]
RUNBOOK = ROOT / "docs" / "operations.md"
METRICS = json.loads((ROOT / "functions/metrics.json").read_text(encoding="utf-8"))


def alarms(template: Template) -> dict[str, dict[str, Any]]:
    return {
        name: alarm["Properties"]
        for name, alarm in resources(template, "AWS::CloudWatch::Alarm").items()
    }


def watched(template: Template, namespace: str, metric: str, dimension: str) -> set[str]:
    """Logical ids whose `metric` some alarm reads."""
    found = set()
    for alarm in alarms(template).values():
        if (alarm["Namespace"], alarm["MetricName"]) == (namespace, metric):
            for each in alarm["Dimensions"]:
                if each["Name"] == dimension:
                    value = each["Value"]
                    found.add(value.get("Ref") or value["Fn::GetAtt"][0])
    return found


def dead_letter_queues(template: Template) -> set[str]:
    return {
        queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for queue in properties_of(template, "AWS::SQS::Queue")
        if "RedrivePolicy" in queue
    }


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_every_function_has_alarms(template: Template, metric: str) -> None:
    functions = set(resources(template, "AWS::Lambda::Function"))
    assert functions
    assert watched(template, "AWS/Lambda", metric, "FunctionName") == functions


def test_every_log_group_keeps_its_lines_for_a_limited_time(template: Template) -> None:
    groups = resources(template, "AWS::Logs::LogGroup")
    assert all(group["Properties"].get("RetentionInDays") for group in groups.values())


def test_every_queue_has_alarms(template: Template) -> None:
    queues = set(resources(template, "AWS::SQS::Queue"))
    dead_letters = dead_letter_queues(template)
    assert dead_letters
    age = watched(template, "AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName")
    filled = watched(template, "AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName")
    assert age == queues - dead_letters
    assert filled == dead_letters


def test_every_table_and_index_has_alarms(template: Template) -> None:
    tables = resources(template, "AWS::DynamoDB::Table")
    expected = {
        (name, index["IndexName"])
        for name, table in tables.items()
        for index in table["Properties"].get("GlobalSecondaryIndexes", [])
    } | {(name, None) for name in tables}
    for metric in ("ReadThrottleEvents", "WriteThrottleEvents"):
        found = set()
        for alarm in alarms(template).values():
            if alarm["MetricName"] == metric:
                named = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
                found.add((named["TableName"]["Ref"], named.get("GlobalSecondaryIndexName")))
        assert found == expected


def test_every_stream_reader_has_alarms(template: Template) -> None:
    readers = {
        name: mapping["Properties"]
        for name, mapping in resources(template, "AWS::Lambda::EventSourceMapping").items()
        if "StartingPosition" in mapping["Properties"]
    }
    gave_up = watched(
        template, "AWS/Lambda", "OnFailureDestinationDeliveredEventCount", "EventSourceMappingUUID"
    )
    assert gave_up == set(readers)
    behind = watched(template, "AWS/Lambda", "IteratorAge", "FunctionName")
    functions = resources(template, "AWS::Lambda::Function")
    handlers = {
        invoked_function(template, each["FunctionName"])["Handler"] for each in readers.values()
    }
    assert {functions[name]["Properties"]["Handler"] for name in behind} == handlers
    for reader in readers.values():
        # These metrics must be enabled.
        assert reader["MetricsConfig"] == {"Metrics": ["EventCount"]}


def test_every_function_has_an_alarm_for_handled_exceptions(template: Template) -> None:
    written = {}
    for each in properties_of(template, "AWS::Logs::MetricFilter"):
        [metric] = each["MetricTransformations"]
        assert each["FilterPattern"] == '{ $.level = "ERROR" }'
        assert metric["MetricValue"] == "1"
        # Without dimensions an unused metric is free.
        assert "Dimensions" not in metric
        key = metric["MetricNamespace"], metric["MetricName"]
        written[key] = each["LogGroupName"]["Ref"]
    read = {
        (alarm["Namespace"], alarm["MetricName"])
        for alarm in alarms(template).values()
        if alarm["Namespace"] == "Unlink/prod"
    }
    assert read == set(written)
    functions = resources(template, "AWS::Lambda::Function").values()
    assert sorted(written.values()) == sorted(
        function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"] for function in functions
    )


def test_the_alarms_of_the_account_may_publish_to_their_topic(template: Template) -> None:
    # A topic with a policy has lost the default one, by which its account may publish.
    [policy] = resources(template, "AWS::SNS::TopicPolicy").values()
    [allowed] = [
        statement
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    [topic] = resources(template, "AWS::SNS::Topic")
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Action"] == "sns:Publish"
    assert allowed["Resource"] == {"Ref": topic}
    assert allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    source = "".join(
        part if isinstance(part, str) else part["Ref"]
        for part in allowed["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Join"][1]
    )
    assert source == "arn:AWS::Partition:cloudwatch:AWS::Region:AWS::AccountId:alarm:*"


def test_rollback_alarms_react_within_five_minutes(template: Template) -> None:
    groups = resources(template, "AWS::CodeDeploy::DeploymentGroup")
    named = {
        alarm["Name"]["Ref"]
        for group in groups.values()
        for alarm in group["Properties"]["AlarmConfiguration"]["Alarms"]
    }
    for name in named:
        alarm = alarms(template)[name]
        assert alarm["Period"] * alarm["DatapointsToAlarm"] <= 300, name


def test_dashboards_have_the_region_in_their_name(template: Template) -> None:
    [dashboard] = properties_of(template, "AWS::CloudWatch::Dashboard")
    name = dashboard["DashboardName"]
    assert name == {"Fn::Join": ["", ["unlink-prod-", {"Ref": "AWS::Region"}]]}


def test_every_alarm_notifies_and_has_a_runbook_entry(template: Template) -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    }
    for name, alarm in alarms(template).items():
        # A new alarm is OK first: an action on that would mail for each of them.
        assert "OKActions" not in alarm, name
        [destination] = alarm["AlarmActions"]
        assert template["Resources"][destination["Ref"]]["Type"] == "AWS::SNS::Topic"
        entry = re.search(r"docs/operations\.md#([a-z-]+)$", alarm["AlarmDescription"])
        assert entry, name
        assert entry[1] in headings, f"{name}: no entry {entry[1]} in {RUNBOOK.name}"


def test_alarms_read_only_metrics_that_the_functions_write(template: Template) -> None:
    own = [
        alarm for alarm in alarms(template).values() if alarm["Namespace"] == METRICS["namespace"]
    ]
    assert {alarm["MetricName"] for alarm in own} >= {
        "OldestDeletionWithoutWorker",
        "OldestErasure",
        "OldestUnsignedReceipt",
    }
    for alarm in own:
        assert alarm["MetricName"] in METRICS["metrics"]
        assert {each["Name"]: each["Value"] for each in alarm["Dimensions"]} == {
            "service": METRICS["service"],
            "stage": "prod",
        }


@pytest.mark.parametrize("metric", ["OldestDeletionWithoutWorker", "OldestUnsignedReceipt"])
def test_a_schedule_that_stops_reporting_raises_an_alarm(template: Template, metric: str) -> None:
    [alarm] = [alarm for alarm in alarms(template).values() if alarm.get("MetricName") == metric]
    assert alarm["TreatMissingData"] == "breaching"
    assert alarm["Threshold"] == 15 * 60


def test_without_a_receipt_key_no_alarm_waits_for_signatures() -> None:
    template = synthesize(stage="prod", receiptKey="0")
    assert not [
        alarm
        for alarm in alarms(template).values()
        if alarm.get("MetricName") == "OldestUnsignedReceipt"
    ]


def test_alarms_reach_the_address_of_the_stage() -> None:
    template = synthesize(stage="dev", alarmEmail="ops@example.com")
    [subscription] = properties_of(template, "AWS::SNS::Subscription")
    assert subscription["Endpoint"] == "ops@example.com"


def test_the_dashboard_shows_deletions_first(template: Template) -> None:
    [dashboard] = properties_of(template, "AWS::CloudWatch::Dashboard")
    body = dashboard["DashboardBody"]
    text = "".join(part if isinstance(part, str) else "x" for part in body["Fn::Join"][1])
    widgets = json.loads(text)["widgets"]
    shown = {
        line[1]
        for widget in widgets
        if widget["type"] == "metric"
        for line in widget["properties"]["metrics"]
    }
    assert set(METRICS["metrics"]) - {"OldestDeletionWithoutWorker"} <= shown
    assert widgets[0]["type"] == "alarm"
    assert len(widgets[0]["properties"]["alarms"]) == len(alarms(template))


@pytest.mark.parametrize("stage", ["dev", "local"])
def test_other_stages_have_the_same_alarms(stage: str) -> None:
    assert len(alarms(synthesized_template(stage))) == len(alarms(synthesized_template("prod")))
