"""Encodes and parses DynamoDB's calls on items without botocore's service model.

DynamoDB's protocol (AWS JSON 1.0) has the same shapes as the SDK's parameters and responses, except
for binary values. botocore still walks through every value along its service model, in both
directions. That takes half of the CPU time of a delete of 10,000 links. Event handlers replace the
walk by the ``json`` module. Endpoint, signature, transport and errors stay botocore's.
"""

from __future__ import annotations

import base64
import json
from json.encoder import encode_basestring_ascii as quote
from typing import Any

from functions.domain.ids import random_uuid

__all__ = ["around", "quote", "read_plain", "use_plain_json"]

_REQUEST_ID = "x-amzn-requestid"

#: A placeholder for a string that is filled in later. No name, id or expression contains it.
HOLE = "\0"


def use_plain_json(client: Any, *, names: bool) -> None:
    """Make this DynamoDB client encode and parse the calls on items without the model.

    Elements of ``Statements`` and ``Keys`` may then also be strings of encoded JSON. ``names``:
    whether the client has endpoint rules, which read the names of tables.
    """
    events = client.meta.events
    # Once each, because registering for each operation would slow the start.
    events.register("provide-client-params.dynamodb", _encode_call if names else _encode_alone)
    events.register("before-call.dynamodb", _send_encoded)
    events.register("before-parse.dynamodb", _read_call)


def around(value: Any) -> tuple[str, str]:
    """The JSON of ``value`` before and after the one string in it that is :data:`HOLE`.

    Values that differ in one string are encoded once: ``before + quote(string) + after``.
    """
    before, after = _encode(value).split(quote(HOLE))
    return before, after


def _binary(value: Any) -> str:
    return base64.b64encode(value).decode()


# Parameters have no circular references: looking for them takes a third of the time.
_encode = json.JSONEncoder(separators=(",", ":"), default=_binary, check_circular=False).encode


def _object(values: dict[str, str]) -> str:
    """A JSON object from members that are encoded already."""
    return "{" + ",".join([f"{quote(name)}:{value}" for name, value in values.items()]) + "}"


def _with_list(parameters: dict[str, Any], name: str) -> str:
    """A JSON object whose member ``name`` is a list of values or of their JSON."""
    members = {key: _encode(value) for key, value in parameters.items() if key != name}
    elements = [
        element if isinstance(element, str) else _encode(element) for element in parameters[name]
    ]
    return _object(members | {name: f"[{','.join(elements)}]"})


# Each returns the JSON of a call, and the names of tables for the endpoint rules, which read them.


def _encode_one(params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return _encode(params), {"TableName": params["TableName"]}


def _encode_statements(params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return _with_list(params, "Statements"), {}


def _encode_reads(params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    tables = params["RequestItems"]
    members = {key: _encode(value) for key, value in params.items() if key != "RequestItems"}
    reads = {table: _with_list(request, "Keys") for table, request in tables.items()}
    body = _object(members | {"RequestItems": _object(reads)})
    return body, {"RequestItems": {table: {} for table in tables}}


def _encode_writes(params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return _encode(params), {"RequestItems": {table: [] for table in params["RequestItems"]}}


def _encode_transaction(params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    actions = [action for each in params["TransactItems"] for action in each.values()]
    tables = dict.fromkeys(action["TableName"] for action in actions)
    # Without a token botocore would add one, after the call is encoded.
    token = params.get("ClientRequestToken") or random_uuid()
    body = _encode(params | {"ClientRequestToken": token})
    return body, {"TransactItems": [{"Put": {"TableName": table}} for table in tables]}


_ENCODERS = {
    "BatchExecuteStatement": _encode_statements,
    "BatchGetItem": _encode_reads,
    "BatchWriteItem": _encode_writes,
    "DeleteItem": _encode_one,
    "GetItem": _encode_one,
    "PutItem": _encode_one,
    "Query": _encode_one,
    "TransactWriteItems": _encode_transaction,
    "UpdateItem": _encode_one,
}


def _encode_call(
    params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any
) -> dict[str, Any] | None:
    encode = _ENCODERS.get(model.name)
    if encode is None:
        return None
    context["body"], named = encode(params)
    return named


def _encode_alone(**given: Any) -> dict[str, Any] | None:
    """Without rules, botocore has no parameters to serialize."""
    return None if _encode_call(**given) is None else {}


def _send_encoded(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    if "body" in context:
        params["body"] = context.pop("body").encode()


def _read_call(operation_model: Any, **response: Any) -> None:
    if operation_model.name in _ENCODERS:
        read_plain(**response)


def read_plain(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    """Parse a response without binary values. botocore parses errors and all other responses.

    Of the response's headers only the request's id is kept in ``ResponseMetadata``.
    """
    body = response_dict["body"]
    if response_dict["status_code"] != 200 or b'"B"' in body or b'"BS"' in body:
        return
    try:
        customized_response_dict.update(json.loads(body.decode()))
    except ValueError:
        return
    response_dict["body"] = b""
    # botocore copies all headers into a mapping that ignores case.
    identified = response_dict["headers"].get(_REQUEST_ID)
    response_dict["headers"] = {} if identified is None else {_REQUEST_ID: identified}
