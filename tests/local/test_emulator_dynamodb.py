"""The patches of MiniStack's DynamoDB give the same responses with less work."""

from __future__ import annotations

import copy
import json
import uuid
import zlib
from functools import partial
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local import emulator_dynamodb
from tests.support import in_process_dynamodb

STATEMENT = 'UPDATE "table" SET a=? WHERE id=?'


@pytest.fixture(scope="module")
def table(dynamodb_url: str) -> Any:
    if dynamodb_url != in_process_dynamodb.URL:
        pytest.skip("looks at the emulator's own code")
    dynamodb = boto3.client("dynamodb", endpoint_url=dynamodb_url)
    dynamodb.create_table(
        TableName="patched",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield dynamodb
    dynamodb.delete_table(TableName="patched")


def test_a_statement_is_parsed_once_for_all_values_of_the_same_types() -> None:
    texts = []

    def parse(text: str, values: list[Any]) -> dict[str, Any]:
        texts.append(text)
        return {"op": "UPDATE", "set": [("a", ("lit", values[0]))], "where": ("lit", values[1])}

    module: Any = SimpleNamespace(parse_partiql_statement=parse)
    emulator_dynamodb._parse_statements_once(module)

    for number in range(5):
        values = [{"N": str(number)}, {"S": f"id-{number}"}]
        assert module.parse_partiql_statement(STATEMENT, values) == {
            "op": "UPDATE",
            "set": [("a", ("lit", {"N": str(number)}))],
            "where": ("lit", {"S": f"id-{number}"}),
        }
    assert texts == [STATEMENT]
    module.parse_partiql_statement(STATEMENT, [{"S": "1"}, {"S": "id"}])
    assert len(texts) == 2


def test_a_statement_whose_value_is_changed_by_the_parser_is_parsed_each_time() -> None:
    module: Any = SimpleNamespace(
        parse_partiql_statement=lambda _text, values: {
            "op": "UPDATE",
            "set": [("a", ("lit", {"NS": [values[0]["N"]]}))],
        }
    )
    emulator_dynamodb._parse_statements_once(module)

    parsed = [
        module.parse_partiql_statement(STATEMENT, [{"N": text}])["set"][0][1][1]
        for text in ("1", "2")
    ]

    assert parsed == [{"NS": ["1"]}, {"NS": ["2"]}]


def test_statements_of_a_batch_write_their_own_values(table: Any) -> None:
    for number in range(5):
        table.put_item(TableName="patched", Item={"id": {"S": str(number)}})
    statement = "UPDATE \"patched\" SET a=? SET b='same' WHERE id=? AND attribute_not_exists(a)"

    for expected in (None, "ConditionalCheckFailed"):
        response = table.batch_execute_statement(
            Statements=[
                {"Statement": statement, "Parameters": [{"N": str(n)}, {"S": str(n)}]}
                for n in range(5)
            ]
        )
        failed = [each.get("Error", {}).get("Code") for each in response["Responses"]]
        assert failed == [expected] * 5

    items = table.scan(TableName="patched", ConsistentRead=True)["Items"]
    assert sorted((i["id"]["S"], i["a"]["N"], i["b"]["S"]) for i in items) == [
        (str(n), str(n), "same") for n in range(5)
    ]


def test_an_expression_is_evaluated_with_each_requests_own_names_and_values(table: Any) -> None:
    table.put_item(TableName="patched", Item={"id": {"S": "x"}, "a": {"N": "1"}, "b": {"N": "2"}})

    def holds(name: str, value: str) -> bool:
        try:
            table.update_item(
                TableName="patched",
                Key={"id": {"S": "x"}},
                UpdateExpression="SET seen = :value",
                ConditionExpression="#name = :value",
                ExpressionAttributeNames={"#name": name},
                ExpressionAttributeValues={":value": {"N": value}},
            )
        except table.exceptions.ConditionalCheckFailedException:
            return False
        return True

    found = [holds(name, value) for name in ("a", "b") for value in ("1", "2")]

    assert found == [True, False, False, True]


def test_a_wrong_expression_is_refused_each_time(table: Any) -> None:
    for _ in range(2):
        with pytest.raises(table.exceptions.ClientError, match="Syntax error"):
            table.put_item(
                TableName="patched", Item={"id": {"S": "y"}}, ConditionExpression="id = = id"
            )


def test_requests_that_are_no_actions_on_items_are_answered_as_before(table: Any) -> None:
    dynamodb = in_process_dynamodb._load("dynamodb")

    def send(action: str, body: bytes) -> tuple[int, dict[str, Any]]:
        headers = {"x-amz-target": f"DynamoDB_20120810.{action}"}
        with pytest.raises(StopIteration) as answered:
            dynamodb.handle_request("POST", "/", headers, body, {}).send(None)
        status, sent, content = answered.value.value
        assert status == 400 or sent["x-amz-crc32"] == str(zlib.crc32(content))
        return status, json.loads(content)

    table.put_item(TableName="patched", Item={"id": {"S": "é"}})
    key = '{"TableName": "patched", "Key": {"id": {"S": "é"}}}'.encode()
    assert send("GetItem", key) == (200, {"Item": {"id": {"S": "é"}}})
    assert send("DescribeTable", b'{"TableName": "patched"}')[0] == 200
    assert send("GetItem", b"")[0] == 400
    assert send("GetItem", b"{")[1]["__type"] == "SerializationException"
    assert send("Nothing", b"{}")[1]["__type"] == "UnknownOperationException"


def test_an_item_that_changes_is_replaced(table: Any) -> None:
    """`StartingPoint` keeps items without copies."""
    stored = in_process_dynamodb._load("dynamodb")._tables["patched"]["items"]
    key = {"id": {"S": "kept"}}
    item = key | {
        "m": {"M": {"a": {"N": "1"}}},
        "l": {"L": [{"S": "x"}]},
        "s": {"SS": ["a", "b"]},
        "n": {"N": "1"},
    }
    changes = [
        "SET m.a = :n, l[0] = :n REMOVE n",
        "SET l = list_append(l, l) ADD n :n, s :s",
        "ADD m.a :n DELETE s :s REMOVE l[0]",
    ]
    values = {":n": {"N": "5"}, ":s": {"SS": ["b", "c"]}}
    for change in changes:
        used = {name: value for name, value in values.items() if name in change}
        update = {
            "TableName": "patched",
            "Key": key,
            "UpdateExpression": change,
            "ExpressionAttributeValues": used,
        }
        for write in (
            partial(table.update_item, **update),
            partial(table.transact_write_items, TransactItems=[{"Update": update}]),
        ):
            table.put_item(TableName="patched", Item=item)
            [kept] = stored["kept"].values()
            write()
            assert kept == item
            assert stored["kept"] != {"__no_sort__": item}

    table.put_item(TableName="patched", Item=item)
    [kept] = stored["kept"].values()
    table.batch_execute_statement(
        Statements=[
            {
                "Statement": 'UPDATE "patched" SET m.a=? SET l[0]=? REMOVE n WHERE id=?',
                "Parameters": [{"N": "5"}, {"S": "y"}, key["id"]],
            }
        ]
    )
    assert kept == item
    assert stored["kept"] != {"__no_sort__": item}


def test_a_transaction_of_more_than_4_mb_is_refused(table: Any) -> None:
    [small, large] = (
        [
            {"Put": {"TableName": "patched", "Item": {"id": {"S": f"t{n}"}, "text": text}}}
            for n in range(40)
        ]
        for text in ({"S": "x" * 90_000}, {"S": "x" * 110_000})
    )

    table.transact_write_items(TransactItems=small)
    with pytest.raises(table.exceptions.ClientError, match="4MB"):
        table.transact_write_items(TransactItems=large)


def test_the_statement_of_a_batch_is_parsed_once() -> None:
    parsed: list[Any] = []

    def parse(statement: str, parameters: Any) -> Any:
        parsed.append((statement, parameters))
        return len(parsed)

    module: Any = SimpleNamespace(_parse_partiql=parse)
    emulator_dynamodb._use_the_last_statement_again(module)
    one, two = [{"S": "1"}], [{"S": "2"}]

    # The batch's executor and that of a single statement, for each statement of a batch.
    results = [
        module._parse_partiql("a", one),
        module._parse_partiql("a", one),
        module._parse_partiql("a", two),
        module._parse_partiql("a", two),
        module._parse_partiql("b", two),
        module._parse_partiql("b", [{"S": "2"}]),
        module._parse_partiql("b", []),
        module._parse_partiql("b", []),
    ]

    assert results == [1, 1, 2, 2, 3, 4, 5, 6]


def test_statements_of_a_batch_return_their_items_and_their_errors(table: Any) -> None:
    for name in "cd":
        table.put_item(TableName="patched", Item={"id": {"S": name}, "n": {"N": "1"}})
    update = 'UPDATE "patched" SET "n"=? WHERE "id"=? AND "n"=?'
    read = 'SELECT * FROM "patched" WHERE "id"=?'

    responses = table.batch_execute_statement(
        Statements=[
            {"Statement": update, "Parameters": [{"N": "2"}, {"S": "c"}, {"N": "1"}]},
            {"Statement": update, "Parameters": [{"N": "2"}, {"S": "d"}, {"N": "9"}]},
            {"Statement": read, "Parameters": [{"S": "c"}]},
            {"Statement": read, "Parameters": [{"S": "nothing"}]},
        ]
    )["Responses"]

    assert responses[0] == {"TableName": "patched"}
    assert responses[1]["Error"]["Code"] == "ConditionalCheckFailed"
    assert responses[2:] == [
        {"TableName": "patched", "Item": {"id": {"S": "c"}, "n": {"N": "2"}}},
        {"TableName": "patched"},
    ]


def test_copied_items_share_nothing_that_can_change() -> None:
    module: Any = SimpleNamespace(copy=copy)
    emulator_dynamodb._copy_items_as_json(module)
    item: dict[str, Any] = {
        "tags": {"L": [{"S": "a"}]},
        "binary": {"B": b"\0"},
        "when": {"NULL": True},
    }

    copied = module.copy.deepcopy(item)

    assert copied == item
    copied["tags"]["L"][0]["S"] = "b"
    assert item["tags"]["L"] == [{"S": "a"}]


def test_an_item_is_measured_as_before() -> None:
    measured: list[Any] = []

    def other_size(value: Any) -> int:
        measured.append(value)
        return 7

    module: Any = SimpleNamespace(
        _attribute_value_size=other_size,
        _number_error=lambda text: None,
        _ddb_canonicalize_number=lambda text: text,
        _number_size_bytes=len,
    )
    emulator_dynamodb._measure_strings_first(module)
    others: list[Any] = [{"N": "12"}, {"S": 1}, {"S": "a", "N": "1"}, {"M": {"S": {"S": "a"}}}, "S"]

    assert module._attribute_value_size({"S": "abc"}) == 3
    assert module._attribute_value_size({"S": "é€"}) == 5
    assert [module._attribute_value_size(each) for each in others] == [7] * len(others)
    assert measured == others
    assert module._item_size_bytes({"ab": {"S": "abc"}, "é": {"N": "1"}}) == 2 + 3 + 2 + 7
    assert module._item_size_bytes("no item") == 0
    assert [module._number_size_bytes(text) for text in ("1", "12", "12")] == [1, 2, 2]


def test_only_requests_to_its_own_hosts_stay_in_the_process(table: Any) -> None:
    elsewhere = boto3.client("dynamodb", endpoint_url="http://127.0.0.1:1")
    with pytest.raises(Exception, match="Could not connect to the endpoint"):
        elsewhere.list_tables()


def test_the_process_has_s3_which_checks_presigned_urls(table: Any, services_url: str) -> None:
    version = Config(signature_version="s3v4")
    s3 = boto3.client("s3", endpoint_url=services_url, config=version)
    bucket = f"bucket-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a/é.txt", Body=b"hello")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a/é.txt"})

    assert s3.get_object(Bucket=bucket, Key="a/é.txt")["Body"].read() == b"hello"
    assert in_process_dynamodb.download(url) == b"hello"
    with pytest.raises(AssertionError, match="SignatureDoesNotMatch"):
        in_process_dynamodb.download(url.replace("Signature=", "Signature=0"))
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=bucket, Key="b")


