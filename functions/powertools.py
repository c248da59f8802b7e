"""Powertools' logger, without the tracer, the metrics and the JMESPath that come with it.

The package imports all of them, which takes a tenth of the start of an API function.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from functions.deferred_imports import Names, deferred


def _parameters(of: Any) -> SimpleNamespace:
    """What the package asks ``inspect`` for, once: the names of its formatter's parameters."""
    code = of.__init__.__code__
    return SimpleNamespace(args=list(code.co_varnames[: code.co_argcount]))


#: What the package imports at its start and no function uses, with the names that it binds.
#: ``metrics`` imports the writer of metrics when there is something to write.
UNUSED: dict[str, Names] = {
    "inspect": {"getfullargspec": _parameters},
    "aws_lambda_powertools.metrics": ("Metrics", "single_metric"),
    "aws_lambda_powertools.tracing": ("Tracer",),
    "aws_lambda_powertools.utilities.jmespath_utils": (),
}

with deferred(UNUSED):
    from aws_lambda_powertools import PACKAGE_PATH, Logger

__all__ = ["PACKAGE_PATH", "Logger"]
