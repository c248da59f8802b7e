"""One chaos run: load under faults, quiet, facts, checks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from functions.domain.plans import SCOPES
from local.emulator import LOCAL_DIR
from local.stack import LocalStack
from tests.chaos.checker import check, explain
from tests.chaos.client import Client
from tests.chaos.facts import Facts
from tests.chaos.faults import Faults
from tests.chaos.history import History
from tests.chaos.load import BatchVisitor, Visitor
from tests.chaos.pool import Pool
from tests.chaos.run_data import FinishedRun, Violation
from tests.chaos.sender import Sender, Site, Tenant
from tests.chaos.settle import Schedule, settle, waiting
from tests.chaos.tables import dump, read_facts
from tests.chaos.watcher import Watcher

#: The delay of the erase queue, for which a check has to wait anyway, and time for purges.
PURGE_SECONDS = 75.0
#: Clients of each workspace.
VISITORS = 2
#: How many broken promises are printed with their operations.
SHOWN = 10

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The size of a run. The load ends after ``seconds`` or ``most`` actions of each visitor.

    On a slow machine it continues until ``least`` requests were sent, for five times as long.
    """

    seed: int
    seconds: float
    least: int = 0
    workspaces: int = 3
    #: What each client does.
    visitor: type[Sender] = Visitor
    most: int = 5_000
    #: Seconds that a client waits after each action.
    pause: float = 0.0
    #: Links of the largest requests; 0 for none.
    batch: int = 0
    #: Seconds for which the faults continue after the load.
    linger: float = 0.0
    settle_seconds: float = 1_200.0


@dataclass
class Outcome:
    """A finished run."""

    history: History
    facts: Facts
    violations: list[Violation]
    injected: Counter[str]
    seed: int

    def figures(self) -> list[str]:
        """The lines of the summary."""
        faults = Counter[str](violation.fault for violation in self.violations)
        names = ("lost", "resurrected", "stale redirect", "residue")
        lost, resurrected, stale, residue = (faults[name] for name in names)
        injected = sum(n for name, n in self.injected.items() if name != "kills")
        return [
            f"operations: {len(self.history)}",
            f"kills: {self.injected['kills']}",
            f"faults: {injected}",
            f"deletions: {len(self.facts.records)}",
            f"links: {len(FinishedRun(list(self.history), self.facts).created)}",
            f"lost: {lost}",
            f"resurrected: {resurrected}",
            f"stale redirects: {stale}",
            f"residue: {residue}",
            f"seed: {self.seed}",
        ]

    def explained(self) -> list[str]:
        """The broken promises in words."""
        operations = list(self.history)
        lines = [explain(each, operations) for each in self.violations[:SHOWN]]
        if len(self.violations) > SHOWN:
            lines.append(f"… and {len(self.violations) - SHOWN} more")
        return lines


def new_tenant(stack: LocalStack) -> Tenant:
    """A new workspace, with a key that may undo."""
    workspace = stack.new_workspace()
    scopes = [each for each in SCOPES if each not in ("linksRestore", "admin")]
    undo_key = stack.access.add_key(workspace.workspace_id, "undo", scopes)
    return Tenant(workspace, undo_key, Pool())


def load(stack: LocalStack, plan: Plan, faults: Faults, say: Say) -> Outcome:
    """Run the load under faults, then check."""
    history = History()
    tenants = tuple(new_tenant(stack) for _ in range(plan.workspaces))
    watching = Client(stack.base_url, "visitors", history)
    site = Site(stack.base_url, history, Watcher(watching, f"{plan.seed} watcher"), tenants)
    visitors = [
        plan.visitor(f"w{number}v{each}", site, tenant, str(plan.seed), most=plan.most)
        for number, tenant in enumerate(tenants)
        for each in range(VISITORS)
    ]
    if plan.batch:
        # A separate workspace: the others choose among their newest links.
        alone = new_tenant(stack)
        tenants = (*tenants, alone)
        visitors.append(BatchVisitor("batch", site, alone, str(plan.seed), most=plan.batch))
    schedule = Schedule(stack)
    schedule.start()
    faults.start()
    site.watcher.start()
    for visitor in visitors:
        visitor.until = time.time() + plan.seconds
        visitor.latest = time.time() + 5 * plan.seconds
        visitor.least = plan.least
        visitor.pause = plan.pause
        visitor.start()
    for visitor in visitors:
        visitor.join()
    site.watcher.slow_down()
    time.sleep(plan.linger)
    faults.pause()
    say(f"{len(history)} operations; waiting for what was accepted ...")
    own = {tenant.id for tenant in tenants}
    settled = settle(stack, own, seconds=plan.settle_seconds)
    site.watcher.end()
    schedule.end()
    if not settled:
        say(f"still waiting: {waiting(stack, own)[:10]}")
    counts = faults.counts
    facts = read_facts(stack, tenants, fault_free=not any(counts.values()))
    if failed := [each.name for each in visitors if not each.done]:
        raise RuntimeError(f"These clients stopped with an error, printed above: {failed}")
    return Outcome(history, facts, check(list(history), facts), counts, plan.seed)


def keep(outcome: Outcome, stack: LocalStack) -> Path:
    """Write the history and the tables of a failed run, and return where."""
    directory = LOCAL_DIR / "chaos" / str(outcome.seed)
    outcome.history.write(directory / "history.jsonl")
    with (directory / "tables.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in dump(stack))
    (directory / "faults.txt").write_text("\n".join(outcome.explained()) + "\n")
    return directory
