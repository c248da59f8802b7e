"""Query parameters: the known names of a route, and integers."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from functions.domain.error_texts import shortened
from functions.domain.errors import InvalidRequest

#: Most digits of an integer: int() of very long text is slow, and raises for thousands of digits.
_DIGITS = re.compile(r"[0-9]{1,9}")


def parameters_of(event: Mapping[str, Any], known: Collection[str]) -> dict[str, str]:
    """The query parameters of a gateway event, each known and given once.

    Ignoring unknown parameters would turn a misspelled ``dryRun`` into a real delete. Raises
    ``InvalidRequest`` that names the parameter.
    """
    parameters: dict[str, str] = event.get("queryStringParameters") or {}
    if unknown := parameters.keys() - set(known):
        raise InvalidRequest(f"Unknown parameter: {shortened(min(unknown))}")
    # The gateway's plain mapping has only the last value of each.
    every: dict[str, list[str]] = event.get("multiValueQueryStringParameters") or {}
    if repeated := [name for name, values in every.items() if len(values) > 1]:
        raise InvalidRequest(f"Parameter given more than once: {shortened(min(repeated))}")
    return parameters


def parse_bool_param(text: str | None, name: str) -> bool:
    """``true`` or ``false``, which is the default; raises ``InvalidRequest``."""
    if text not in (None, "true", "false"):
        raise InvalidRequest(f"{name} must be true or false")
    return text == "true"


def parse_int_param(
    text: str | None, name: str, *, default: int, maximum: int, least: int = 1
) -> int:
    """A query parameter from ``least`` to ``maximum``; raises ``InvalidRequest``."""
    if text is None:
        return default
    if not _DIGITS.fullmatch(text) or not least <= int(text) <= maximum:
        raise InvalidRequest(f"{name} must be an integer from {least} to {maximum}")
    return int(text)
