"""The event bus, and the endpoint that may get every event."""

import pytest

from infra.settings import EventsEndpoint
from infra.stages import settings_of
from tests.support.template import Template, properties_of, resources, synthesize

URL = "https://hooks.example.com/unlink"
SECRET = "unlink/events"


def only(template: Template, kind: str) -> tuple[str, Template]:
    """The logical id and the properties of the only resource of a type."""
    [(name, resource)] = resources(template, kind).items()
    return name, resource["Properties"]


@pytest.fixture(scope="module")
def with_endpoint() -> Template:
    return synthesize(stage="prod", eventsUrl=URL, eventsSecret=SECRET)


def test_without_the_context_there_is_a_bus_alone(template: Template) -> None:
    assert only(template, "AWS::Events::EventBus")[1] == {"Name": "unlink-prod"}
    for kind in ("Connection", "ApiDestination", "Archive"):
        assert resources(template, f"AWS::Events::{kind}") == {}


def test_the_endpoint_gets_every_event_with_the_key_of_the_secret(with_endpoint: Template) -> None:
    connection, given = only(with_endpoint, "AWS::Events::Connection")
    destination, sent = only(with_endpoint, "AWS::Events::ApiDestination")
    bus, _ = only(with_endpoint, "AWS::Events::EventBus")
    [rule] = [
        each
        for each in properties_of(with_endpoint, "AWS::Events::Rule")
        if each.get("EventBusName") == {"Ref": bus}
    ]

    assert given["AuthParameters"]["ApiKeyAuthParameters"] == {
        "ApiKeyName": "X-Api-Key",
        "ApiKeyValue": "{{resolve:secretsmanager:unlink/events:SecretString:::}}",
    }
    assert (sent["HttpMethod"], sent["InvocationEndpoint"]) == ("POST", URL)
    assert sent["ConnectionArn"] == {"Fn::GetAtt": [connection, "Arn"]}
    assert rule["EventPattern"] == {"source": ["unlink"]}
    [target] = rule["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": [destination, "Arn"]}


def test_the_rule_may_call_the_endpoint_and_nothing_else(with_endpoint: Template) -> None:
    destination, _ = only(with_endpoint, "AWS::Events::ApiDestination")
    statements = [
        statement
        for policy in properties_of(with_endpoint, "AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
        if "events:InvokeApiDestination" in statement["Action"]
    ]
    assert statements == [
        {
            "Action": "events:InvokeApiDestination",
            "Effect": "Allow",
            "Resource": {"Fn::GetAtt": [destination, "Arn"]},
        }
    ]


def test_an_event_that_the_endpoint_refuses_is_kept_and_raises_an_alarm(
    with_endpoint: Template,
) -> None:
    [(queue, found)] = [
        (name, each["Properties"])
        for name, each in resources(with_endpoint, "AWS::SQS::Queue").items()
        if "EventDeadLetters" in name
    ]
    assert found == {"MessageRetentionPeriod": 14 * 86_400, "SqsManagedSseEnabled": True}
    targets = [
        target
        for rule in properties_of(with_endpoint, "AWS::Events::Rule")
        for target in rule["Targets"]
        if "DeadLetterConfig" in target
    ]
    assert [target["DeadLetterConfig"]["Arn"] for target in targets] == [
        {"Fn::GetAtt": [queue, "Arn"]}
    ]
    alarms = [
        alarm
        for alarm in properties_of(with_endpoint, "AWS::CloudWatch::Alarm")
        if {"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}}
        in alarm.get("Dimensions", [])
    ]
    assert [alarm["MetricName"] for alarm in alarms] == ["ApproximateNumberOfMessagesVisible"]
    assert "docs/operations.md#dead-letters" in alarms[0]["AlarmDescription"]


def test_events_can_be_replayed_for_a_month(with_endpoint: Template) -> None:
    bus, _ = only(with_endpoint, "AWS::Events::EventBus")
    _, archive = only(with_endpoint, "AWS::Events::Archive")
    assert archive["SourceArn"] == {"Fn::GetAtt": [bus, "Arn"]}
    assert archive["EventPattern"] == {"source": ["unlink"]}
    assert archive["RetentionDays"] == 30


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/unlink",
        "hooks.example.com",
        "https://",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/?key=1",
        "https://hooks.example.com/*",
        "https://user@hooks.example.com/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com/\n",
        "https://hooks.example.com/" + "a" * 2_048,
    ],
)
def test_an_url_that_eventbridge_cannot_call_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"eventsUrl .*expected an HTTPS URL"):
        EventsEndpoint(url=url, secret=SECRET)


@pytest.mark.parametrize("secret", ["", "a b", "${x}", "unlink/events:key"])
def test_the_endpoint_needs_a_secret_by_name(secret: str) -> None:
    with pytest.raises(ValueError, match=r"eventsSecret .*name of the secret"):
        EventsEndpoint(url=URL, secret=secret)


def test_the_app_refuses_an_endpoint_without_a_secret() -> None:
    with pytest.raises(ValueError, match=r"eventsSecret ''"):
        settings_of({"stage": "dev", "eventsUrl": URL})


@pytest.mark.parametrize(
    "url", [URL, "https://hooks.example.com", "https://hooks.example.com:8443/a/b-c_d~e"]
)
def test_urls_with_a_port_or_without_a_path_are_taken(url: str) -> None:
    assert EventsEndpoint(url=url, secret=SECRET).url == url
