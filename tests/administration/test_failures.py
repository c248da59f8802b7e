"""Replaying what streams gave up: done once it succeeds, kept until then."""

from __future__ import annotations

import io
import json
from typing import Any

from administration.failures import failures, records_of, replay


class Aws:
    """S3 and Lambda in memory; `answers` are what the function returns, in order."""

    def __init__(self, objects: dict[str, Any], answers: list[Any]) -> None:
        self.objects = {key: json.dumps(value).encode() for key, value in objects.items()}
        self.answers = answers
        self.invoked: list[tuple[str, Any]] = []

    def __call__(self, _service: str) -> Aws:
        return self

    def get_paginator(self, _name: str) -> Aws:
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> list[dict[str, Any]]:  # noqa: N803
        return [{"Contents": [{"Key": key} for key in self.objects if key.startswith(Prefix)]}]

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        return {"Body": io.BytesIO(self.objects[Key])}

    def delete_object(self, *, Bucket: str, Key: str) -> None:  # noqa: N803
        del self.objects[Key]

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        self.invoked.append((FunctionName, json.loads(Payload)))
        answer = self.answers.pop(0)
        error = {"FunctionError": "Unhandled"} if "errorMessage" in answer else {}
        return error | {"Payload": io.BytesIO(json.dumps(answer).encode())}


def failed_batch(*records: str) -> dict[str, Any]:
    """What Lambda writes: the event is JSON in JSON."""
    return {
        "requestContext": {"functionArn": "arn:cleanup", "condition": "RetryAttemptsExhausted"},
        "payload": json.dumps({"Records": [{"eventID": each} for each in records]}),
    }


def test_what_succeeds_is_removed_and_the_rest_stays() -> None:
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

    told = dict(replay(aws, "bucket"))

    assert told == {
        "a": None,
        "b": "1 of 1 records failed",
        "c": "arn:cleanup failed: boom",
        "d": "it names no records or no function",
    }
    assert set(aws.objects) == {"b", "c", "d"}
    event = {"Records": [{"eventID": "1"}, {"eventID": "2"}], "replayed": True}
    assert aws.invoked[0] == ("arn:cleanup", event)


def test_a_prefix_chooses_and_records_put_aside_read_the_same() -> None:
    aside = {"requestContext": {"functionArn": "f"}, "payload": {"Records": [{"eventID": "9"}]}}
    aws = Aws({"aside/1": aside, "aws/lambda/2": failed_batch("1")}, [])

    [(key, failure)] = failures(aws, "bucket", "aside/")

    assert key == "aside/1"
    assert records_of(failure) == [{"eventID": "9"}]
