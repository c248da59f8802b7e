"""Settings: what the stack tells a function through its environment, read once, by name."""

from __future__ import annotations

import os
from functools import cache


@cache
def setting(name: str) -> str:
    """The environment variable ``name``; a missing one is a deployment fault, said by name."""
    try:
        return os.environ[name]
    except KeyError:
        raise RuntimeError(f"the function's environment has no {name}") from None


@cache
def optional_setting(name: str, default: str = "") -> str:
    """Like :func:`setting`, for what a stage may leave out."""
    return os.environ.get(name, default)
