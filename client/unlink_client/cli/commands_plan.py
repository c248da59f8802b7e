"""`plan`, `apply`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
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
    clock,
    finish,
    plan_job,
    show_plan,
)
from unlink_client.cli.exits import STALE, USAGE, CommandError, some
from unlink_client.cli.filter_options import with_filters
from unlink_client.cli.ids import read_text
from unlink_client.cli.jobs import Jobs, digest_of
from unlink_client.cli.session import connected
from unlink_client.cli.settings import write_private, writing
from unlink_client.cli.terminal import require_terminal, say
from unlink_client.errors import PlanIsInvalid
from unlink_client.filters import FilterArgs
from unlink_client.plans import Plan
from unlink_client.sync.client import Unlink


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
    """Show what a filter would delete, and save it as a plan for `apply`.

    unlinkctl plan --tag tour --max-clicks 0 --erase -o tour.plan

    unlinkctl apply tour.plan
    """
    if not conditions:
        raise CommandError("Give at least one filter", code=USAGE)
    with connected(context) as unlink:
        new_plan = unlink.plan(erase=erase, with_ids=output is not None, **conditions)
        if output is not None:
            new_plan = replace(new_plan, workspace_id=unlink.me().workspace_id)
    if output is None or str(output) == "-":
        if output is not None:
            sys.stdout.write(new_plan.dumps())
            return
        show_plan(new_plan)
        say("Nothing was deleted. -o FILE keeps the plan for `unlinkctl apply FILE`.")
        return
    with writing(output):
        write_private(output, new_plan.dumps())
    show_plan(new_plan)
    say(f"Nothing was deleted. Until {clock(new_plan.expires_at)}: unlinkctl apply {output}")


def apply(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A plan; - for stdin.", metavar="FILE")],
    *,
    reason: Reason = None,
    export: Export = False,
    confirm_count: Confirm = None,
    yes: Yes = False,
    wait: Wait = False,
    output: Format = "table",
) -> None:
    """Delete exactly the links of a plan, or nothing (exit code 5) if other links match by now.

    unlinkctl apply tour.plan --reason "the tour is over"

    unlinkctl apply tour.plan --confirm 120
    """
    how = How(False, reason, export, yes, confirm_count, wait, output)
    if how.asks:
        require_terminal()
    saved_plan = Plan.loads(read_text(None if str(file) == "-" else file))
    with connected(context) as unlink, Jobs.of(unlink) as jobs:
        if saved_plan.url != unlink.url:
            raise PlanIsInvalid(f"The plan is for {saved_plan.url}, not for {unlink.url}.")
        if saved_plan.workspace_id not in (None, jobs.workspace_id):
            raise PlanIsInvalid(
                f"The plan is of the workspace {saved_plan.workspace_id}, and this key is of "
                f"{jobs.workspace_id}."
            )
        digest = digest_of(saved_plan.mode, [saved_plan.token])
        before = jobs.unfinished(digest=digest)
        if before:
            if before[0].export is not how.export:
                raise CommandError(
                    f"This plan was sent before {'without' if how.export else 'with'} --export.",
                    code=USAGE,
                    hint="Nothing was sent. Give the same options to continue, or make a new plan.",
                )
            say("Continuing this plan, which was sent before.")
            finish(unlink, jobs, before[0], how)
            return
        if (earlier := jobs.deletion_of(digest)) is not None:
            # Its key leads to that deletion, also if the links were restored since.
            raise CommandError(
                f"The plan was applied before, as deletion {earlier}. A plan deletes once.",
                code=STALE,
                hint="Nothing was deleted now. `unlinkctl plan` makes a new one.",
            )
        _refuse_stale(unlink, saved_plan)
        if how.asks:
            show_plan(saved_plan)
        confirm(
            saved_plan.count,
            erase=saved_plan.erase,
            clicks=saved_plan.clicks,
            given=how.count,
            yes=how.yes,
        )
        finish(unlink, jobs, plan_job(jobs, saved_plan, how), how)


def _refuse_stale(unlink: Unlink, saved_plan: Plan) -> None:
    """Say how the set has changed, before the question. The service decides."""
    if datetime.now(UTC) > saved_plan.expires_at:
        raise CommandError(
            f"The plan expired at {clock(saved_plan.expires_at)}.",
            code=STALE,
            hint="Nothing was deleted. `unlinkctl plan` makes a new one.",
        )
    now = unlink.plan(
        erase=saved_plan.erase, with_ids=saved_plan.ids is not None, **saved_plan.conditions
    )
    if saved_plan.ids is None or now.ids is None:
        same = now.count == saved_plan.count
        change = f"{saved_plan.count:,} links then, {now.count:,} now"
    else:
        same = set(now.ids) == set(saved_plan.ids)
        change = _difference(saved_plan.ids, now.ids)
    if not same:
        raise CommandError(
            f"The links that match have changed since the plan was made: {change}.",
            code=STALE,
            hint="Nothing was deleted. `unlinkctl plan` makes a new one.",
        )


def _difference(then: Sequence[str], now: Sequence[str]) -> str:
    parts, before, after = [], set(then), set(now)
    for what, ids in (
        ("new", [each for each in now if each not in before]),
        ("gone", [each for each in then if each not in after]),
    ):
        if ids:
            parts.append(f"{len(ids):,} {what} ({some(ids, 3)})")
    return ", ".join(parts)
