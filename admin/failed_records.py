"""`python -m admin.failed_records`: lists and replays failed stream records.

Lambda writes a batch that failed every time to the failures bucket. Functions write records there
that they cannot parse. `replay` sends each to its function again and removes the ones that succeed.
Replaying twice is safe.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from admin.commands import Refused
from admin.connection import client_maker, is_local, outputs_of

#: Bytes of records in one call, of the 6 MB that it may have (Lambda quotas, "Invocation payload").
EVENT_BYTES = 5_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 all done, 1 objects are left or it failed."""
    parser = argparse.ArgumentParser(prog="python -m admin.failed_records", description=__doc__)
    parser.add_argument("command", choices=["list", "replay"])
    parser.add_argument("--stage", default="local" if is_local() else "prod")
    parser.add_argument("--prefix", default="", help="only objects whose key begins so")
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except (Refused, ClientError, BotoCoreError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _run(options: argparse.Namespace) -> int:
    client = client_maker()
    bucket = outputs_of(f"Unlink-{options.stage}", client)["FailuresBucketName"]
    if options.command == "list":
        for key, failure in failures(client("s3"), bucket, options.prefix):
            sys.stdout.write(f"{key}\t{len(records_of(failure))} records\t{function_of(failure)}\n")
        return 0
    failed_count = 0
    for key, problem in replay(client, bucket, options.prefix):
        failed_count += problem is not None
        sys.stdout.write(f"{key}\t{problem or 'done'}\n")
    return 1 if failed_count else 0


def failures(s3: Any, bucket: str, prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """(key, content) of every object in the order of keys; {} for an unreadable one.

    One at a time: each may have 6 MB.
    """
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            yield entry["Key"], _object_of(body)


def replay(
    client: Callable[[str], Any], bucket: str, prefix: str = ""
) -> Iterator[tuple[str, str | None]]:
    """Send every object to its function; returns (key, error) of each, None if it succeeded.

    Only objects whose records all succeeded are removed.
    """
    s3, functions = client("s3"), client("lambda")
    for key, failure in failures(s3, bucket, prefix):
        problem = _replay_one(functions, failure)
        if problem is None:
            s3.delete_object(Bucket=bucket, Key=key)
        yield key, problem


def _replay_one(functions: Any, failure: dict[str, Any]) -> str | None:
    records, function = records_of(failure), function_of(failure)
    if not records or not function:
        return "it names no records or no function"
    failed = 0
    for event in _events(records):
        try:
            response = functions.invoke(FunctionName=function, Payload=event)
        except (ClientError, BotoCoreError) as error:
            return f"{function} could not be called: {error}"
        result = json.loads(response["Payload"].read() or b"null") or {}
        if response.get("FunctionError"):
            return f"{function} failed: {result.get('errorMessage', 'no message')}"
        failed += len(result.get("batchItemFailures", []))
    return f"{failed} of {len(records)} records failed" if failed else None


def _events(records: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    """The records as events below the payload limit: Lambda's own event may have had 6 MB."""
    waiting: list[bytes] = []
    for record in records:
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
        if waiting and sum(map(len, waiting)) + len(text) > EVENT_BYTES:
            yield _event(waiting)
            waiting = []
        waiting.append(text)
    yield _event(waiting)


def _event(records: Sequence[bytes]) -> bytes:
    return b'{"replayed":true,"Records":[' + b",".join(records) + b"]}"


def records_of(failure: dict[str, Any]) -> list[dict[str, Any]]:
    """The stream records of an invocation record (Lambda Developer Guide, "Retain discarded
    records for a DynamoDB event source": in S3 it has the whole event as ``payload``)."""
    payload = failure.get("payload")
    if isinstance(payload, str):
        payload = _object_of(payload)
    records = payload.get("Records") if isinstance(payload, dict) else None
    return records if isinstance(records, list) else []


def function_of(failure: dict[str, Any]) -> str:
    """The function that failed, by name or ARN."""
    context = failure.get("requestContext")
    return str(context.get("functionArn", "")) if isinstance(context, dict) else ""


def _object_of(text: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


if __name__ == "__main__":
    sys.exit(main())
