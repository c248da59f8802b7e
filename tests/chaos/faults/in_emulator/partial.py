"""Batches that DynamoDB, SQS, EventBridge and S3 execute in part."""

from __future__ import annotations

import random
from typing import Any
from xml.etree import ElementTree as ET

from .refusals import throttled_table
from .wire import EMPTY, Exchange, Response

#: DynamoDB's codes of a statement of a batch that may be repeated (API reference,
#: BatchStatementError).
STATEMENT_CODES = (
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
    "TransactionConflict",
    "InternalServerError",
)

DELETE_OBJECTS = "DeleteObjects"

BATCHES = frozenset(
    (
        *("BatchGetItem", "BatchWriteItem", "BatchExecuteStatement"),
        *("SendMessageBatch", "PutEvents", DELETE_OBJECTS),
    )
)

#: S3's codes of an object of a batch that may be repeated (Amazon S3 API Reference, "Error
#: responses").
OBJECT_CODES = ("InternalError", "SlowDown", "ServiceUnavailable")

_S3 = "{http://s3.amazonaws.com/doc/2006-03-01/}"


async def in_part(operation: str, exchange: Exchange, dice: random.Random) -> Response:
    """Execute a part of a batch; the response reports the others as AWS does."""
    if operation == DELETE_OBJECTS:
        return await _objects(exchange, dice)
    request = exchange.json()
    if operation == "BatchExecuteStatement":
        return await _statements(request, exchange, dice)
    if operation == "SendMessageBatch":
        return await _messages(request, exchange, dice)
    if operation == "PutEvents":
        return await _events(request, exchange, dice)
    return await _items(operation, request, exchange, dice)


def _split(count: int, dice: random.Random) -> set[int]:
    """Which of `count` members are left out: at least one."""
    return set(dice.sample(range(count), dice.randint(1, count)))


