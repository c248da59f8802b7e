"""Two shards of everything, for tests that let each call of a run fail.

Every shard is read by the same call with another number in it. With eight of them the same
fault is tried eight times.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from functools import cache

import pytest

import functions

_FEWER = {"SHARDS": 2, "PARTITIONS": 3, "OWN_PARTITION": 2, "OPEN_SHARDS": 2}


def use_two_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the end of the test, for every module that knows the number."""
    for module, constant in _places():
        monkeypatch.setattr(sys.modules[module], constant, _FEWER[constant])


@cache
def _places() -> list[tuple[str, str]]:
    """The modules that know a number, and its name there.

    All modules are imported first: one that is imported later would keep the smaller number.
    """
    for module in pkgutil.walk_packages(functions.__path__, "functions."):
        importlib.import_module(module.name)
    return [
        (name, constant)
        for name, loaded in sys.modules.items()
        if name.startswith("functions.")
        for constant in _FEWER
        if hasattr(loaded, constant)
    ]
