"""The faults of calls of DynamoDB, as the SDK sees them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from local.emulator import Emulator
from tests.chaos.faults.conftest import Start
from tests.chaos.faults.in_emulator.decisions import Decisions

KEYS: list[dict[str, Any]] = [{"pk": {"S": letter}} for letter in "abcdefgh"]


@pytest.fixture
def stored(faulty_emulator: Emulator, table: str) -> Callable[[], dict[str, str]]:
    """What the table holds: the attribute `v` by key."""

    def items() -> dict[str, str]:
        found = faulty_emulator.client("dynamodb").scan(TableName=table)["Items"]
        return {item["pk"]["S"]: item.get("v", {"S": ""})["S"] for item in found}

    return items


def _code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_throttled_call_changes_nothing(
    start: Start, calls: Callable[..., Any], table: str, stored: Callable[[], dict[str, str]]
) -> None:
    faults = start(throttle=1)
    codes = set()
    for _ in range(12):
        with pytest.raises(ClientError) as error:
            calls("dynamodb").put_item(TableName=table, Item=KEYS[0])
        codes.add(_code(error))
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert codes == {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
    }
    assert stored() == {}
    assert faults.counts == {"throttles": 12}


def test_a_throttled_transaction_may_be_a_conflict(
    start: Start, calls: Callable[..., Any], table: str, stored: Callable[[], dict[str, str]]
) -> None:
    start(throttle=1)
    reasons = []
    for _ in range(12):
        with pytest.raises(ClientError) as error:
            calls("dynamodb").transact_write_items(
                TransactItems=[{"Put": {"TableName": table, "Item": key}} for key in KEYS[:3]]
            )
        if _code(error) == "TransactionCanceledException":
            reasons.append([each["Code"] for each in error.value.response["CancellationReasons"]])
    assert reasons
    assert {tuple(sorted(each)) for each in reasons} == {("None", "None", "TransactionConflict")}
    assert stored() == {}


def test_a_share_of_the_calls_is_throttled_and_none_in_a_pause(
    start: Start, calls: Callable[..., Any], table: str
) -> None:
    expected = Decisions(seed=5)
    expected.start()
    dynamodb = calls("dynamodb")

    def throttled() -> bool:
        try:
            dynamodb.describe_table(TableName=table)
        except ClientError:
            return True
        return False

    faults = start(seed=5, throttle=0.2)
    first = [throttled() for _ in range(40)]
    faults.pause()
    quiet = [throttled() for _ in range(40)]
    faults.start()
    second = [throttled() for _ in range(40)]
    drawn = [expected.draw("DescribeTable", throttle=0.2)[0] is not None for _ in range(80)]
    assert first + second == drawn
    assert quiet == [False] * 40
    assert faults.counts == {"throttles": sum(drawn)}


def test_calls_of_the_tools_get_no_fault(
    start: Start, faulty_emulator: Emulator, table: str
) -> None:
    faults = start(throttle=1)
    faulty_emulator.client("dynamodb").put_item(TableName=table, Item=KEYS[0])
    assert faults.counts == {}


def test_a_batch_of_reads_has_unprocessed_keys(
    start: Start, calls: Callable[..., Any], faulty_emulator: Emulator, table: str
) -> None:
    for key in KEYS:
        faulty_emulator.client("dynamodb").put_item(TableName=table, Item=key)
    faults = start(partial=1)
    response = calls("dynamodb").batch_get_item(
        RequestItems={table: {"Keys": KEYS, "ConsistentRead": True}}
    )
    unprocessed = response["UnprocessedKeys"][table]
    assert unprocessed["ConsistentRead"] is True
    assert 1 <= len(unprocessed["Keys"]) < len(KEYS)
    everything = response["Responses"][table] + unprocessed["Keys"]
    assert sorted(item["pk"]["S"] for item in everything) == list("abcdefgh")
    assert faults.counts == {"partial batches": 1}


def test_a_batch_of_writes_has_unprocessed_items(
    start: Start, calls: Callable[..., Any], table: str, stored: Callable[[], dict[str, str]]
) -> None:
    faults = start(partial=1)
    response = calls("dynamodb").batch_write_item(
        RequestItems={table: [{"PutRequest": {"Item": key}} for key in KEYS]}
    )
    unprocessed = [
        each["PutRequest"]["Item"]["pk"]["S"] for each in response["UnprocessedItems"][table]
    ]
    assert 1 <= len(unprocessed) < len(KEYS)
    assert sorted([*stored(), *unprocessed]) == list("abcdefgh")
    assert faults.counts == {"partial batches": 1}


def test_a_batch_of_one_is_throttled_as_a_whole(
    start: Start, calls: Callable[..., Any], table: str
) -> None:
    start(partial=1)
    with pytest.raises(ClientError) as error:
        calls("dynamodb").batch_get_item(RequestItems={table: {"Keys": KEYS[:1]}})
    assert "Thrott" in _code(error) or "Exceeded" in _code(error)


def test_statements_of_a_batch_fail_one_by_one(
    start: Start,
    calls: Callable[..., Any],
    faulty_emulator: Emulator,
    table: str,
    stored: Callable[[], dict[str, str]],
) -> None:
    for key in KEYS:
        faulty_emulator.client("dynamodb").put_item(TableName=table, Item=key)
    faults = start(partial=1)
    applied_although_failed, refused = set(), set()
    rounds = 12
    for number in range(rounds):
        response = calls("dynamodb").batch_execute_statement(
            Statements=[
                {
                    "Statement": f'UPDATE "{table}" SET v=? WHERE pk=?',
                    "Parameters": [{"S": str(number)}, key["pk"]],
                }
                for key in KEYS
            ]
        )
        now = stored()
        assert len(response["Responses"]) == len(KEYS)
        for key, each in zip(KEYS, response["Responses"], strict=True):
            applied = now[key["pk"]["S"]] == str(number)
            code = each.get("Error", {}).get("Code")
            if code is None:
                assert applied
            elif applied:
                applied_although_failed.add(code)
            else:
                refused.add(code)
        assert any("Error" in each for each in response["Responses"])
    assert applied_although_failed == {"InternalServerError"}
    assert refused == {
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "TransactionConflict",
        "InternalServerError",
    }
    assert faults.counts == {"partial batches": rounds}


def test_a_delayed_call_is_executed(
    start: Start, calls: Callable[..., Any], table: str, stored: Callable[[], dict[str, str]]
) -> None:
    faults = start(delay=1, delay_seconds=0.2)
    calls("dynamodb").put_item(TableName=table, Item=KEYS[0])
    assert stored() == {"a": ""}
    assert faults.counts == {"delays": 1}


def test_a_late_call_runs_after_the_sdk_timeout_and_a_pause_waits_for_it(
    start: Start, calls: Callable[..., Any], table: str, stored: Callable[[], dict[str, str]]
) -> None:
    faults = start(late=1, late_seconds=1)
    with pytest.raises(ReadTimeoutError):
        calls("dynamodb", read_timeout=0.3).put_item(TableName=table, Item=KEYS[0])
    assert stored() == {}
    faults.pause()
    assert stored() == {"a": ""}
    assert faults.counts == {"late calls": 1}


def test_a_lost_response_is_a_reset_or_an_error_of_an_executed_call(
    start: Start, calls: Callable[..., Any], table: str, stored: Callable[[], dict[str, str]]
) -> None:
    faults = start(twice=1)
    kinds = set()
    for number in range(10):
        try:
            calls("dynamodb").put_item(TableName=table, Item={**KEYS[0], "v": {"S": str(number)}})
        except ConnectionClosedError:
            kinds.add("reset")
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            kinds.add(f"{status} {error.response['Error']['Code']}")
        assert stored() == {"a": str(number)}
    assert kinds == {"reset", "500 InternalServerError"}
    assert faults.counts == {"lost responses": 10}


def test_a_weak_read_may_miss_the_last_write_and_a_strong_one_never_does(
    start: Start, calls: Callable[..., Any], table: str
) -> None:
    dynamodb = calls("dynamodb")
    dynamodb.put_item(TableName=table, Item={**KEYS[0], "v": {"S": "old"}})
    # Longer than this test takes on any machine.
    faults = start(stale=1, stale_seconds=300)
    dynamodb.put_item(TableName=table, Item={**KEYS[0], "v": {"S": "new"}})
    dynamodb.put_item(TableName=table, Item=KEYS[1])

    weak = dynamodb.get_item(TableName=table, Key=KEYS[0])["Item"]["v"]["S"]
    batch = dynamodb.batch_get_item(RequestItems={table: {"Keys": KEYS[:2]}})
    query: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": KEYS[1]["pk"]},
    }
    missed = dynamodb.query(**query)["Items"]
    assert faults.counts == {"stale reads": 3}
    assert weak == "old"
    assert batch["Responses"][table] == [{**KEYS[0], "v": {"S": "old"}}]
    assert missed == []

    strong = dynamodb.get_item(TableName=table, Key=KEYS[0], ConsistentRead=True)
    assert strong["Item"]["v"]["S"] == "new"
    assert dynamodb.query(**query, ConsistentRead=True)["Items"] == KEYS[1:2]
    assert faults.counts == {"stale reads": 3}


def test_nothing_is_stale_once_the_last_write_is_old(
    start: Start, calls: Callable[..., Any], table: str
) -> None:
    dynamodb = calls("dynamodb")
    faults = start(stale=1, stale_seconds=0.2)
    dynamodb.put_item(TableName=table, Item=KEYS[0])
    time.sleep(0.3)
    assert dynamodb.get_item(TableName=table, Key=KEYS[0])["Item"] == KEYS[0]
    assert faults.counts == {}