async def _items(
    operation: str, request: dict[str, Any], exchange: Exchange, dice: random.Random
) -> Response:
    """``BatchGetItem`` and ``BatchWriteItem``: at least one member is carried out.

    A batch that DynamoDB cannot even begin is throttled as a whole (API reference, BatchGetItem:
    "If none of the items can be processed").
    """
    reads = operation == "BatchGetItem"
    wanted: dict[str, Any] = request["RequestItems"]
    members = [
        (table, member)
        for table, asked in wanted.items()
        for member in (asked["Keys"] if reads else asked)
    ]
    if len(members) == 1:
        return throttled_table(dice)
    left_out = set(dice.sample(range(len(members)), dice.randint(1, len(members) - 1)))

    def only(numbers: set[int]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for number in sorted(numbers):
            table, member = members[number]
            if reads:
                found.setdefault(table, wanted[table] | {"Keys": []})["Keys"].append(member)
            else:
                found.setdefault(table, []).append(member)
        return found

    done = set(range(len(members))) - left_out
    response = await exchange.carry_out(request | {"RequestItems": only(done)})
    if response.status != 200:
        return response
    body = response.json()
    unprocessed = body.setdefault("UnprocessedKeys" if reads else "UnprocessedItems", {})
    for table, asked in only(left_out).items():
        if table not in unprocessed:
            unprocessed[table] = asked
        elif reads:
            unprocessed[table]["Keys"] += asked["Keys"]
        else:
            unprocessed[table] += asked
    return response.with_json(body)


async def _statements(request: dict[str, Any], exchange: Exchange, dice: random.Random) -> Response:
    """Some statements fail. After an ``InternalServerError`` one may have been applied."""
    statements = request["Statements"]
    failed = {
        number: dice.choice(STATEMENT_CODES) for number in sorted(_split(len(statements), dice))
    }
    applied = {
        number
        for number, code in failed.items()
        if code == "InternalServerError" and dice.random() < 0.5
    }
    done = [n for n in range(len(statements)) if n not in failed or n in applied]
    responses: dict[int, Any] = {}
    response = EMPTY
    body: dict[str, Any] = {}
    if done:
        response = await exchange.carry_out(
            request | {"Statements": [statements[number] for number in done]}
        )
        if response.status != 200:
            return response
        body = response.json()
        responses = dict(zip(done, body["Responses"], strict=True))
    for number, code in failed.items():
        responses[number] = {"Error": {"Code": code, "Message": "Try this statement again."}}
    body["Responses"] = [responses[number] for number in range(len(statements))]
    return response.with_json(body)


async def _messages(request: dict[str, Any], exchange: Exchange, dice: random.Random) -> Response:
    """Some messages of a batch are not stored."""
    entries = request["Entries"]
    failed = _split(len(entries), dice)
    stored = [entry for number, entry in enumerate(entries) if number not in failed]
    response = EMPTY
    body: dict[str, Any] = {"Successful": []}
    if stored:
        response = await exchange.carry_out(request | {"Entries": stored})
        if response.status != 200:
            return response
        body = response.json()
    body["Failed"] = body.get("Failed", []) + [
        {
            "Id": entries[number]["Id"],
            "Code": "InternalError",
            "Message": "Try this message again.",
            "SenderFault": False,
        }
        for number in sorted(failed)
    ]
    return response.with_json(body)


async def _events(request: dict[str, Any], exchange: Exchange, dice: random.Random) -> Response:
    """Some events of a batch are not stored."""
    entries = request["Entries"]
    failed = _split(len(entries), dice)
    stored = [number for number in range(len(entries)) if number not in failed]
    refused = {"ErrorCode": "ThrottlingException", "ErrorMessage": "Try this event again."}
    results: dict[int, Any] = dict.fromkeys(failed, refused)
    response, body = EMPTY, {}
    if stored:
        response = await exchange.carry_out(
            request | {"Entries": [entries[number] for number in stored]}
        )
        if response.status != 200:
            return response
        body = response.json()
        results |= zip(stored, body["Entries"], strict=True)
    body["Entries"] = [results[number] for number in range(len(entries))]
    body["FailedEntryCount"] = len(failed) + body.get("FailedEntryCount", 0)
    return response.with_json(body)


async def _objects(exchange: Exchange, dice: random.Random) -> Response:
    """Some objects are not deleted. After an ``InternalError`` one may be deleted in spite of the
    error.

    The status is 200 (Amazon S3 API Reference, DeleteObjects).
    """
    request = ET.fromstring(exchange.body)
    objects = request.findall(f"{_S3}Object")
    failed = {number: dice.choice(OBJECT_CODES) for number in sorted(_split(len(objects), dice))}
    for number, code in failed.items():
        if code != "InternalError" or dice.random() < 0.5:
            request.remove(objects[number])
    ET.register_namespace("", _S3.strip("{}"))
    result = ET.Element(f"{_S3}DeleteResult")
    response = Response(200, [(b"content-type", b"application/xml")], b"")
    if request.find(f"{_S3}Object") is not None:
        response = await exchange.carry_out(ET.tostring(request))
        if response.status != 200:
            return response
        result = ET.fromstring(response.body)
    _report(
        result, {objects[number].findtext(f"{_S3}Key"): code for number, code in failed.items()}
    )
    body = ET.tostring(result, encoding="utf-8", xml_declaration=True)
    return response.with_body(body)


def _report(result: ET.Element, codes: dict[str | None, str]) -> None:
    """Name these keys as failed, and not as deleted, in the result of a ``DeleteObjects`` call."""
    for deleted in result.findall(f"{_S3}Deleted"):
        if deleted.findtext(f"{_S3}Key") in codes:
            result.remove(deleted)
    for key, code in codes.items():
        error = ET.SubElement(result, f"{_S3}Error")
        for name, value in (("Key", key), ("Code", code), ("Message", "Delete it again.")):
            ET.SubElement(error, f"{_S3}{name}").text = value
