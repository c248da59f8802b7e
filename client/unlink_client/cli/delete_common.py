"""Shared by the commands that delete: their options, and how a job is started and reported."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer

from unlink_client.cli.deleting import Ended, raise_if_not_all, run_job
from unlink_client.cli.filter_options import describe
from unlink_client.cli.jobs import Job, Jobs, digest_of
from unlink_client.cli.output import (
    RecordOutput,
    counted,
    print_facts,
    write_json,
    write_json_line,
    write_line,
)
from unlink_client.cli.terminal import say
from unlink_client.models import Preview
from unlink_client.plans import Plan
from unlink_client.sync.client import Unlink

Reason = Annotated[str | None, typer.Option(help="Why; kept with the deletion.")]
Erase = Annotated[bool, typer.Option("--erase", help="Erase permanently, not into the trash.")]
Export = Annotated[
    bool, typer.Option("--export", help="Write links and clicks to a file of the service first.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Confirm = Annotated[
    int | None,
    typer.Option(
        "--confirm", min=0, metavar="N", help="Do not ask, if it is exactly this many links."
    ),
]
Wait = Annotated[bool, typer.Option("--wait", help="Also wait for the receipt of an erasure.")]
Format = Annotated[RecordOutput, typer.Option("--output", "-o", help="Format; ndjson: each id.")]


@dataclass(frozen=True, slots=True)
class How:
    """How to delete: the options of all commands below."""

    erase: bool = False
    reason: str | None = None
    export: bool = False
    yes: bool = False
    count: int | None = None
    wait: bool = False
    output: RecordOutput = "table"

    @property
    def asks(self) -> bool:
        return not self.yes and self.count is None


def plan_job(jobs: Jobs, plan: Plan, how: How) -> Job:
    return jobs.create(
        mode=plan.mode,
        digest=digest_of(plan.mode, [plan.token]),
        parts=[[]],
        reason=how.reason,
        export=how.export,
        plan=plan.dumps(),
        key=plan.idempotency_key,
    )


def finish(unlink: Unlink, jobs: Jobs, job: Job, how: How) -> None:
    """Run the job, and write its result."""
    ended = run_job(unlink, jobs, job, until_complete=how.wait)
    try:
        _report(job, ended, how)
        sys.stdout.flush()
    finally:
        # Also after an error: the next run of this command is a new delete.
        jobs.finish(job.id)
    raise_if_not_all(ended)


def _report(job: Job, ended: Ended, how: How) -> None:
    if how.output == "table":
        _summarise(job, ended, how)
    elif how.output == "json":
        write_json(list(ended.deletions) if len(ended.deletions) != 1 else ended.deletions[0])
    else:
        for result in (each for deletion in ended.deletions for each in deletion.outcomes()):
            if how.output == "ndjson":
                write_json_line(result)
            elif result.outcome in ("deleted", "erased"):
                write_line(result.id)


def _summarise(job: Job, ended: Ended, how: How) -> None:
    deleted = sum(each.counts.deleted for each in ended.deletions)
    for each in ended.deletions:
        say(f"Deletion {each.id} is {each.state}.")
        if each.export is not None and each.export.url is not None:
            say("Its export, for 15 minutes at this URL:")
            say(each.export.url)
            say(f"For seven days, with a new URL: unlinkctl deletions {each.id}")
    if not job.erase:
        write_line(f"Moved {counted(deleted, 'link')} to the trash.")
        if deleted:
            say(_how_to_undo(ended))
        return
    write_line(f"Permanently erased {counted(deleted, 'link')}.")
    if deleted and not how.wait:
        say(f"What was removed, in a minute: unlinkctl deletions {ended.deletions[-1].id} --wait")


def _how_to_undo(ended: Ended) -> str:
    """The command, and what it needs: most keys may not undo, or for some minutes only."""
    until = [each.undo_until for each in ended.deletions if each.undo_until is not None]
    if until:
        return f"To undo it until {clock(min(until))}: unlinkctl undo"
    return "To undo it with a key that has linksRestore: unlinkctl undo"


def show_counts(preview: Preview) -> None:
    facts = [("Links", f"{preview.counts.deletable:,} of {preview.counts.requested:,} ids")]
    if preview.counts.unknown or preview.counts.invalid:
        unknown = preview.invalid_ids + preview.unknown_ids
        more = ", …" if preview.counts.unknown + preview.counts.invalid > 5 else ""
        facts.append(("Not links", ", ".join(unknown[:5]) + more))
    facts += _click_facts(preview.clicks, preview.last_click_at)
    print_facts(facts)


def show_plan(new_plan: Plan) -> None:
    facts = [
        ("Filter", describe(new_plan.conditions)),
        ("Links", f"{new_plan.count:,}"),
        *_click_facts(new_plan.clicks, new_plan.last_click_at),
        ("Mode", "erase permanently" if new_plan.erase else "to the trash"),
        ("Valid until", clock(new_plan.expires_at)),
    ]
    print_facts(facts)


def _click_facts(clicks: int, last: datetime | None) -> list[tuple[str, str]]:
    return [("Clicks", f"{clicks:,}"), ("Last click", clock(last) if last else "never")]


def clock(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
