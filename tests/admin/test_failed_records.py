"""Replaying failed stream records: kept until they succeed."""

from __future__ import annotations

import io
import json
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError, NoRegionError, ReadTimeoutError

from admin import failed_records
from admin.failed_records import failures, records_of, replay


class Aws:
    """S3 and Lambda in memory; `responses` are those of the function, in order."""

    def __init__(self, objects: dict[str, Any], responses: list[Any]) -> None:
        self.objects = {
            key: value if isinstance(value, bytes) else json.dumps(value).encode()
            for key, value in objects.items()
        }
        self.responses = responses
        self.invoked: list[tuple[str, Any]] = []
        self.sizes: list[int] = []

    def __call__(self, _service: str) -> Aws:
        return self

    def get_paginator(self, _name: str) -> Aws:
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key} for key in self.objects if key.startswith(Prefix)]}]

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self.objects[Key])}

    def delete_object(self, *, Bucket: str, Key: str) -> None:
        del self.objects[Key]

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.invoked.append((FunctionName, json.loads(Payload)))
        self.sizes.append(len(Payload))
        response = self.responses.pop(0)
        if isinstance(response, Exception):
            raise response
        error = {"FunctionError": "Unhandled"} if "errorMessage" in response else {}
        return error | {"Payload": io.BytesIO(json.dumps(response).encode())}


#: The documented example and its key (Lambda Developer Guide, "Retain discarded records for a
#: DynamoDB event source in Lambda"), the event being the one of "Example DynamoDB Streams record
#: event" in the same guide.
DOCUMENTED_KEY = (
    "aws/lambda/7ab98c4b-c3c3-4d3d-8b3a-7a6f2d0f4b6e/shardId-00000001573689847184-864758bb"
    "/2019/11/14/2019-11-14T00.13.49-0b2c6a1e-6b0a-4e1f-9d58-0f6f3f1f7a11"
)
DOCUMENTED_RECORD = {
    "eventID": "1",
    "eventVersion": "1.0",
    "dynamodb": {
        "Keys": {"Id": {"N": "101"}},
        "NewImage": {"Message": {"S": "New item!"}, "Id": {"N": "101"}},
        "StreamViewType": "NEW_AND_OLD_IMAGES",
        "SequenceNumber": "111",
        "SizeBytes": 26,
    },
    "awsRegion": "us-west-2",
    "eventName": "INSERT",
    "eventSourceARN": "arn:aws:dynamodb:us-east-2:123456789012:table/mytable/stream/2019",
    "eventSource": "aws:dynamodb",
}
DOCUMENTED = {
    "requestContext": {
        "requestId": "316aa6d0-8154-xmpl-9af7-85d5f4a6bc81",
        "functionArn": "arn:aws:lambda:us-east-2:123456789012:function:myfunction",
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 1,
    },
    "responseContext": {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    },
    "version": "1.0",
    "timestamp": "2019-11-14T00:13:49.717Z",
    "DDBStreamBatchInfo": {
        "shardId": "shardId-00000001573689847184-864758bb",
        "startSequenceNumber": "800000000003126276362",
        "endSequenceNumber": "800000000003126276362",
        "approximateArrivalOfFirstRecord": "2019-11-14T00:13:19Z",
        "approximateArrivalOfLastRecord": "2019-11-14T00:13:19Z",
        "batchSize": 1,
        "streamArn": "arn:aws:dynamodb:us-east-2:123456789012:table/mytable/stream/2019",
    },
    "payload": json.dumps({"Records": [DOCUMENTED_RECORD]}),
}


def test_the_documented_example_is_replayed_unchanged() -> None:
    aws = Aws({DOCUMENTED_KEY: DOCUMENTED}, [{"batchItemFailures": []}])

    assert dict(replay(aws, "bucket", "aws/lambda/")) == {DOCUMENTED_KEY: None}

    [(function, event)] = aws.invoked
    assert function == "arn:aws:lambda:us-east-2:123456789012:function:myfunction"
    assert event == {"Records": [DOCUMENTED_RECORD], "replayed": True}
    assert aws.objects == {}


def test_expired_records_have_no_response_and_are_replayed_too() -> None:
    old = {name: value for name, value in DOCUMENTED.items() if name != "responseContext"}
    aws = Aws({DOCUMENTED_KEY: old}, [{"batchItemFailures": []}])

    assert dict(replay(aws, "bucket")) == {DOCUMENTED_KEY: None}


