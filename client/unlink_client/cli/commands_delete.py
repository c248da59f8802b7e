"""`delete`, `plan`, `apply`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from unlink_client.cli.confirm import confirm
from unlink_client.cli.deleting import CHUNK, Ended, raise_if_not_all, run_job
from unlink_client.cli.exits import NOT_ALL, STALE, USAGE, CommandError
from unlink_client.cli.filter_options import describe, with_filters
from unlink_client.cli.ids import read_ids, read_text
from unlink_client.cli.jobs import Job, Jobs, digest_of
from unlink_client.cli.output import (
    RecordOutput,
    print_facts,
    write_json,
    write_json_line,
    write_line,
)
from unlink_client.cli.session import connected
from unlink_client.cli.settings import state_directory, write_private
from unlink_client.cli.terminal import require_terminal, say
from unlink_client.errors import PlanIsInvalid
from unlink_client.filters import FilterArgs
from unlink_client.models import Preview, PreviewCounts
from unlink_client.plans import Plan
from unlink_client.sync.client import Unlink

Reason = Annotated[str | None, typer.Option(help="Why; kept with the deletion.")]
Erase = Annotated[bool, typer.Option("--erase", help="Erase for good, not into the trash.")]
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
    """How to delete: what all the commands below have in common."""

    erase: bool = False
    reason: str | None = None
    export: bool = False
    yes: bool = False
    count: int | None = None
    wait: bool = False
    output: RecordOutput = RecordOutput.TABLE

    @property
    def asks(self) -> bool:
        return not self.yes and self.count is None


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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    yes: Yes = False,
    confirm_count: Confirm = None,
    wait: Wait = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted delete (ID: which).")
    ] = False,
    output: Format = RecordOutput.TABLE,
) -> None:
    """Delete links, by id or by filter. They go to the trash, or with --erase for good.

    unlinkctl delete summer 0b7c0c6e-3f0e-4d9c-9b0a-5f6a2b8a7f11

    unlinkctl delete --tag tour --max-clicks 0 --reason "the tour is over"

    unlinkctl list --expired -o ids | unlinkctl delete - --yes

    Interrupted, killed, or cut off? The same command, or --resume, goes on where it ended.
    """
    how = How(erase, reason, export, yes, confirm_count, wait, output)
    given = [bool(targets) and not resume, bool(conditions), resume]
    if sum(given) != 1:
        raise CommandError("Give ids, or filters, or --resume: one of them", code=USAGE)
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
    with Jobs(state_directory()) as jobs:
        found = [job for job in jobs.unfinished(unlink.url) if not which or job.id in which]
        if not found:
            raise CommandError("There is no interrupted delete of this service.")
        if len(found) > 1:
            raise CommandError(
                "Several deletes were interrupted: "
                + "; ".join(f"{job.id} ({job.count:,} ids)" for job in found),
                code=USAGE,
                hint=f"Choose one: unlinkctl delete --resume {found[0].id}",
            )
        _finish(unlink, jobs, found[0], how)


def _delete_ids(unlink: Unlink, targets: Sequence[str], how: How, *, dry_run: bool) -> None:
    ids, codes = read_ids(targets)
    ids += [link_id for link_id in _resolved(unlink, codes) if link_id not in set(ids)]
    mode = "erase" if how.erase else "soft"
    parts = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
    if dry_run:
        _show(_preview(unlink, parts, how.erase), how)
        return
    with Jobs(state_directory()) as jobs:
        digest = digest_of(unlink.url, mode, ids)
        before = jobs.unfinished(unlink.url, digest=digest)
        if before:
            job = before[0]
            done = sum(chunk.done for chunk in job.chunks)
            say(f"Going on with {job.id}: {done} of {len(job.chunks)} requests are done.")
        else:
            if how.asks:
                preview = _preview(unlink, parts, how.erase)
                _refuse_unknown(preview, how)
                _show_counts(preview)
                confirm(preview.counts.deletable, erase=how.erase, clicks=preview.clicks)
            elif how.count is not None:
                confirm(len(ids), erase=how.erase, given=how.count)
            job = jobs.create(
                url=unlink.url,
                mode="erase" if how.erase else "soft",
                digest=digest,
                parts=parts,
                reason=how.reason,
                export=how.export,
            )
        _finish(unlink, jobs, job, how)


def _resolved(unlink: Unlink, codes: Sequence[str]) -> list[str]:
    return [unlink.link(code).id for code in codes]


def _preview(unlink: Unlink, parts: Sequence[Sequence[str]], erase: bool) -> Preview:
    """What all parts together would do."""
    found = [unlink.preview(part, erase=erase) for part in parts]
    last = [each.last_click_at for each in found if each.last_click_at is not None]
    return Preview(
        dry_run=True,
        mode=found[0].mode,
        counts=PreviewCounts(
            requested=sum(each.counts.requested for each in found),
            deletable=sum(each.counts.deletable for each in found),
            unknown=sum(each.counts.unknown for each in found),
            invalid=sum(each.counts.invalid for each in found),
        ),
        clicks=sum(each.clicks for each in found),
        last_click_at=max(last) if last else None,
        unknown_ids=tuple(name for each in found for name in each.unknown_ids),
        invalid_ids=tuple(name for each in found for name in each.invalid_ids),
    )


def _refuse_unknown(preview: Preview, how: How) -> None:
    unknown = preview.counts.unknown + preview.counts.invalid
    if (unknown and not how.erase) or not preview.counts.deletable:
        named = ", ".join((preview.invalid_ids + preview.unknown_ids)[:5])
        raise CommandError(
            f"{unknown:,} of {preview.counts.requested:,} ids are no live links: {named}"
            + (", …" if unknown > 5 else ""),
            code=NOT_ALL,
            hint="Nothing was deleted: a soft delete is all or none.",
        )


def _delete_matching(unlink: Unlink, conditions: FilterArgs, how: How, *, dry_run: bool) -> None:
    plan = unlink.plan(erase=how.erase, **conditions)
    if dry_run:
        _show_plan(plan)
        return
    if not plan.count:
        say(f"No link matches ({describe(conditions)}): nothing to delete.")
        return
    if how.asks:
        _show_plan(plan)
    confirm(plan.count, erase=plan.erase, clicks=plan.clicks, given=how.count, yes=how.yes)
    with Jobs(state_directory()) as jobs:
        _finish(unlink, jobs, _plan_job(unlink, jobs, plan, how), how)


def _plan_job(unlink: Unlink, jobs: Jobs, plan: Plan, how: How) -> Job:
    return jobs.create(
        url=unlink.url,
        mode=plan.mode,
        digest=digest_of(unlink.url, plan.mode, [plan.token]),
        parts=[[]],
        reason=how.reason,
        export=how.export,
        plan=plan.dumps(),
        key=plan.idempotency_key,
    )


def _finish(unlink: Unlink, jobs: Jobs, job: Job, how: How) -> None:
    ended = run_job(unlink, jobs, job, until_complete=how.wait)
    _report(job, ended, how)
    raise_if_not_all(ended)


def _report(job: Job, ended: Ended, how: How) -> None:
    if how.output is RecordOutput.TABLE:
        _summarise(job, ended, how)
    elif how.output is RecordOutput.JSON:
        write_json(list(ended.deletions) if len(ended.deletions) != 1 else ended.deletions[0])
    else:
        for result in (each for deletion in ended.deletions for each in deletion.outcomes()):
            if how.output is RecordOutput.NDJSON:
                write_json_line(result)
            elif result.outcome in ("deleted", "erased"):
                write_line(result.id)


def _summarise(job: Job, ended: Ended, how: How) -> None:
    deleted = sum(each.counts.deleted for each in ended.deletions)
    noun = "link" if deleted == 1 else "links"
    for each in ended.deletions:
        say(f"Deletion {each.id} is {each.state}.")
    if not job.erase:
        write_line(f"Moved {deleted:,} {noun} to the trash.")
        if ended.deletions:
            say("To take it back: unlinkctl undo")
        return
    write_line(f"Erased {deleted:,} {noun} for good.")
    if ended.deletions and not how.wait:
        say(f"What was removed, in a minute: unlinkctl deletions {ended.deletions[-1].id} --wait")


@with_filters
def plan(
    context: typer.Context,
    *,
    conditions: FilterArgs,
    erase: Erase = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File for the plan; - for stdout.")
    ] = None,
) -> None:
    """Show what a filter would delete, and keep it as a plan for `apply`.

    unlinkctl plan --tag tour --max-clicks 0 --erase -o tour.plan

    unlinkctl apply tour.plan
    """
    if not conditions:
        raise CommandError("Give at least one filter", code=USAGE)
    with connected(context) as unlink:
        made = unlink.plan(erase=erase, with_ids=output is not None, **conditions)
    if output is None or str(output) == "-":
        if output is not None:
            sys.stdout.write(made.dumps())
            return
        _show_plan(made)
        say("Nothing was deleted. -o FILE keeps the plan for `unlinkctl apply FILE`.")
        return
    try:
        write_private(output, made.dumps())
    except OSError as error:
        raise CommandError(f"Cannot write {output}: {error.strerror}") from None
    _show_plan(made)
    say(f"Nothing was deleted. Until {_clock(made.expires_at)}: unlinkctl apply {output}")


def apply(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A plan; - for stdin.", metavar="FILE")],
    *,
    reason: Reason = None,
    export: Export = False,
    confirm_count: Confirm = None,
    yes: Yes = False,
    wait: Wait = False,
    output: Format = RecordOutput.TABLE,
) -> None:
    """Delete exactly the links of a plan, or nothing (exit code 5) if other links match by now.

    unlinkctl apply tour.plan --reason "the tour is over"

    unlinkctl apply tour.plan --confirm 120
    """
    how = How(False, reason, export, yes, confirm_count, wait, output)
    if how.asks:
        require_terminal()
    made = Plan.loads(read_text(None if str(file) == "-" else file))
    with connected(context) as unlink, Jobs(state_directory()) as jobs:
        if made.url != unlink.url:
            raise PlanIsInvalid(f"The plan is for {made.url}, not for {unlink.url}.")
        digest = digest_of(unlink.url, made.mode, [made.token])
        before = jobs.unfinished(unlink.url, digest=digest)
        if before:
            say("Going on with this plan, which was sent before.")
            _finish(unlink, jobs, before[0], how)
            return
        _refuse_stale(unlink, made)
        if how.asks:
            _show_plan(made)
        confirm(made.count, erase=made.erase, clicks=made.clicks, given=how.count, yes=how.yes)
        _finish(unlink, jobs, _plan_job(unlink, jobs, made, how), how)


def _refuse_stale(unlink: Unlink, made: Plan) -> None:
    """Say how the set has changed, before anyone is asked; the service has the last word."""
    if datetime.now(UTC) > made.expires_at:
        raise CommandError(
            f"The plan expired at {_clock(made.expires_at)}.",
            code=STALE,
            hint="Nothing was deleted. `unlinkctl plan` makes a new one.",
        )
    now = unlink.plan(erase=made.erase, with_ids=made.ids is not None, **made.conditions)
    if made.ids is None or now.ids is None:
        same = now.count == made.count
        change = f"{made.count:,} links then, {now.count:,} now"
    else:
        same = set(now.ids) == set(made.ids)
        change = _difference(made.ids, now.ids)
    if not same:
        raise CommandError(
            f"The links that match have changed since the plan was made: {change}.",
            code=STALE,
            hint="Nothing was deleted. `unlinkctl plan` makes a new one.",
        )


def _difference(then: Sequence[str], now: Sequence[str]) -> str:
    parts = []
    for what, ids in (
        ("new", [each for each in now if each not in set(then)]),
        ("gone", [each for each in then if each not in set(now)]),
    ):
        if ids:
            more = ", …" if len(ids) > 3 else ""
            parts.append(f"{len(ids):,} {what} ({', '.join(ids[:3])}{more})")
    return ", ".join(parts)


def _show(preview: Preview, how: How) -> None:
    if how.output is RecordOutput.TABLE:
        _show_counts(preview)
        say("Nothing was deleted: this was a dry run.")
    else:
        write_json(preview)


def _show_counts(preview: Preview) -> None:
    facts = [("Links", f"{preview.counts.deletable:,} of {preview.counts.requested:,} ids")]
    if preview.counts.unknown or preview.counts.invalid:
        unknown = preview.invalid_ids + preview.unknown_ids
        more = ", …" if preview.counts.unknown + preview.counts.invalid > 5 else ""
        facts.append(("Not links", ", ".join(unknown[:5]) + more))
    facts += _click_facts(preview.clicks, preview.last_click_at)
    print_facts(facts)


def _show_plan(made: Plan) -> None:
    facts = [
        ("Filter", describe(made.conditions)),
        ("Links", f"{made.count:,}"),
        *_click_facts(made.clicks, made.last_click_at),
        ("Mode", "erase for good" if made.erase else "to the trash"),
        ("Valid until", _clock(made.expires_at)),
    ]
    print_facts(facts)


def _click_facts(clicks: int, last: datetime | None) -> list[tuple[str, str]]:
    return [("Clicks", f"{clicks:,}"), ("Last click", _clock(last) if last else "never")]


def _clock(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