def test_the_emulators_process_answers_calls_in_the_callers_account_and_region(
    emulator_url: str,
) -> None:
    def names(account: str, region: str) -> list[str]:
        dynamodb = boto3.client(
            "dynamodb",
            endpoint_url=emulator_url,
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key="test",
        )
        response = dynamodb.list_tables()
        assert response["ResponseMetadata"]["RequestId"]
        if not response["TableNames"] and (account, region) == ("1" * 12, "eu-west-1"):
            dynamodb.create_table(
                TableName="own",
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
            response = dynamodb.list_tables()
        return list(response["TableNames"])

    assert names("1" * 12, "eu-west-1") == ["own"]
    assert names("1" * 12, "us-east-1") == []
    assert names("2" * 12, "eu-west-1") == []


def test_only_documents_are_searched_for_nested_values() -> None:
    def level_of(value: Any, depth: int = 1) -> int:
        searched.append(value)
        children = value.get("M", {}).values() if len(value) == 1 else ()
        return max((module._nesting_level(each, depth + 1) for each in children), default=depth)

    searched: list[Any] = []
    module: Any = SimpleNamespace(_nesting_level=level_of)
    emulator_dynamodb._look_for_depth_in_documents(module)

    deep = {"M": {"a": {"S": "x"}, "b": {"M": {"c": {"N": "1"}}}}}
    assert [module._nesting_level(each) for each in ({"S": "M"}, {"BOOL": True}, deep)] == [1, 1, 3]
    assert searched == [deep, deep["M"]["b"]]
    assert module._nesting_level({"M": {"a": {"S": "x"}}, "S": "x"}) == 1
    assert module._nesting_level(None) == 1


def test_a_starting_point_is_copied_between_two_requests(
    table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A request of a killed worker's thread is in the copy of every table or of none.
    start = in_process_dynamodb.StartingPoint(in_process_dynamodb.URL, ["patched"])
    copied, partitions = [], in_process_dynamodb._partitions

    def watched(value: Any) -> Any:
        copied.append(in_process_dynamodb.InProcessService.lock.locked())
        return partitions(value)

    monkeypatch.setattr(in_process_dynamodb, "_partitions", watched)
    item = {"id": {"S": "1"}}
    start(lambda: table.put_item(TableName="patched", Item=item))
    table.delete_item(TableName="patched", Key=item)
    start(lambda: None)

    assert table.get_item(TableName="patched", Key=item)["Item"] == item
    assert all(copied)
    assert len(copied) >= 3
