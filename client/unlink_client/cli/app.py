"""All commands, and their exit codes."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from unlink_client.cli import (
    commands_delete,
    commands_deletions,
    commands_import,
    commands_links,
    commands_login,
    commands_plan,
    commands_verify,
)
from unlink_client.cli.exits import ERROR, INTERRUPTED, CommandError, command_error
from unlink_client.cli.terminal import fail
from unlink_client.errors import UnlinkError
from unlink_client.version import __version__

app = typer.Typer(
    name="unlinkctl",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None if not sys.stdout.isatty() else "rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(requested: bool) -> None:
    if requested:
        typer.echo(f"unlinkctl {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    *,
    profile: Annotated[
        str | None,
        typer.Option(help="Which stored service and key to use.", envvar="UNLINK_PROFILE"),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Links of an Unlink service: create, list, delete in bulk, undo, verify.

    UNLINK_URL and UNLINK_API_KEY name the service and the key; `unlinkctl login` stores them.
    Data goes to standard output, everything else to standard error.
    """
    del version
    context.obj = profile


app.command("login")(commands_login.login)
app.command("list")(commands_links.list_links)
app.command("create")(commands_links.create)
app.command("import")(commands_import.import_links)
app.command("delete")(commands_delete.delete)
app.command("plan")(commands_plan.plan)
app.command("apply")(commands_plan.apply)
app.command("trash")(commands_deletions.trash)
app.command("deletions")(commands_deletions.deletions)
app.command("restore")(commands_deletions.restore)
app.command("undo")(commands_deletions.undo)
app.command("verify")(commands_verify.verify)
app.command("export")(commands_links.export)
app.command("qr")(commands_links.qr)


def run(arguments: list[str] | None = None) -> int:
    """Run a command; its exit code (see :mod:`unlink_client.cli.exits`)."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except OSError as error:
        # At its end Python would try to write the rest again, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # A reader such as `head` that has enough is not an error to report.
        if not isinstance(error, BrokenPipeError):
            fail(CommandError(f"Cannot write the output: {error.strerror or error}"))
        return ERROR
    return code


def _run(arguments: list[str] | None) -> int:
    try:
        app(args=arguments, prog_name="unlinkctl")
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except CommandError as error:
        fail(error)
        return error.code
    except UnlinkError as error:
        ended = command_error(error)
        fail(ended)
        return ended.code
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0
