"""Retries AWS calls and translates their errors.

botocore's own retries are off. A batch must retry only its failed statements, and all retries must
stop at the invocation's deadline; botocore supports neither.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from functions import metrics
from functions.domain.clock import Deadline, current_deadline
from functions.domain.errors import InternalError, Unavailable, UnlinkError

#: Error codes after which the same call may succeed: the SDK's list (botocore/retries/special.py
#: and standard.py) and those of batch statements, which have no "Exception" suffix (API reference,
#: BatchStatementError).
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

#: Those of :data:`RETRYABLE` that mean a busy table, index or partition.
_THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
    }
)

#: First and longest pause of the full-jitter back-off, in seconds.
BACKOFF_BASE = 0.05

BACKOFF_CAP = 2.0

#: Calls for which DynamoDB reports capacity have one of these parameters. The second set are reads.
_METERED = frozenset({"TableName", "RequestItems", "TransactItems"})

_READS = frozenset({"get_item", "query", "batch_get_item"})

_Batch = TypeVar("_Batch")


class ConditionFailed(Exception):
    """The condition of a write failed. ``item`` is the current item; {} if there is none."""

    def __init__(self, item: dict[str, Any]) -> None:
        super().__init__("the condition of the write was not met")
        self.item = item


class TransactionCancelled(Exception):
    """A transaction did not apply; ``reasons`` has one entry per action, in order."""

    def __init__(self, reasons: list[dict[str, Any]]) -> None:
        codes = ", ".join(reason.get("Code", "None") for reason in reasons)
        super().__init__(f"the transaction was cancelled: {codes}")
        self.reasons = reasons

    @property
    def refused(self) -> list[bool]:
        """For each action, whether its condition failed."""
        return [reason.get("Code") == "ConditionalCheckFailed" for reason in self.reasons]

    @property
    def retryable(self) -> bool:
        """True if the only reasons were conflicts and throttling."""
        codes = {reason.get("Code", "None") for reason in self.reasons} - {"None"}
        return bool(codes) and codes <= RETRYABLE


def is_retryable(error: Exception) -> bool:
    """Whether the same call may succeed later; true for connection errors."""
    if isinstance(error, ClientError):
        return error.response["Error"].get("Code", "") in RETRYABLE or _status(error) >= 500
    return isinstance(error, BotoConnectionError | HTTPClientError)


def is_throttled(error: UnlinkError) -> bool:
    """Whether :func:`call` raised this error because DynamoDB throttled the request."""
    cause = error.__cause__
    return isinstance(cause, ClientError) and cause.response["Error"].get("Code") in _THROTTLED


def backoff(attempt: int, until: Deadline | None = None) -> bool:
    """Sleep with full jitter before attempt ``attempt`` (from 1); False if time is too short.

    ``until`` is the current deadline, for callers that looked it up before their first attempt.
    """
    pause = random.uniform(0, min(BACKOFF_CAP, BACKOFF_BASE * 2**attempt))
    if (until or current_deadline()).remaining() <= pause:
        return False
    time.sleep(pause)
    return True


def until_done(send: Callable[[_Batch], _Batch], batch: _Batch) -> None:
    """Call ``send`` with a batch, then with what it returns as left, until nothing is left.

    Raises ``Unavailable`` if that is not so at the current deadline.
    """
    attempt = 0
    while batch:
        batch = send(batch)
        attempt += 1
        if batch and not backoff(attempt):
            raise Unavailable


def call(operation: Callable[..., Any], **parameters: Any) -> Any:
    """Call AWS until it answers, a condition fails, or the current deadline passes.

    The only place that translates AWS errors. Raises :class:`ConditionFailed`,
    :class:`TransactionCancelled`, ``Unavailable`` (retries used up), ``InternalError`` (permanent
    errors: permissions, a missing table, a malformed call).
    """
    return _call(operation, parameters, is_retryable)


def call_at_most_once(operation: Callable[..., Any], **parameters: Any) -> Any:
    """:func:`call` for what must not be applied twice: it repeats only calls that AWS refused.

    Raises ``Unavailable`` also after an error that does not say whether the call was applied.
    """
    return _call(operation, parameters, _is_refused)


def may_still_apply(error: Exception) -> bool:
    """Whether AWS may still carry out the call for which :func:`call` raised this error."""
    cause = error.__cause__
    if isinstance(cause, ClientError):
        # Another attempt of the same transaction is being applied, or AWS has not refused the call.
        in_progress = cause.response["Error"].get("Code") == "TransactionInProgressException"
        return in_progress or _status(cause) >= 500
    return cause is not None


def _is_refused(error: Exception) -> bool:
    """Whether a retryable error says that nothing was applied; a 5xx or a timeout does not."""
    if not isinstance(error, ClientError) or not is_retryable(error):
        return False
    return _status(error) < 500


def _status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _call(
    operation: Callable[..., Any],
    parameters: dict[str, Any],
    repeats: Callable[[Exception], bool],
) -> Any:
    if not _METERED.isdisjoint(parameters):
        parameters["ReturnConsumedCapacity"] = "TOTAL"
    until, attempt = current_deadline(), 0
    while True:
        try:
            response = operation(**parameters)
        except (ClientError, BotoConnectionError, HTTPClientError) as error:
            failure = _translate(error)
            if not repeats(error) and not (
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
            note_capacity(operation, response)
            return response


def note_capacity(operation: Callable[..., Any], response: Any) -> None:
    """Add the capacity that DynamoDB reports for a call to the invocation's sum, for its log
    line.
    """
    reported = response.get("ConsumedCapacity") if isinstance(response, dict) else None
    if reported:
        each = reported if isinstance(reported, list) else [reported]
        units = sum(one.get("CapacityUnits", 0.0) for one in each)
        if getattr(operation, "__name__", "") in _READS:
            metrics.consumed(reads=units)
        else:
            metrics.consumed(writes=units)


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
