"""Whole tables of a local stack, without botocore's parser: it takes most of the time of a scan."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from functions.aws import fast_json
from local.emulator import client


def scan(endpoint: str, table: str, **more: Any) -> Iterator[dict[str, Any]]:
    """Every item of a table, or of an index, as boto3's client returns it."""
    for page in _paginator(endpoint).paginate(TableName=table, **more):
        yield from page["Items"]


@cache
def _paginator(endpoint: str) -> Any:
    dynamodb = client(endpoint, "dynamodb")
    for read in (fast_json.read_plain, _read_binary):
        dynamodb.meta.events.register("before-parse.dynamodb.Scan", read)
    return dynamodb.get_paginator("scan")


def _read_binary(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    """Parse a page with binary values. `read_plain` parses those without."""
    if response_dict["status_code"] == 200 and not customized_response_dict:
        page = json.loads(response_dict["body"])
        for item in page["Items"]:
            _decode(item)
        customized_response_dict.update(page)
        response_dict["body"] = b"{}"


def _decode(attributes: dict[str, Any]) -> None:
    """Replace the base64 of binary values by their bytes."""
    for value in attributes.values():
        [(kind, content)] = value.items()
        if kind == "B":
            value["B"] = base64.b64decode(content)
        elif kind == "BS":
            value["BS"] = [base64.b64decode(each) for each in content]
        elif kind == "M":
            _decode(content)
        elif kind == "L":
            for each in content:
                _decode({"": each})
