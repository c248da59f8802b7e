"""Function versions that fail on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.smoke.stage import Smoke


@contextmanager
def broken(smoke: Smoke, function: str) -> Iterator[str]:
    """A new version that fails at every call; afterwards the function is restored."""
    functions, before = smoke.client("lambda"), version_of(smoke, function)
    settings = functions.get_function_configuration(FunctionName=function)["Environment"]
    try:
        _configure(smoke, function, {"Variables": {"STAGE": smoke.stage}})
        version = str(functions.publish_version(FunctionName=function)["Version"])
        waiter = functions.get_waiter("published_version_active")
        waiter.wait(FunctionName=function, Qualifier=version)
        yield version
    finally:
        if version_of(smoke, function) != before:
            move_alias(smoke, function, before)
        _configure(smoke, function, {"Variables": settings["Variables"]})


def _configure(smoke: Smoke, function: str, environment: dict[str, Any]) -> None:
    functions = smoke.client("lambda")
    functions.update_function_configuration(FunctionName=function, Environment=environment)
    functions.get_waiter("function_updated_v2").wait(FunctionName=function)


def version_of(smoke: Smoke, function: str) -> str:
    alias = smoke.client("lambda").get_alias(FunctionName=function, Name="live")
    return str(alias["FunctionVersion"])


def move_alias(smoke: Smoke, function: str, version: str) -> None:
    smoke.client("lambda").update_alias(FunctionName=function, Name="live", FunctionVersion=version)
