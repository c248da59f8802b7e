"""The faults of calls of SQS, S3 and other services, as the SDK sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from functions.aws.s3 import Bucket
from functions.domain.clock import deadline
from local.emulator import Emulator
from tests.chaos.faults.conftest import Start


def test_a_message_is_stored_although_the_response_was_lost(
    start: Start, calls: Callable[..., Any], faulty_emulator: Emulator, queue_url: str
) -> None:
    faults = start(twice=1)
    for _ in range(4):
        with pytest.raises((ClientError, ConnectionClosedError)):
            calls("sqs").send_message(QueueUrl=queue_url, MessageBody="hello")
    assert _waiting(faulty_emulator, queue_url) == 4
    assert faults.counts == {"lost responses": 4}


def test_a_throttled_message_is_not_stored(
    start: Start, calls: Callable[..., Any], faulty_emulator: Emulator, queue_url: str
) -> None:
    start(throttle=1)
    with pytest.raises(ClientError) as error:
        calls("sqs").send_message(QueueUrl=queue_url, MessageBody="hello")
    assert error.value.response["Error"]["Code"] == "RequestThrottled"
    assert _waiting(faulty_emulator, queue_url) == 0


def test_messages_of_a_batch_fail_one_by_one(
    start: Start, calls: Callable[..., Any], faulty_emulator: Emulator, queue_url: str
) -> None:
    faults = start(partial=1)
    response = calls("sqs").send_message_batch(
        QueueUrl=queue_url,
        Entries=[{"Id": str(number), "MessageBody": "hello"} for number in range(8)],
    )
    stored = [each["Id"] for each in response.get("Successful", [])]
    failed = [each["Id"] for each in response["Failed"]]
    assert failed
    assert {each["SenderFault"] for each in response["Failed"]} == {False}
    assert sorted(stored + failed) == [str(number) for number in range(8)]
    assert _waiting(faulty_emulator, queue_url) == len(stored)
    assert faults.counts == {"partial batches": 1}


def test_a_file_is_stored_although_the_response_was_lost(
    start: Start, calls: Callable[..., Any], faulty_emulator: Emulator
) -> None:
    s3 = faulty_emulator.client("s3")
    s3.create_bucket(Bucket="faults")
    faults = start(twice=1)
    kinds = set()
    for number in range(10):
        try:
            calls("s3").put_object(Bucket="faults", Key=str(number), Body=b"x")
        except ConnectionClosedError:
            kinds.add("reset")
        except ClientError as error:
            kinds.add(error.response["Error"]["Code"])
    assert kinds == {"reset", "InternalError"}
    assert s3.list_objects_v2(Bucket="faults")["KeyCount"] == 10
    assert faults.counts == {"lost responses": 10}


def test_objects_of_a_batch_fail_one_by_one(
    start: Start, calls: Callable[..., Any], faulty_emulator: Emulator
) -> None:
    s3 = faulty_emulator.client("s3")
    s3.create_bucket(Bucket="deletes")
    keys = [f"a/{number} & b" for number in range(8)]
    faults = start(partial=1)
    rounds, codes, gone_although_failed = 12, set(), set()
    for quiet in (True, False) * (rounds // 2):
        for key in keys:
            s3.put_object(Bucket="deletes", Key=key, Body=b"x")
        objects: Any = {"Objects": [{"Key": key} for key in keys], "Quiet": quiet}
        response = calls("s3").delete_objects(Bucket="deletes", Delete=objects)
        left = {each["Key"] for each in s3.list_objects_v2(Bucket="deletes").get("Contents", [])}
        failed = {each["Key"]: each["Code"] for each in response["Errors"]}
        codes |= {*failed.values()}
        gone_although_failed |= {failed[key] for key in failed.keys() - left}
        assert failed.keys() >= left
        deleted = [each["Key"] for each in response.get("Deleted", [])]
        assert sorted(deleted) == ([] if quiet else sorted(set(keys) - failed.keys()))
    assert codes == {"InternalError", "SlowDown", "ServiceUnavailable"}
    assert gone_although_failed == {"InternalError"}
    assert faults.counts == {"partial batches": rounds}


def test_a_partial_delete_of_objects_is_repeated_until_all_are_gone(
    start: Start, calls: Callable[..., Any], faulty_emulator: Emulator
) -> None:
    """By the product's own bucket: one delete of it, as many calls as that takes."""
    s3 = faulty_emulator.client("s3")
    s3.create_bucket(Bucket="images")
    keys = [f"qr/ws/{number}.png" for number in range(20)]
    for key in keys:
        s3.put_object(Bucket="images", Key=key, Body=b"x")
    faults = start(partial=0.9)
    with deadline(60):
        Bucket(calls("s3"), "images").remove(keys)
    assert "Contents" not in s3.list_objects_v2(Bucket="images")
    assert faults.counts["partial batches"] > 1


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("s3", "list_buckets", "SlowDown"),
        ("kms", "list_keys", "ThrottlingException"),
        ("secretsmanager", "list_secrets", "ThrottlingException"),
        ("events", "list_rules", "ThrottlingException"),
    ],
)
def test_each_service_has_its_own_error_of_a_throttled_call(
    start: Start, calls: Callable[..., Any], service: str, call: str, code: str
) -> None:
    faults = start(throttle=1)
    with pytest.raises(ClientError) as error:
        getattr(calls(service), call)()
    assert error.value.response["Error"]["Code"] == code
    assert faults.counts == {"throttles": 1}


def test_events_of_a_batch_fail_one_by_one(start: Start, calls: Callable[..., Any]) -> None:
    faults = start(partial=1)
    response = calls("events").put_events(
        Entries=[{"Source": "test", "DetailType": "test", "Detail": "{}"} for _ in range(8)]
    )
    failed = [each for each in response["Entries"] if "ErrorCode" in each]
    stored = [each for each in response["Entries"] if "EventId" in each]
    assert response["FailedEntryCount"] == len(failed) >= 1
    assert len(failed) + len(stored) == 8
    assert faults.counts == {"partial batches": 1}


def _waiting(emulator: Emulator, queue_url: str) -> int:
    attributes = emulator.client("sqs").get_queue_attributes(
        QueueUrl=queue_url, AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"])
