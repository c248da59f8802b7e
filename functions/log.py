"""Logging for the function that must start fastest: the standard library's, as JSON lines.

On Lambda the runtime formats the records, ``extra`` members included, and ignores the handler
here (awslambdaric/lambda_runtime_log_utils.py). It writes its own invocation id as ``requestId``,
so the gateway's id has another name. Importing Powertools would take a third of the redirect's
cold start.
"""

from __future__ import annotations

import json
import logging
import os
from contextvars import ContextVar

from functions.domain.clock import iso

# Neither Lambda nor the formatter here writes threads and processes (Python's logging HOWTO,
# "Optimization").
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False

_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

_gateway_request_id: ContextVar[str | None] = ContextVar("gateway_request_id", default=None)


class _RequestFields(logging.Filter):
    """Adds to each record which service wrote it, and for which request."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.service = os.environ.get("POWERTOOLS_SERVICE_NAME", "unlink")
        record.gatewayRequestId = _gateway_request_id.get()
        return True


# The members are plain values: looking for circular references takes a third of the time.
_encode = json.JSONEncoder(default=str, check_circular=False).encode


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "level": record.levelname,
            "message": record.getMessage(),
            "timestamp": iso(record.created),
        } | {name: value for name, value in vars(record).items() if name not in _KNOWN}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line)


def logger() -> logging.Logger:
    """The ``unlink`` logger; its level is ``POWERTOOLS_LOG_LEVEL``, as in the other functions."""
    found = logging.getLogger("unlink")
    found.setLevel(os.environ.get("POWERTOOLS_LOG_LEVEL", "INFO"))
    if not any(isinstance(each, _RequestFields) for each in found.filters):
        found.addFilter(_RequestFields())
    if not found.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(_JsonLines())
        found.addHandler(handler)
    return found


def set_gateway_request_id(request_id: str) -> None:
    """Name the request in every line that this invocation writes from now on.

    It is the ``X-Request-Id`` of the response.
    """
    _gateway_request_id.set(request_id)
