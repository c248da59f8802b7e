"""`login`."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from unlink_client.calls import base_url_of, key_of
from unlink_client.cli.exits import USAGE, CommandError
from unlink_client.cli.settings import store
from unlink_client.cli.terminal import ask, say
from unlink_client.sync.client import Unlink

#: Characters of a key that arrives on standard input. A session token is the longest.
_MAX_KEY = 8_192


def login(
    context: typer.Context,
    *,
    url: Annotated[
        str | None, typer.Option(help="URL of the service; asked for unless given.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Name of the profile.")] = None,
    keyring: Annotated[
        bool, typer.Option("--keyring", help="Keep the key in the keyring, not in a file.")
    ] = False,
) -> None:
    """Store the URL of a service and an API key, which is asked for or read from stdin.

    unlinkctl login --url https://go.example.com

    unlinkctl login --profile acme --url https://go.acme.example < key.txt
    """
    name = profile or context.obj or "default"
    address = base_url_of(url or ask("URL of the service:", instead="Give --url."))
    key = key_of(_read_key())
    with Unlink(address, key) as unlink:
        me = unlink.me()
    path = store(name, address, key, in_keyring=keyring)
    say(
        f"Profile {name}: workspace {me.workspace_id} ({me.plan.name} plan) at {address}, "
        f"with {', '.join(me.scopes) or 'no scopes'}"
    )
    say(f"Stored in {path}" + (", the key in the keyring" if keyring else ""))


def _read_key() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline(_MAX_KEY)
    try:
        return getpass.getpass("API key (it is not shown): ", stream=sys.stderr)
    except (EOFError, OSError):
        raise CommandError("No key was given", code=USAGE) from None
