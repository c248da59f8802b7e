"""The AWS clients, tuned once, and how a call is retried and its errors are translated.

botocore's own retries are off: a batch must retry only its failed statements, and all retries
must stop at the invocation's deadline, neither of which botocore can know.
"""

from __future__ import annotations

import random
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import Any, TypeVar

import botocore
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.session import get_session

from functions import metrics
from functions.aws.fast_json import use_plain_json
from functions.domain.clock import Deadline, current_deadline
from functions.domain.errors import InternalError, Unavailable

#: Parallel calls of one invocation; the connection pool has as many places.
THREADS = 16

#: Seconds that a connection and an answer may take. Together they are what one call can hang: less
#: than what every function keeps back for its last words, so that one such call, begun just before
#: the deadline, gets no invocation killed. Where people wait for no more than an answer, both are
#: shorter.
CONNECT_TIMEOUT, READ_TIMEOUT = 1.0, 3.0
BRIEF_CONNECT_TIMEOUT, BRIEF_READ_TIMEOUT = 0.5, 1.0

#: Error codes after which the same call may succeed: the SDK's list (botocore/retries/special.py
#: and standard.py) and those of batch statements, which are spelt without "Exception"
#: (API reference, BatchStatementError).
RETRYABLE = frozenset(
    {
        "InternalServerError",
        "InternalFailure",
        "ServiceUnavailable",
        "LimitExceededException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
        "RequestThrottled",
    }
)

#: First and longest pause of the full-jitter back-off, in seconds.
BACKOFF_BASE = 0.05
BACKOFF_CAP = 2.0


#: The calls whose capacity DynamoDB reports have one of these parameters; of them, these read.
_METERED = frozenset({"TableName", "RequestItems", "TransactItems"})
_READS = frozenset({"get_item", "query", "batch_get_item"})


class ConditionFailed(Exception):
    """A conditional write met another state; ``item`` is what was there, {} for nothing."""

    def __init__(self, item: dict[str, Any]) -> None:
        super().__init__("the conditional write met another state")
        self.item = item


class TransactionCancelled(Exception):
    """A transaction did not apply; ``reasons`` has one entry per action, in order."""

    def __init__(self, reasons: list[dict[str, Any]]) -> None:
        codes = ", ".join(reason.get("Code", "None") for reason in reasons)
        super().__init__(f"the transaction was cancelled: {codes}")
        self.reasons = reasons

    @property
    def refused(self) -> list[bool]:
        """Of each action, whether its condition did not hold."""
        return [reason.get("Code") == "ConditionalCheckFailed" for reason in self.reasons]

    @property
    def retryable(self) -> bool:
        """True when only conflicts and throttling stood in the way."""
        codes = {reason.get("Code", "None") for reason in self.reasons} - {"None"}
        return bool(codes) and codes <= RETRYABLE


#: S3 clients otherwise sign URLs the old way, and for the global host: a URL that is signed for
#: another region is redirected there and refused (boto3 issue 2187). With an IP address as the
#: endpoint botocore keeps the bucket in the path. Without the last setting, parts of an upload
#: carry a CRC32 that the upload was not created with.
_S3: dict[str, Any] = {
    "signature_version": "s3v4",
    "s3": {"addressing_style": "virtual"},
    "request_checksum_calculation": "when_required",
}


@cache
def client(
    service: str, *, connect_timeout: float | None = None, read_timeout: float | None = None
) -> Any:
    """One client per service and process; timeouts in seconds.

    ``parameter_validation=False``: what is sent is built here, not by callers, and validation is
    a third of the client CPU of a batch. Timeouts are short because a call that hangs is retried.
    botocore's session and not boto3: importing boto3 (its S3 transfer manager) takes as long again.
    ``user_agent``: botocore's own is put together anew for each request, twice.
    """
    made = get_session().create_client(
        service,
        config=Config(
            parameter_validation=False,
            max_pool_connections=THREADS,
            connect_timeout=connect_timeout or CONNECT_TIMEOUT,
            read_timeout=read_timeout or READ_TIMEOUT,
            retries={"total_max_attempts": 1},
            tcp_keepalive=True,
            **(_S3 if service == "s3" else {}),
            user_agent=f"unlink Botocore/{botocore.__version__}",
        ),
    )
    if service == "dynamodb":
        use_plain_json(made)
    return made


def low_latency_client(service: str) -> Any:
    """:func:`client` for functions whose whole answer is a wait: the redirect, the authorizer."""
    return client(service, connect_timeout=BRIEF_CONNECT_TIMEOUT, read_timeout=BRIEF_READ_TIMEOUT)


