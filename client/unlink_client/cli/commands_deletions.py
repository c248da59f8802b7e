"""`deletions`, `restore`, `undo`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Annotated, Any

import typer

from unlink_client.cli.exits import NOT_ALL, TRY_LATER, USAGE, CommandError, some
from unlink_client.cli.filter_options import parse_moment
from unlink_client.cli.ids import read_ids
from unlink_client.cli.jobs import Jobs
from unlink_client.cli.listing import Limit, write_list
from unlink_client.cli.output import (
    RecordOutput,
    counted,
    name_of,
    print_facts,
    print_table,
    removed_kinds,
    write_deletions,
    write_json,
    write_json_line,
    write_line,
    write_trash,
)
from unlink_client.cli.session import connected
from unlink_client.cli.terminal import progress_bar, say
from unlink_client.errors import Conflict, NotFound
from unlink_client.models import Mode, RestoredLinks, State
from unlink_client.sync.client import Unlink
from unlink_client.sync.deletion import Deletion

_RESULT_ROWS = 20
#: A receipt is signed within a minute or two.
_SIGNING_SECONDS = 300.0


def deletions(
    context: typer.Context,
    deletion: Annotated[
        str | None, typer.Argument(help="One deletion; all of them unless given.", metavar="ID")
    ] = None,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is complete.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Print each change until then.")] = False,
    receipt: Annotated[
        bool, typer.Option("--receipt", help="Print the signed receipt; see `verify`.")
    ] = False,
    limit: Limit = None,
    state: Annotated[State | None, typer.Option(help="In this state.")] = None,
    mode: Annotated[Mode | None, typer.Option(help="To the trash, or permanently.")] = None,
    actor: Annotated[str | None, typer.Option(help="By this key or user.")] = None,
    created_after: Annotated[
        Any, typer.Option(parser=parse_moment, metavar="TIME", help="Created after this time.")
    ] = None,
    created_before: Annotated[
        Any, typer.Option(parser=parse_moment, metavar="TIME", help="Created before this time.")
    ] = None,
    output: Annotated[
        RecordOutput, typer.Option("--output", "-o", help="Format; ndjson of one: each id.")
    ] = "table",
) -> None:
    """List deletions, newest first, or show one with the outcome of each id.

    unlinkctl deletions --mode erase --created-after 30d

    unlinkctl deletions 01a2013c-632f-71c5-88ad-db7263a66868 --wait
    """
    if deletion is None and (wait or watch or receipt):
        raise CommandError("--wait, --watch and --receipt need the id of a deletion", code=USAGE)
    if deletion is not None and any((limit, state, mode, actor, created_after, created_before)):
        raise CommandError("--limit and the filters are for the list of deletions", code=USAGE)
    if receipt and output != "table":
        raise CommandError("A receipt has one format: leave -o out", code=USAGE)
    with connected(context) as unlink:
        if deletion is None:
            write_list(
                lambda size: unlink.deletions(
                    page_size=size,
                    state=state,
                    mode=mode,
                    actor=actor,
                    created_after=created_after,
                    created_before=created_before,
                ),
                write_deletions,
                output,
                limit=limit,
                largest_page=100,
                none="No deletions.",
            )
            return
        found = unlink.deletion(deletion)
        if watch:
            found = found.wait(on_progress=_say_changes())
        elif wait:
            found = _waited(found)
        if receipt:
            _write_receipt(unlink, found, wait=wait or watch)
        else:
            _write(found, output)


def _write_receipt(unlink: Unlink, found: Deletion, *, wait: bool) -> None:
    try:
        signed = unlink.receipt(found.id, timeout=_SIGNING_SECONDS if wait else 0)
    except NotFound as error:
        why = "it erased nothing"
        if found.mode == "soft":
            why = "only an erasure has one"
        elif found.state == "failed":
            why = "it failed"
        raise CommandError(f"The deletion {found.id} has no receipt: {why}") from error
    except Conflict as error:
        raise CommandError(
            f"There is no signed receipt yet: the deletion is {found.state}.",
            code=TRY_LATER,
            hint=f"unlinkctl deletions {found.id} --wait --receipt waits for it.",
        ) from error
    if signed is None:
        raise CommandError("This service does not sign its receipts.")
    write_line(signed.jws)


def _waited(found: Deletion) -> Deletion:
    with progress_bar("Waiting", found.counts.requested) as bar:

        def show(now: Deletion) -> None:
            bar.show(now.counts.requested - now.counts.pending, now.state.capitalize())

        return found.wait(on_progress=show)


def _say_changes() -> Callable[[Deletion], None]:
    shown = ""

    def show(found: Deletion) -> None:
        nonlocal shown
        counts = found.counts
        now = (
            f"{found.state}: {counts.deleted:,} of {counts.requested:,} deleted, "
            f"{counts.pending:,} pending"
        )
        if now != shown:
            say(now)
            shown = now

    return show


def _write(found: Deletion, output: RecordOutput) -> None:
    if output == "ndjson":
        for result in found.outcomes():
            write_json_line(result)
    elif output == "ids":
        for result in found.outcomes():
            write_line(result.id)
    elif output == "json":
        write_json(found)
    else:
        _describe(found)


def _describe(found: Deletion) -> None:
    counts = found.counts
    moment = "%Y-%m-%d %H:%M:%S UTC"
    facts = [
        ("Deletion", found.id),
        ("State", found.state),
        ("Mode", found.mode),
        ("Reason", found.reason or ""),
        ("By", name_of(found.actor)),
        ("Created", found.created_at.strftime(moment)),
        ("Completed", found.completed_at.strftime(moment) if found.completed_at else ""),
        ("Ids", f"{counts.requested:,}"),
        ("Deleted", f"{counts.deleted:,}"),
        ("Not found", f"{counts.not_found:,}" if counts.not_found else ""),
        ("Pending", f"{counts.pending:,}" if counts.pending else ""),
        ("Restored", f"{counts.restored:,}" if counts.restored else ""),
        ("Failed", f"{counts.failed:,}" if counts.failed else ""),
        ("Failure", found.failure or ""),
        ("Removed", removed_kinds(found.receipt) if found.receipt else ""),
        (
            "Verified empty",
            found.receipt.verified_empty_at.strftime(moment) if found.receipt else "",
        ),
        ("Undo until", found.undo_until.strftime(moment) if found.undo_until else ""),
        ("Export", (found.export.url or "being written, or expired") if found.export else ""),
    ]
    print_facts(facts)
    rows = [(each.id, each.outcome) for each in islice(found.outcomes(), _RESULT_ROWS)]
    if rows:
        write_line("")
        print_table((("Link", 0), ("Outcome", 0)), rows)
    if counts.requested > len(rows) and rows:
        say(f"The first {len(rows)} of {counts.requested:,} ids; -o ndjson writes all.")


def trash(
    context: typer.Context,
    *,
    limit: Limit = None,
    actor: Annotated[str | None, typer.Option(help="Deleted by this key or user.")] = None,
    deleted_after: Annotated[
        Any, typer.Option(parser=parse_moment, metavar="TIME", help="Deleted after this time.")
    ] = None,
    deleted_before: Annotated[
        Any, typer.Option(parser=parse_moment, metavar="TIME", help="Deleted before this time.")
    ] = None,
    output: Annotated[RecordOutput, typer.Option("--output", "-o")] = "table",
) -> None:
    """List soft-deleted links, newest first, with the deletion that restores them.

    unlinkctl trash --deleted-before 30d -o ids | unlinkctl delete - --erase
    """
    with connected(context) as unlink:
        write_list(
            lambda size: unlink.trash(
                page_size=size,
                actor=actor,
                deleted_after=deleted_after,
                deleted_before=deleted_before,
            ),
            write_trash,
            output,
            limit=limit,
            largest_page=100,
            none="The trash is empty.",
        )


def restore(
    context: typer.Context,
    deletion: Annotated[str, typer.Argument(help="The deletion to undo.", metavar="ID")],
    *,
    ids: Annotated[
        list[str] | None,
        typer.Option("--ids", help="Only these links: UUIDs, - for stdin, @FILE.", metavar="ID"),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why; kept with the deletion.")] = None,
    output: Annotated[RecordOutput, typer.Option("--output", "-o")] = "table",
) -> None:
    """Restore the soft-deleted links of a deletion, all or some.

    unlinkctl restore 01a2013c-632f-71c5-88ad-db7263a66868

    unlinkctl restore 01a2013c-632f-71c5-88ad-db7263a66868 --ids @wanted.txt
    """
    wanted: list[str] | None = None
    if ids is not None:
        wanted, codes = read_ids(ids)
        if codes:
            raise CommandError(
                f"--ids takes UUIDs: a deleted link has no code ({codes[0]})", code=USAGE
            )
    with connected(context) as unlink:
        _report(unlink.restore(deletion, ids=wanted, reason=reason), output)


def _report(restored: RestoredLinks, output: RecordOutput) -> None:
    if output == "json":
        write_json(restored)
    elif output == "ids":
        for link_id in restored.restored_ids:
            write_line(link_id)
    elif output == "ndjson":
        for link_id in restored.restored_ids:
            write_json_line({"id": link_id, "outcome": "restored"})
        for each in restored.refused:
            write_json_line({"id": each.id, "outcome": "refused", "reason": each.reason})
    else:
        write_line(f"Restored {counted(len(restored.restored_ids), 'link')}.")
    if restored.pending_ids:
        say(f"{len(restored.pending_ids):,} more are restored in the background.")
    if restored.to_be_purged:
        first = min(each.purge_at for each in restored.to_be_purged)
        say(
            f"{len(restored.to_be_purged):,} of them have expired and are purged again from "
            f"{first:%Y-%m-%d %H:%M UTC}, unless their expiry is changed."
        )
    if restored.refused:
        named = some([f"{each.id} ({each.reason})" for each in restored.refused])
        raise CommandError(f"not restored ({len(restored.refused):,}): {named}", code=NOT_ALL)


def undo(
    context: typer.Context,
    *,
    reason: Annotated[str | None, typer.Option(help="Why; kept with the deletion.")] = None,
) -> None:
    """Undo the last delete of this machine: all its links are restored from the trash.

    unlinkctl undo
    """
    with connected(context) as unlink, Jobs.of(unlink) as jobs:
        job = jobs.last()
        found = [chunk.deletion for chunk in job.chunks if chunk.deletion] if job else []
        if not found:
            raise CommandError(
                "No delete was made from this machine that can be undone.",
                hint="`unlinkctl deletions` lists all; `unlinkctl restore ID` undoes one.",
            )
        refusals = []
        for deletion in found:
            say(f"Undoing {deletion}")
            try:
                _report(unlink.restore(deletion, reason=reason), "table")
            except CommandError as refused:
                # The other deletions of a large delete are undone all the same.
                refusals.append(refused.message)
        if refusals:
            raise CommandError("; ".join(refusals), code=NOT_ALL)
