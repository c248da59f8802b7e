"""Runs the mutations against one stack: ``python -m tests.chaos.mutation_run``."""

from __future__ import annotations

import sys
import time

from local.stack import LocalStack
from tests.chaos.deployed_code import DeployedCode
from tests.chaos.faults import Faults
from tests.chaos.mutations import MUTATIONS, Mutation
from tests.chaos.run import Outcome, Plan, Say, keep, load
from tests.chaos.scenarios import ERASE_DELAY
from tests.chaos.settle import shorten_queues

#: Rounds at most with a mutation, and with whole code.
ROUNDS = 15
WHOLE_ROUNDS = 5
#: At most: a round ends after its repetitions, in seconds on a quiet machine.
LOAD_SECONDS = 90.0
#: How long to wait for the work of a mutated function, which may never end, and of an unchanged
#: one, whose leases expire first.
SETTLE_SECONDS = 40.0
WHOLE_SETTLE_SECONDS = 300.0


def run_mutated(stack: LocalStack, faults: Faults, mutation: Mutation, say: Say) -> Outcome:
    """Rounds of the directed load until the checker finds the mutation, which is deployed.

    A mutation is a race that is lost often, but not in every round. Returns the last round.
    """
    for seed in range(1, ROUNDS + 1):
        outcome = _round(stack, faults, mutation, say, seed, SETTLE_SECONDS)
        if found(outcome, mutation):
            break
    return outcome


def run_whole(stack: LocalStack, faults: Faults, mutation: Mutation, say: Say) -> Outcome:
    """The same rounds with nothing removed, until one has a violation. Returns the last one."""
    for seed in range(1, WHOLE_ROUNDS + 1):
        outcome = _round(stack, faults, mutation, say, seed, WHOLE_SETTLE_SECONDS)
        if outcome.violations:
            break
    return outcome


def _round(
    stack: LocalStack, faults: Faults, mutation: Mutation, say: Say, seed: int, settle: float
) -> Outcome:
    faults.change(seed, mutation.rates)
    plan = Plan(
        seed=seed,
        seconds=LOAD_SECONDS,
        workspaces=2,
        visitor=mutation.scenario,
        most=mutation.most,
        settle_seconds=settle,
    )
    return load(stack, plan, faults, say)


def found(outcome: Outcome, mutation: Mutation) -> bool:
    """Whether the checker says what breaks with this mutation."""
    return any(
        each.fault == mutation.fault and mutation.text in each.text for each in outcome.violations
    )


def main() -> int:
    """Each mutation, or those whose name has one of the arguments; ``--without`` mutates nothing.

    1 if a mutation was not found, or something without any.
    """
    names = [each for each in sys.argv[1:] if not each.startswith("--")]
    without = "--without" in sys.argv
    chosen = [each for each in MUTATIONS if not names or any(name in each.name for name in names)]
    failed = 0
    faults = Faults(1)
    with faults.stack(name="mutations", say=_say) as stack:
        shorten_queues(stack, erase_delay=ERASE_DELAY)
        code = DeployedCode(stack)
        for mutation in chosen:
            began = time.monotonic()
            if without:
                outcome = run_whole(stack, faults, mutation, _quiet)
                good = not outcome.violations
            else:
                with code.mutated(mutation):
                    outcome = run_mutated(stack, faults, mutation, _quiet)
                good = found(outcome, mutation)
            failed += not good
            if not good:
                _say(f"The history and the tables are in {keep(outcome, stack)}")
            took = time.monotonic() - began
            _say(f"{'as expected' if good else 'UNEXPECTED'}: {mutation.name} ({took:.0f} s)")
            _say(f"  {outcome.figures()[0]}, {dict(outcome.injected)}")
            for each in sorted({(each.fault, each.text) for each in outcome.violations})[:6]:
                _say(f"  {each[0]}: {each[1]}")
    return 1 if failed else 0


def _say(line: str) -> None:
    print(line, flush=True)


def _quiet(_line: str) -> None:
    """Each mutation has one line."""


if __name__ == "__main__":
    sys.exit(main())
