"""Requests and responses without botocore's model equal botocore's."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import get_session

from functions.aws.fast_json import HOLE, around, quote, use_plain_json

LINK = {
    "pk": {"S": 'ws#"quoted" \\ ünïcode \u0007 😀'},
    "sk": {"S": "LINK"},
    "clickCount": {"N": "12"},
    "isActive": {"BOOL": True},
    "nothing": {"NULL": True},
    "tags": {"L": [{"S": "a"}, {"M": {"deep": {"SS": ["x", "y"]}}}, {"NS": ["1", "2"]}]},
    "empty": {"M": {}},
}
BINARY = {"pk": {"S": "B"}, "ids": {"B": b"\x00\xff"}, "all": {"BS": [b"1", b"2"]}}
READS: dict[str, Any] = {
    "RequestItems": {
        "links": {
            "Keys": [{"pk": LINK["pk"], "sk": LINK["sk"]}, {"pk": {"B": b"\x00"}}],
            "ConsistentRead": True,
            "ProjectionExpression": "#a,#b",
            "ExpressionAttributeNames": {"#a": "id", "#b": "livePk"},
        },
        "other": {"Keys": [{"pk": {"S": "x"}}]},
    },
    "ReturnConsumedCapacity": "TOTAL",
}
GET: dict[str, Any] = {"TableName": "links", "Key": BINARY, "ConsistentRead": True}
PUT: dict[str, Any] = {
    "TableName": "links",
    "Item": LINK | {"binary": {"B": b"\x00"}, "many": {"BS": [b"1", b"2"]}},
    "ConditionExpression": "attribute_not_exists(#pk)",
    "ExpressionAttributeNames": {"#pk": "pk"},
    "ExpressionAttributeValues": {":at": {"N": "1"}, ":raw": {"B": b"\xff"}},
    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
}
CHANGE: dict[str, Any] = {
    "TableName": "links",
    "Key": {"pk": LINK["pk"], "sk": {"B": b"\x00"}},
    "UpdateExpression": "SET #a = :at, tags = :tags",
    "ConditionExpression": "attribute_exists(#pk)",
    "ExpressionAttributeNames": {"#pk": "pk", "#a": "at"},
    "ExpressionAttributeValues": {":at": {"N": "1"}, ":tags": LINK["tags"], ":raw": {"B": b"\xff"}},
}
UPDATE = CHANGE | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD", "ReturnValues": "ALL_NEW"}
DELETE = {name: CHANGE[name] for name in ("TableName", "Key", "ConditionExpression")}
QUERY: dict[str, Any] = {
    "TableName": "links",
    "IndexName": "live",
    "KeyConditionExpression": "pk = :pk",
    "ExpressionAttributeValues": {":pk": LINK["pk"], ":raw": {"B": b"\xff"}},
    "ExclusiveStartKey": BINARY,
    "ScanIndexForward": False,
    "Limit": 10,
}
WRITES: dict[str, Any] = {
    "RequestItems": {
        "links": [{"PutRequest": {"Item": LINK}}, {"DeleteRequest": {"Key": BINARY}}],
        "other": [{"PutRequest": {"Item": BINARY}}],
    },
    "ReturnConsumedCapacity": "TOTAL",
}
TRANSACTION: dict[str, Any] = {
    "TransactItems": [
        {"Put": {"TableName": "links", "Item": LINK | BINARY}},
        {"Update": CHANGE | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}},
        {"Delete": DELETE | {"TableName": "other"}},
        {"ConditionCheck": DELETE},
    ],
    "ClientRequestToken": "token",
    "ReturnConsumedCapacity": "TOTAL",
}
STATEMENTS: dict[str, Any] = {
    "Statements": [
        {
            "Statement": 'UPDATE "links" SET "a"=? WHERE "pk"=?',
            "Parameters": [{"S": "é"}, {"N": "1"}, {"B": b"\x01"}],
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
        {"Statement": "x", "Parameters": [LINK["tags"]]},
    ]
}


class Wire:
    """A client whose requests are kept, and answered with ``body``."""

    def __init__(self, *, plain_json: bool) -> None:
        self.client = _client()
        if plain_json:
            use_plain_json(self.client, names=True)
        self.client.meta.events.register("before-send.dynamodb", self._answer)
        self.status, self.body = 200, b"{}"
        self.headers: dict[str, str] = {}
        self.request: Any = None

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        self.request = request
        return AWSResponse(request.url, self.status, self.headers, self)  # type: ignore[arg-type]

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.body


def _client() -> Any:
    return get_session().create_client(
        "dynamodb",
        region_name="eu-central-1",
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def own() -> Wire:
    return Wire(plain_json=True)


@pytest.fixture
def botocores() -> Wire:
    return Wire(plain_json=False)


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("batch_get_item", READS),
        ("batch_execute_statement", STATEMENTS),
        ("batch_execute_statement", STATEMENTS | {"ReturnConsumedCapacity": "INDEXES"}),
        ("get_item", GET),
        ("put_item", PUT),
        ("update_item", UPDATE),
        ("delete_item", DELETE),
        ("query", QUERY),
        ("batch_write_item", WRITES),
        ("transact_write_items", TRANSACTION),
        ("scan", {"TableName": "links", "ExclusiveStartKey": BINARY}),
    ],
)
def test_a_request_equals_botocores(
    own: Wire, botocores: Wire, operation: str, parameters: dict[str, Any]
) -> None:
    for wire in (own, botocores):
        getattr(wire.client, operation)(**parameters)

    assert json.loads(own.request.body) == json.loads(botocores.request.body)
    assert own.request.url == botocores.request.url
    for header in ("X-Amz-Target", "Content-Type"):
        assert own.request.headers[header] == botocores.request.headers[header]
    assert int(own.request.headers["Content-Length"]) == len(own.request.body)


def test_a_transaction_without_a_token_gets_one_for_each_request(own: Wire) -> None:
    tokens = []
    for _ in range(2):
        own.client.transact_write_items(TransactItems=TRANSACTION["TransactItems"])
        tokens.append(uuid.UUID(json.loads(own.request.body)["ClientRequestToken"]))

    assert tokens[0] != tokens[1]


def test_the_endpoint_of_an_account_is_botocores(monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint rules read the names of the tables, which may be ARNs of other accounts."""
    arn = "arn:aws:dynamodb:eu-central-1:222222222222:table/links"
    monkeypatch.setenv("AWS_ACCOUNT_ID", "111111111111")
    own, botocores = Wire(plain_json=True), Wire(plain_json=False)
    named = {"TableName": arn}
    actions = [
        {name: action | named}
        for each in TRANSACTION["TransactItems"]
        for name, action in each.items()
    ]
    calls: list[tuple[str, dict[str, Any]]] = [
        ("update_item", UPDATE | named),
        ("query", QUERY | named),
        ("delete_item", DELETE | named),
        ("batch_write_item", {"RequestItems": {arn: WRITES["RequestItems"]["links"]}}),
        ("transact_write_items", TRANSACTION | {"TransactItems": actions}),
    ]
    for operation, parameters in calls:
        for wire in (own, botocores):
            getattr(wire.client, operation)(**parameters)
        assert own.request.url == botocores.request.url
        assert "222222222222" in own.request.url


