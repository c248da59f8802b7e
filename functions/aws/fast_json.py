"""DynamoDB's JSON, sent and read as it is, for the calls that carry many values.

DynamoDB's protocol (AWS JSON 1.0) has the very shapes of the SDK's parameters and answers, but for
binary values. botocore walks through every value along its service model all the same, both ways:
half of the processor time of a delete of 10,000 links. Here handlers of its events put the ``json``
module in the place of that walk; endpoint, signature, transport and errors stay botocore's.
"""

from __future__ import annotations

import base64
import json
from json.encoder import encode_basestring_ascii as quote
from typing import Any

__all__ = ["around", "quote", "use_plain_json"]

#: Stands for a string that is filled in later; no name, id or expression of ours contains it.
HOLE = "\0"


def use_plain_json(client: Any) -> None:
    """Let this DynamoDB client encode its batches and read batches and queries without a model.

    Elements of ``Statements`` and ``Keys`` may then also be strings: JSON made beforehand.
    """
    events = client.meta.events
    for operation, encode in _ENCODERS.items():
        events.register(f"provide-client-params.dynamodb.{operation}", encode)
        events.register(f"before-call.dynamodb.{operation}", _send_encoded)
    for operation in ("BatchExecuteStatement", "BatchGetItem", "Query"):
        events.register(f"before-parse.dynamodb.{operation}", _read_plain)


def around(value: Any) -> tuple[str, str]:
    """The JSON of ``value`` before and after the one string in it that is :data:`HOLE`.

    Values that differ in one string are encoded once: ``before + quote(string) + after``.
    """
    before, after = _encode(value).split(quote(HOLE))
    return before, after


def _binary(value: Any) -> str:
    return base64.b64encode(value).decode()


_encode = json.JSONEncoder(separators=(",", ":"), default=_binary).encode


def _object(values: dict[str, str]) -> str:
    """A JSON object of members that are JSON already."""
    return "{" + ",".join([f"{quote(name)}:{value}" for name, value in values.items()]) + "}"


def _with_list(parameters: dict[str, Any], name: str) -> str:
    """A JSON object whose member ``name`` is a list of values or of their JSON."""
    members = {key: _encode(value) for key, value in parameters.items() if key != name}
    elements = [
        element if isinstance(element, str) else _encode(element) for element in parameters[name]
    ]
    return _object(members | {name: f"[{','.join(elements)}]"})


def _encode_statements(params: dict[str, Any], context: dict[str, Any], **_: Any) -> dict[str, Any]:
    context["body"] = _with_list(params, "Statements")
    return {}


def _encode_reads(params: dict[str, Any], context: dict[str, Any], **_: Any) -> dict[str, Any]:
    tables = params["RequestItems"]
    members = {key: _encode(value) for key, value in params.items() if key != "RequestItems"}
    reads = {table: _with_list(request, "Keys") for table, request in tables.items()}
    context["body"] = _object(members | {"RequestItems": _object(reads)})
    # The rules that choose the endpoint look at the tables' names.
    return {"RequestItems": {table: {} for table in tables}}


_ENCODERS = {"BatchExecuteStatement": _encode_statements, "BatchGetItem": _encode_reads}


def _send_encoded(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    params["body"] = context.pop("body").encode()


def _read_plain(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    """Read an answer that carries no binary value; botocore does errors and all others."""
    body = response_dict["body"]
    if response_dict["status_code"] != 200 or b'"B"' in body or b'"BS"' in body:
        return
    try:
        customized_response_dict.update(json.loads(body))
    except ValueError:
        return
    response_dict["body"] = b"{}"