def is_retryable(error: Exception) -> bool:
    """Whether the same call may succeed later; connection faults included."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error.response["Error"].get("Code", "") in RETRYABLE or status >= 500
    return isinstance(error, BotoConnectionError | HTTPClientError)


def backoff(attempt: int, until: Deadline | None = None) -> bool:
    """Sleep with full jitter before attempt ``attempt`` (from 1); False if time is too short.

    ``until`` is the current deadline, for callers that looked it up before their first attempt.
    """
    pause = random.uniform(0, min(BACKOFF_CAP, BACKOFF_BASE * 2**attempt))
    if (until or current_deadline()).remaining() <= pause:
        return False
    time.sleep(pause)
    return True


def call(operation: Callable[..., Any], **parameters: Any) -> Any:
    """Call AWS until it answers, a condition fails, or the current deadline passes.

    The one place where AWS errors become ours. Raises :class:`ConditionFailed`,
    :class:`TransactionCancelled`, ``Unavailable`` (retries used up), ``InternalError``
    (anything that a retry cannot mend: permissions, a missing table, a malformed call).
    """
    if not _METERED.isdisjoint(parameters):
        parameters["ReturnConsumedCapacity"] = "TOTAL"
    until, attempt = current_deadline(), 0
    while True:
        try:
            answer = operation(**parameters)
        except (ClientError, BotoConnectionError, HTTPClientError) as error:
            failure = _translate(error)
            if not is_retryable(error) and not (
                isinstance(failure, TransactionCancelled) and failure.retryable
            ):
                raise failure from error
            attempt += 1
            metrics.count("ThrottledStatements")
            if not backoff(attempt, until):
                if isinstance(failure, TransactionCancelled):
                    raise Unavailable from error
                raise failure from error
        else:
            note_capacity(operation, answer)
            return answer


def note_capacity(operation: Callable[..., Any], answer: Any) -> None:
    """Add what DynamoDB says that a call cost to the invocation's sum, for its log line."""
    reported = answer.get("ConsumedCapacity") if isinstance(answer, dict) else None
    if reported:
        each = reported if isinstance(reported, list) else [reported]
        units = sum(one.get("CapacityUnits", 0.0) for one in each)
        if getattr(operation, "__name__", "") in _READS:
            metrics.consumed(reads=units)
        else:
            metrics.consumed(writes=units)


def read_item(client: Any, table: str, key: dict[str, Any], **more: Any) -> dict[str, Any] | None:
    """``GetItem``, strongly consistent; None when there is no such item."""
    item: dict[str, Any] | None = call(
        client.get_item, TableName=table, Key=key, ConsistentRead=True, **more
    ).get("Item")
    return item


def batch_get(client: Any, wanted: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """``BatchGetItem`` of at most 100 keys: (table, item) of each that is there.

    ``wanted`` has keys and options by table. Raises ``Unavailable`` when some stay unread.
    """
    attempt = 0
    while wanted:
        answer = call(client.batch_get_item, RequestItems=wanted)
        for table, items in answer["Responses"].items():
            yield from ((table, item) for item in items)
        wanted = answer.get("UnprocessedKeys") or {}
        attempt += 1
        if wanted and not backoff(attempt):
            raise Unavailable


def query(client: Any, table: str, **parameters: Any) -> Iterator[dict[str, Any]]:
    """The items of a ``Query``; another page is read only when one more item is asked for."""
    while True:
        answer = call(client.query, TableName=table, **parameters)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        parameters["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def transact(client: Any, actions: list[dict[str, Any]], *, token: str | None = None) -> None:
    """``TransactWriteItems`` of at most 100 actions; all apply or none.

    The token (kept by DynamoDB for ten minutes) makes a retry after a lost answer harmless.
    Raises :class:`TransactionCancelled` with the reason of every action.
    """
    call(
        client.transact_write_items,
        TransactItems=actions,
        ClientRequestToken=token or str(uuid.uuid4()),
    )


def update(
    client: Any,
    table: str,
    key: dict[str, Any],
    expression: str,
    *,
    condition: str,
    values: dict[str, Any],
) -> dict[str, Any] | None:
    """``UpdateItem`` on a condition: None when it applied, else the item that was met ({}: none).

    In both expressions ``#name`` stands for the attribute ``name``. A call whose answer was lost
    may meet its own item when it is sent again: the caller must recognise it.
    """
    names = {f"#{name}": name for name in re.findall(r"#(\w+)", f"{expression} {condition}")}
    try:
        call(
            client.update_item,
            TableName=table,
            Key=key,
            UpdateExpression=expression,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            **({"ExpressionAttributeNames": names} if names else {}),
        )
    except ConditionFailed as failed:
        return failed.item
    return None


@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="unlink")


_Part = TypeVar("_Part")
_Result = TypeVar("_Result")


def in_parallel(work: Callable[[_Part], _Result], parts: Sequence[_Part]) -> list[_Result]:
    """``work`` over ``parts`` on at most 16 threads, results in order; not to be nested.

    The threads live as long as the process, as its connections do. A lone part needs none. After
    an error no new part is begun.
    """
    if len(parts) == 1:
        return [work(parts[0])]
    results: list[Any] = [None] * len(parts)
    # Each thread takes the next number until there is none: `next` of a range is one step of the
    # interpreter. A future for each part would cost a tenth of the processor time of a delete.
    numbers = iter(range(len(parts)))

    def take() -> None:
        try:
            for number in numbers:
                results[number] = work(parts[number])
        except BaseException:
            for _ in numbers:
                pass
            raise

    # A copy of the context for each thread: a context runs in one thread at a time. The threads
    # see the deadline of this call, and not one of an earlier call.
    contexts = [copy_context() for _ in range(min(THREADS, len(parts)))]
    list(_workers().map(lambda context: context.run(take), contexts))
    return results


def run_with_timeout(seconds: float, work: Callable[[], _Result]) -> _Result:
    """The result of ``work``, for callers that must not wait longer for it.

    A deadline stops retries, but not a call that hangs until its read timeout; that call goes on
    unseen here. Raises ``Unavailable``.
    """
    try:
        return _workers().submit(copy_context().run, work).result(seconds)
    except TimeoutError:
        raise Unavailable from None


def _translate(error: Exception) -> Exception:
    if isinstance(error, ClientError):
        code = error.response["Error"].get("Code", "")
        if code == "ConditionalCheckFailedException":
            return ConditionFailed(error.response.get("Item", {}))  # type: ignore[arg-type]
        if code == "TransactionCanceledException":
            return TransactionCancelled(
                error.response.get("CancellationReasons", [])  # type: ignore[arg-type]
            )
    return Unavailable() if is_retryable(error) else InternalError()