def test_pre_encoded_elements_give_the_same_request(own: Wire) -> None:
    [first, *_] = STATEMENTS["Statements"]
    value = first["Parameters"][0]["S"]
    before, after = around(first | {"Parameters": [{"S": HOLE}, *first["Parameters"][1:]]})
    reads = READS["RequestItems"]["links"]

    own.client.batch_execute_statement(Statements=[before + quote(value) + after])
    sent = json.loads(own.request.body)
    own.client.batch_execute_statement(Statements=[first])
    assert sent == json.loads(own.request.body)

    own.client.batch_get_item(
        RequestItems={"links": reads | {"Keys": ['{"pk":{"S":"x"}}', {"pk": {"S": "y"}}]}}
    )
    assert json.loads(own.request.body)["RequestItems"]["links"]["Keys"] == [
        {"pk": {"S": "x"}},
        {"pk": {"S": "y"}},
    ]


@pytest.mark.parametrize("item", [LINK, BINARY])
@pytest.mark.parametrize(
    "operation",
    [
        *("batch_get_item", "batch_execute_statement", "get_item", "put_item", "query"),
        *("update_item", "delete_item", "batch_write_item", "transact_write_items", "scan"),
    ],
)
def test_a_response_is_parsed_like_botocore_does(
    own: Wire, botocores: Wire, operation: str, item: dict[str, Any]
) -> None:
    capacity = {"TableName": "links", "CapacityUnits": 1.5}
    response = {
        "batch_get_item": {
            "Responses": {"links": [item, {}]},
            "UnprocessedKeys": {"links": {"Keys": [item], "ConsistentRead": True}},
            "ConsumedCapacity": [capacity],
        },
        "batch_execute_statement": {
            "Responses": [
                {"TableName": "links"},
                {"Error": {"Code": "ConditionalCheckFailed", "Message": "no", "Item": item}},
                {"TableName": "links", "Item": item},
            ]
        },
        "get_item": {"Item": item, "ConsumedCapacity": capacity},
        "put_item": {"Attributes": item, "ConsumedCapacity": capacity},
        "query": {
            "Items": [item],
            "Count": 1,
            "ScannedCount": 1,
            "LastEvaluatedKey": item,
            "ConsumedCapacity": capacity,
        },
        "update_item": {"Attributes": item, "ConsumedCapacity": capacity},
        "delete_item": {"Attributes": item, "ConsumedCapacity": capacity},
        "batch_write_item": {
            "UnprocessedItems": {"links": [{"PutRequest": {"Item": item}}]},
            "ConsumedCapacity": [capacity],
        },
        "transact_write_items": {"ConsumedCapacity": [capacity]},
        "scan": {"Items": [item], "Count": 1, "ScannedCount": 1},
    }[operation]
    body = json.dumps(response, default=lambda _: "AP8=").encode()
    request = {
        "batch_get_item": READS,
        "batch_execute_statement": STATEMENTS,
        "get_item": GET,
        "put_item": PUT,
        "query": QUERY,
        "update_item": UPDATE,
        "delete_item": DELETE,
        "batch_write_item": WRITES,
        "transact_write_items": TRANSACTION,
        "scan": {"TableName": "links"},
    }
    found = []
    for wire in (own, botocores):
        wire.body = body
        found.append(getattr(wire.client, operation)(**request[operation]))

    assert found[0] == found[1]


