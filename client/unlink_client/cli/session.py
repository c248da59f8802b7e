"""A client for one command, from its settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import typer

from unlink_client.cli.settings import load
from unlink_client.cli.terminal import say
from unlink_client.retries import Retries, Wait
from unlink_client.sync.client import Unlink

#: A command waits longer than a program should: ten minutes of rate limits.
_RETRIES = Retries(attempts=6, max_wait=600.0)


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """The options before the command's name."""

    profile: str | None = None


def options_of(context: typer.Context) -> GlobalOptions:
    """The options before the command's name."""
    found = context.obj
    return found if isinstance(found, GlobalOptions) else GlobalOptions()


@contextmanager
def connected(context: typer.Context) -> Iterator[Unlink]:
    """The client of this command's service and key."""
    settings = load(options_of(context).profile)
    if settings.overridden:
        names = " and ".join(settings.overridden)
        say(f"The environment has another {names} than the {settings.source}, and is used.")
    with Unlink(settings.url, settings.key, retries=_RETRIES, on_wait=_say_wait) as unlink:
        yield unlink


def _say_wait(wait: Wait) -> None:
    # A short pause needs no message.
    if wait.rate_limited or wait.seconds >= 1:
        say(f"{wait.reason[0].upper()}{wait.reason[1:]}: trying again in {wait.seconds:.0f} s")
