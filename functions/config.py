"""Settings of a function, read once from its environment variables."""

from __future__ import annotations

import os
from functools import cache


@cache
def setting(name: str) -> str:
    """The environment variable ``name``. Raises an error that names it if it is missing."""
    try:
        return os.environ[name]
    except KeyError:
        raise RuntimeError(f"the function's environment has no {name}") from None


@cache
def optional_setting(name: str, default: str = "") -> str:
    """Like :func:`setting`, for optional settings."""
    return os.environ.get(name, default)
