"""Counts clicks, from the stream of the clicks table. Any of them may come twice."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from functions.unlink.clock import Deadline
from functions.unlink.procedures.tally import tally
from functions.unlink.settings import setting
from functions.unlink.stores.client import client
from functions.unlink.stores.failures import FailuresBucket
from functions.unlink.stores.rollups import RollupsTable
from functions.unlink.stores.secrets import secret

#: What is kept of the invocation's time for the answer, in seconds.
MARGIN = 5.0

log = Logger()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A batch of the stream; answers ``batchItemFailures`` with the first record to try again.

    Lambda goes on from the lowest number (Developer Guide, "Configuring partial batch response
    with DynamoDB and Lambda"), so what comes after it is delivered again, counted or not.
    """
    failed = tally(
        event["Records"],
        rollups=RollupsTable(
            client("dynamodb"), clicks=setting("CLICKS_TABLE"), links=setting("LINKS_TABLE")
        ),
        failures=None
        if event.get("replayed")
        else FailuresBucket(
            client("s3"), setting("FAILURES_BUCKET"), function=context.invoked_function_arn
        ),
        visitor_secret=secret(setting("VISITOR_SECRET_ARN")),
        deadline=Deadline(context.get_remaining_time_in_millis() / 1000 - MARGIN),
    )
    log.info("tally", extra={"clicks": len(event["Records"]), "failed": len(failed)})
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed[:1]]}
