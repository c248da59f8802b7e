"""The clicks stream invokes its reader for clicks of people only, and loses none of them."""

import json

from tests.infra.test_functions import functions
from tests.support.template import Template, invoked_function, resources


def test_the_click_stream_is_invoked_for_clicks_of_people_only(template: Template) -> None:
    [mapping] = [
        each["Properties"]
        for each in resources(template, "AWS::Lambda::EventSourceMapping").values()
        if invoked_function(template, each["Properties"]["FunctionName"])
        == functions(template)["click_stream"]
    ]
    patterns = [json.loads(each["Pattern"]) for each in mapping["FilterCriteria"]["Filters"]]
    assert patterns == [
        {
            "eventName": ["INSERT"],
            "dynamodb": {
                "Keys": {"sk": {"S": [{"prefix": "CLICK#"}]}},
                "NewImage": {"isBot": {"BOOL": [False]}},
            },
        }
    ]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MaximumRetryAttempts"] == 10
    assert "OnFailure" in mapping["DestinationConfig"]


def test_clicks_are_collected_for_seconds_before_they_are_counted(template: Template) -> None:
    windows = [
        (invoked_function(template, mapping["Properties"]["FunctionName"]), seconds)
        for mapping in resources(template, "AWS::Lambda::EventSourceMapping").values()
        if (seconds := mapping["Properties"].get("MaximumBatchingWindowInSeconds"))
    ]
    # A delete's own work does not wait.
    assert windows == [(functions(template)["click_stream"], 10)]
