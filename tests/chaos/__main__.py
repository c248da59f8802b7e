"""``python -m tests.chaos``: a chaos run on its own local stack.

MINUTES (3), SEED (random) and PORT (any free one) are variables of the environment; ``make chaos``
passes them on. docs/chaos.md says what it does.
"""

from __future__ import annotations

import os
import random
import sys

from local.emulator import EmulatorError
from local.stack import StackError
from tests.chaos.faults import Faults
from tests.chaos.run import PURGE_SECONDS, Plan, keep, load
from tests.chaos.settle import shorten_queues


def main() -> int:
    """Run and print the figures; 1 if a promise was broken, 2 if the run was not possible."""
    if sys.argv[1:]:
        say(__doc__)
        return 0 if sys.argv[1:] == ["--help"] else 2
    try:
        minutes = _number("MINUTES", 3)
        seed = int(_number("SEED", random.randrange(1_000_000)))
        port = int(_number("PORT", 0))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    say(f"Seed {seed}, {minutes:g} minutes of load.")
    least = int(minutes * 300)
    plan = Plan(
        seed=seed,
        seconds=minutes * 60,
        least=least,
        batch=int(min(10_000, minutes * 3_500)),
        linger=PURGE_SECONDS,
    )
    faults = Faults(seed)
    try:
        with faults.stack(name="chaos", say=say, port=port) as stack:
            shorten_queues(stack)
            outcome = load(stack, plan, faults, say)
            if outcome.violations:
                say(f"The history and the tables are in {keep(outcome, stack)}")
    except (EmulatorError, StackError) as error:
        print(error, file=sys.stderr)
        return 2
    say("\n".join(outcome.explained() + outcome.figures()))
    return 1 if outcome.violations else 0


def _number(name: str, default: float) -> float:
    """A variable of the environment; raises ``ValueError`` unless it is a number above 0."""
    text = os.environ.get(name, "")
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < 1e9:
        raise ValueError(f"{name}={text}: expected a number")
    return number


def say(line: str) -> None:
    """Print progress."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
