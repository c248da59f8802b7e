"""Errors of calls that a service refuses, or fails to answer, in the form of that service."""

from __future__ import annotations

import random
from typing import Any

from .wire import Exchange, Response, error

S3 = "S3"
SQS = "AmazonSQS"
DYNAMODB = "DynamoDB_20120810"


def refused(service: str, operation: str, exchange: Exchange, dice: random.Random) -> Response:
    """The service is too busy, and executes nothing."""
    if service == S3:
        return _s3_error("SlowDown", "Please reduce your request rate.", 503)
    if service == SQS:
        return error("RequestThrottled", "The request was throttled.")
    if service != DYNAMODB:
        return error("ThrottlingException", "Rate exceeded")
    if operation == "TransactWriteItems" and dice.random() < 0.5:
        return _cancelled(exchange.json(), dice)
    return throttled_table(dice)


def failed(service: str) -> Response:
    """The service does not know whether it has executed the call."""
    if service == S3:
        return _s3_error("InternalError", "We encountered an internal error.", 500)
    code = "InternalServerError" if service == DYNAMODB else "InternalFailure"
    return error(code, "The request failed.", 500)


def _s3_error(code: str, message: str, status: int) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    )
    return Response(status, [(b"content-type", b"application/xml")], body.encode())


def throttled_table(dice: random.Random) -> Response:
    """DynamoDB refuses a call: in turn, what a table and what an account answers."""
    code, text = dice.choice(
        (
            (
                "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
                "The level of configured provisioned throughput for the table was exceeded.",
            ),
            (
                "com.amazon.coral.availability#ThrottlingException",
                "Throughput exceeds the current capacity of your table or index.",
            ),
            (
                "com.amazonaws.dynamodb.v20120810#RequestLimitExceeded",
                "Throughput exceeds the current throughput limit for your account.",
            ),
        )
    )
    return error(code, text)


def _cancelled(request: dict[str, Any], dice: random.Random) -> Response:
    """A transaction that conflicts with another one."""
    reasons = [{"Code": "None"} for _ in request["TransactItems"]]
    reasons[dice.randrange(len(reasons))] = {
        "Code": "TransactionConflict",
        "Message": "Transaction is ongoing for the item",
    }
    codes = ", ".join(reason["Code"] for reason in reasons)
    return error(
        "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        CancellationReasons=reasons,
    )
