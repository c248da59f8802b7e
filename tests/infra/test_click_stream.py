"""The clicks stream invokes its reader for clicks of people only, and loses none of them."""

import json

from tests.support.template import Template, functions, invoked_function, properties_of


def test_the_click_stream_is_invoked_for_clicks_of_people_only(template: Template) -> None:
    [mapping] = [
        each
        for each in properties_of(template, "AWS::Lambda::EventSourceMapping")
        if invoked_function(template, each["FunctionName"]) == functions(template)["click_stream"]
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
        (invoked_function(template, mapping["FunctionName"]), seconds)
        for mapping in properties_of(template, "AWS::Lambda::EventSourceMapping")
        if (seconds := mapping.get("MaximumBatchingWindowInSeconds"))
    ]
    # A delete's own work does not wait.
    assert windows == [(functions(template)["click_stream"], 10)]
