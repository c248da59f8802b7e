"""A client for one command, from its settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from unlink_client.cli.settings import load
from unlink_client.cli.terminal import say
from unlink_client.retries import Retries, Wait
from unlink_client.sync.client import Unlink

#: A command waits longer than a program should: ten minutes of rate limits.
_RETRIES = Retries(attempts=6, max_wait=600.0)


@contextmanager
def connected(context: typer.Context) -> Iterator[Unlink]:
    """The client of this command's service and key; ``context.obj`` is the profile's name."""
    settings = load(context.obj)
    if settings.overridden:
        names = " and ".join(settings.overridden)
        say(f"The environment has another {names} than the {settings.source}, and is used.")
    with Unlink(settings.url, settings.key, retries=_RETRIES, on_wait=_say_wait) as unlink:
        yield unlink


def _say_wait(wait: Wait) -> None:
    # A short pause needs no message.
    if wait.rate_limited or wait.seconds >= 1:
        say(f"{wait.reason[0].upper()}{wait.reason[1:]}: trying again in {wait.seconds:.0f} s")
