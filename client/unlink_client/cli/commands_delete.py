"""`delete`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from unlink_client.cli.confirm import confirm
from unlink_client.cli.delete_common import (
    Confirm,
    Erase,
    Export,
    Format,
    How,
    Reason,
    Wait,
    Yes,
    finish,
    plan_job,
    show_counts,
    show_plan,
)
from unlink_client.cli.deleting import CHUNK, preview_all
from unlink_client.cli.exits import NOT_ALL, USAGE, CommandError, some
from unlink_client.cli.filter_options import describe, with_filters
from unlink_client.cli.ids import read_ids
from unlink_client.cli.jobs import Jobs, digest_of
from unlink_client.cli.output import write_json
from unlink_client.cli.session import connected
from unlink_client.cli.terminal import require_terminal, say
from unlink_client.errors import NotFound
from unlink_client.filters import FilterArgs
from unlink_client.models import Mode, Preview
from unlink_client.operations import preview_deletion
from unlink_client.sync.client import Unlink

_DRY_RUN = "Nothing was deleted: this was a dry run."


@with_filters
def delete(
    context: typer.Context,
    targets: Annotated[
        list[str] | None,
        typer.Argument(help="UUIDs or short codes; - for stdin, @FILE.", metavar="ID..."),
    ] = None,
    *,
    conditions: FilterArgs,
    erase: Erase = False,
    reason: Reason = None,
    export: Export = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be deleted, and delete nothing.")
    ] = False,
    yes: Yes = False,
    confirm_count: Confirm = None,
    wait: Wait = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue an interrupted delete; with several, give its ID."),
    ] = False,
    output: Format = "table",
) -> None:
    """Delete links, by id or by filter. They go to the trash; --erase removes them permanently.

    unlinkctl delete summer 0b7c0c6e-3f0e-4d9c-9b0a-5f6a2b8a7f11

    unlinkctl delete --tag tour --max-clicks 0 --reason "the tour is over"

    unlinkctl list --expired -o ids | unlinkctl delete - --yes

    If it was interrupted or killed, run the same command again, or use --resume. It continues.
    """
    how = How(erase, reason, export, yes, confirm_count, wait, output)
    given = [bool(targets) and not resume, bool(conditions), resume]
    if sum(given) != 1:
        raise CommandError("Give ids, or filters, or --resume: one of them", code=USAGE)
    if resume and (dry_run or erase or reason or export or confirm_count is not None):
        raise CommandError(
            "--resume continues a delete as it was requested: it takes only --wait and -o",
            code=USAGE,
        )
    if dry_run and output in ("ndjson", "ids"):
        raise CommandError("A dry run counts links: give -o table or -o json", code=USAGE)
    if how.asks and not dry_run and not resume:
        require_terminal()
    with connected(context) as unlink:
        if resume:
            _resume(unlink, targets or [], how)
        elif conditions:
            _delete_matching(unlink, conditions, how, dry_run=dry_run)
        else:
            _delete_ids(unlink, targets or [], how, dry_run=dry_run)


def _resume(unlink: Unlink, which: Sequence[str], how: How) -> None:
    with Jobs.of(unlink) as jobs:
        found = [job for job in jobs.unfinished() if not which or job.id in which]
        if not found:
            raise CommandError("There is no interrupted delete of this workspace.")
        if len(found) > 1:
            raise CommandError(
                "Several deletes were interrupted: "
                + "; ".join(f"{job.id} ({job.count:,} ids)" for job in found),
                code=USAGE,
                hint=f"Choose one: unlinkctl delete --resume {found[0].id}",
            )
        finish(unlink, jobs, found[0], how)


def _delete_ids(unlink: Unlink, targets: Sequence[str], how: How, *, dry_run: bool) -> None:
    ids, codes = read_ids(targets)
    resolved = [_id_of(unlink, code) for code in codes]
    ids = list(dict.fromkeys([*ids, *resolved]))
    mode: Mode = "erase" if how.erase else "soft"
    parts = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
    if dry_run:
        _show(preview_all(unlink, parts, erase=how.erase), how)
        return
    with Jobs.of(unlink) as jobs:
        digest = digest_of(mode, ids)
        # Without the export that was asked for, the other delete is not this one.
        before = [each for each in jobs.unfinished(digest=digest) if each.export is how.export]
        if before:
            job = before[0]
            done = sum(chunk.done for chunk in job.chunks)
            say(f"Continuing {job.id}: {done} of {len(job.chunks)} requests are done.")
        else:
            if how.asks:
                preview = preview_all(unlink, parts, erase=how.erase)
                _refuse_unknown(preview, how)
                show_counts(preview)
                confirm(preview.counts.deletable, erase=how.erase, clicks=preview.clicks)
            elif how.count is not None:
                confirm(len(ids), erase=how.erase, given=how.count)
            job = jobs.create(
                mode=mode,
                digest=digest,
                parts=parts,
                reason=how.reason,
                export=how.export,
            )
        finish(unlink, jobs, job, how)


def _refuse_unknown(preview: Preview, how: How) -> None:
    unknown = preview.counts.unknown + preview.counts.invalid
    if (unknown and not how.erase) or not preview.counts.deletable:
        named = some(preview.invalid_ids + preview.unknown_ids)
        raise CommandError(
            f"{unknown:,} of {preview.counts.requested:,} ids are not live links: {named}",
            code=NOT_ALL,
            hint="Nothing was deleted."
            if how.erase
            else "Nothing was deleted: a soft delete is all or none.",
        )


def _id_of(unlink: Unlink, code: str) -> str:
    try:
        return unlink.link(code).id
    except NotFound:
        raise CommandError(
            f"{code} is not a live link.", code=NOT_ALL, hint="Nothing was deleted."
        ) from None


def _delete_matching(unlink: Unlink, conditions: FilterArgs, how: How, *, dry_run: bool) -> None:
    if dry_run and how.output != "table":
        mode: Mode = "erase" if how.erase else "soft"
        _show(unlink.send(preview_deletion(filter=conditions, mode=mode)), how)
        return
    plan = unlink.plan(erase=how.erase, **conditions)
    if dry_run:
        show_plan(plan)
        say(_DRY_RUN)
        return
    if not plan.count:
        say(f"No link matches ({describe(conditions)}): nothing to delete.")
        return
    if how.asks:
        show_plan(plan)
    confirm(plan.count, erase=plan.erase, clicks=plan.clicks, given=how.count, yes=how.yes)
    with Jobs.of(unlink) as jobs:
        finish(unlink, jobs, plan_job(jobs, plan, how), how)


def _show(preview: Preview, how: How) -> None:
    if how.output == "table":
        show_counts(preview)
        say(_DRY_RUN)
    else:
        write_json(preview)
