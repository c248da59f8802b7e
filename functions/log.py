"""Logging for the function that must start fastest: the standard library's, as JSON lines.

Lambda's own JSON log format already writes ``extra`` members; the handler here is for everywhere
else. Importing Powertools would take a third of the redirect's cold start.
"""

from __future__ import annotations

import json
import logging
import os

_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "level": record.levelname,
            "message": record.getMessage(),
            "timestamp": self.formatTime(record),
            "service": os.environ.get("POWERTOOLS_SERVICE_NAME", "unlink"),
        } | {name: value for name, value in vars(record).items() if name not in _KNOWN}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def logger() -> logging.Logger:
    """The ``unlink`` logger; its level is ``POWERTOOLS_LOG_LEVEL``, as in the other functions."""
    found = logging.getLogger("unlink")
    found.setLevel(os.environ.get("POWERTOOLS_LOG_LEVEL", "INFO"))
    if not found.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(_JsonLines())
        found.addHandler(handler)
    return found