@pytest.mark.parametrize("body", [b'{"__type":"x#ThrottlingException","message":"m"}', b"<html>"])
def test_errors_are_parsed_by_botocore(own: Wire, botocores: Wire, body: bytes) -> None:
    errors = []
    for wire in (own, botocores):
        wire.status, wire.body = 400, body
        with pytest.raises(ClientError) as failed:
            wire.client.batch_execute_statement(**STATEMENTS)
        errors.append(failed.value.response)

    assert errors[0] == errors[1]


def test_a_non_json_response_is_parsed_by_botocore(own: Wire, botocores: Wire) -> None:
    found = []
    for wire in (own, botocores):
        wire.body = b"not JSON"
        found.append(wire.client.batch_get_item(**READS))

    assert found[0] == found[1]


def test_the_id_of_a_response_is_kept(own: Wire, botocores: Wire) -> None:
    found = []
    for wire in (own, botocores):
        wire.headers = {"X-Amzn-RequestId": "request-7", "Content-Type": "application/json"}
        found.append(wire.client.get_item(**GET)["ResponseMetadata"])

    assert found[0]["RequestId"] == found[1]["RequestId"] == "request-7"
    assert found[0]["HTTPStatusCode"] == 200


def test_the_headers_of_an_error_are_kept(own: Wire, botocores: Wire) -> None:
    found = []
    for wire in (own, botocores):
        wire.headers = {"X-Amzn-RequestId": "request-7", "Content-Type": "application/json"}
        wire.status, wire.body = 400, b'{"__type":"x#ThrottlingException"}'
        with pytest.raises(ClientError) as failed:
            wire.client.put_item(**PUT)
        found.append(failed.value.response)

    assert found[0] == found[1]
