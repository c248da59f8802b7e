"""`verify`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from unlink_client.cli.exits import USAGE, CommandError
from unlink_client.cli.ids import read_ids, read_text
from unlink_client.cli.output import name_of, print_facts, removed_kinds, write_json
from unlink_client.cli.settings import load_url
from unlink_client.cli.terminal import say
from unlink_client.receipts import SignedReceipt, VerifiedReceipt
from unlink_client.sync.client import Unlink


def verify(
    context: typer.Context,
    receipt: Annotated[Path, typer.Argument(help="A receipt (JWS); - for stdin.")],
    *,
    ids: Annotated[
        list[str] | None,
        typer.Option("--ids", help="Exactly these links, in this order: - or @FILE.", metavar="ID"),
    ] = None,
    jwks: Annotated[
        Path | None,
        typer.Option("--jwks", help="File with the public keys; else they are fetched."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="Service whose public keys to use, if not the configured one."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the receipt as JSON.")] = False,
) -> None:
    """Check that a receipt was signed by the service, and what it proves.

    unlinkctl deletions 01a2013c-632f-71c5-88ad-db7263a66868 --wait --receipt > receipt.jws

    unlinkctl verify receipt.jws --ids @ids.txt

    With --jwks FILE it works offline.
    """
    signed = SignedReceipt(read_text(None if str(receipt) == "-" else receipt).strip())
    expected_ids, codes = read_ids(ids) if ids else (None, [])
    if codes:
        raise CommandError(f"--ids takes UUIDs: a receipt has no code ({codes[0]})", code=USAGE)
    keys = _from_file(jwks) if jwks is not None else _from_service(context, url)
    found = signed.verify(keys, ids=expected_ids)
    if as_json:
        write_json(found)
        return
    _describe(found)
    covered = " It covers exactly the given ids." if expected_ids is not None else ""
    say(f"The signature is good.{covered}", style="green")


def _from_file(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_text(path))
    except ValueError:
        document = None
    if not isinstance(document, dict) or "keys" not in document:
        raise CommandError(f"{path} contains no public keys (JWKS)", code=USAGE)
    return document


def _from_service(context: typer.Context, url: str | None) -> dict[str, Any]:
    # The service of the settings, not the one that the receipt names: anyone could run that.
    with Unlink(url or load_url(context.obj)) as unlink:
        return unlink.jwks()


def _describe(found: VerifiedReceipt) -> None:
    moment = "%Y-%m-%d %H:%M:%S UTC"
    print_facts(
        [
            ("Deletion", found.deletion_id),
            ("Workspace", found.workspace_id),
            ("Service", found.iss),
            ("Reason", found.reason or ""),
            ("By", name_of(found.actor)),
            ("Created", found.created_at.strftime(moment)),
            ("Complete", found.completed_at.strftime(moment)),
            ("Verified empty", found.verified_empty_at.strftime(moment)),
            ("Erased", f"{found.counts.erased:,} of {found.counts.requested:,} ids"),
            ("Removed", removed_kinds(found.removed)),
            ("SHA-256", found.erased_ids.sha256),
        ]
    )