def test_an_unreadable_object_or_a_missing_function_blocks_no_other() -> None:
    gone = ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "Invoke")
    aws = Aws(
        {
            "a": b"not JSON",
            "b": b"[]",
            "c": DOCUMENTED | {"payload": "<cut"},
            "d": failed_batch("1"),
            "e": failed_batch("2"),
        },
        [gone, {"batchItemFailures": []}],
    )

    errors = dict(replay(aws, "bucket"))

    assert {errors[key] for key in "abc"} == {"it names no records or no function"}
    assert str(errors["d"]).startswith("arn:cleanup could not be called: ")
    assert errors["e"] is None
    assert set(aws.objects) == set("abcd")


def test_a_full_batch_is_replayed_in_events_below_the_payload_limit() -> None:
    # 6 MB of Arabic: escaped it would be three times as long.
    texts = [f"{number}{'ش' * 100_000}" for number in range(30)]
    aws = Aws({"a": failed_batch(*texts)}, [{"batchItemFailures": [{}]}, {}])

    assert dict(replay(aws, "bucket")) == {"a": "1 of 30 records failed"}

    assert all(size <= 6_000_000 for size in aws.sizes)
    sent = [record["eventID"] for _, event in aws.invoked for record in event["Records"]]
    assert sent == texts


def failed_batch(*records: str) -> dict[str, Any]:
    """What Lambda writes: the event is JSON in JSON."""
    return {
        "requestContext": {"functionArn": "arn:cleanup", "condition": "RetryAttemptsExhausted"},
        "payload": json.dumps({"Records": [{"eventID": each} for each in records]}),
    }


def test_replayed_objects_are_removed_and_failed_ones_stay() -> None:
    aws = Aws(
        {
            "a": failed_batch("1", "2"),
            "b": failed_batch("3"),
            "c": failed_batch("4"),
            "d": {"requestContext": {}, "payload": "{}"},
        },
        [
            {"batchItemFailures": []},
            {"batchItemFailures": [{"itemIdentifier": "3"}]},
            {"errorMessage": "boom"},
        ],
    )

    errors = dict(replay(aws, "bucket"))

    assert errors == {
        "a": None,
        "b": "1 of 1 records failed",
        "c": "arn:cleanup failed: boom",
        "d": "it names no records or no function",
    }
    assert set(aws.objects) == {"b", "c", "d"}
    event = {"Records": [{"eventID": "1"}, {"eventID": "2"}], "replayed": True}
    assert aws.invoked[0] == ("arn:cleanup", event)


def test_a_prefix_selects_and_unparsed_records_are_listed_too() -> None:
    aside = {"requestContext": {"functionArn": "f"}, "payload": {"Records": [{"eventID": "9"}]}}
    aws = Aws({"aside/1": aside, "aws/lambda/2": failed_batch("1")}, [])

    [(key, failure)] = failures(aws, "bucket", "aside/")

    assert key == "aside/1"
    assert records_of(failure) == [{"eventID": "9"}]


def test_a_timeout_of_the_function_is_reported_and_the_next_object_replayed() -> None:
    failure = {"requestContext": {"functionArn": "f"}, "payload": {"Records": [DOCUMENTED_RECORD]}}
    aws = Aws({"a": failure, "b": failure}, [ReadTimeoutError(endpoint_url="f"), {}])
    first, second = replay(aws, "bucket")
    assert first[0] == "a"
    assert "could not be called" in str(first[1])
    assert second == ("b", None)
    assert list(aws.objects) == ["a"]


@pytest.mark.parametrize(
    "odd",
    [
        {"requestContext": "f", "payload": {"Records": [1]}},
        {"requestContext": {"functionArn": "f"}, "payload": [1]},
        {"requestContext": {"functionArn": "f"}, "payload": {"Records": None}},
    ],
    ids=str,
)
def test_an_object_of_another_form_is_kept_and_reported(odd: dict[str, Any]) -> None:
    aws = Aws({"a": odd}, [])
    assert list(replay(aws, "bucket")) == [("a", "it names no records or no function")]
    assert list(aws.objects) == ["a"]


def test_an_error_of_aws_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(failed_records, "client_maker", Mock(side_effect=NoRegionError))
    assert failed_records.main(["list"]) == 1
    assert capsys.readouterr().err == "You must specify a region.\n"
