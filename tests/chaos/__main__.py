"""``python -m tests.chaos``: a chaos run on a local stack of its own."""

from __future__ import annotations

import os
import random
import sys

from local.emulator import EngineError
from local.stack import StackError
from tests.chaos.faults import Faults
from tests.chaos.run import Plan, keep, load
from tests.chaos.settle import shorten_queues


def main() -> int:
    """Run, print the figures; 1 if a promise was broken."""
    minutes = float(os.environ.get("MINUTES") or 3)
    seed = int(os.environ.get("SEED") or random.randrange(1_000_000))
    print(f"seed {seed}, {minutes:g} minutes of load", flush=True)
    try:
        port = int(os.environ.get("PORT") or 0)
        faults = Faults(seed)
        with faults.stack(name="chaos", say=say, port=port) as stack:
            shorten_queues(stack)
            outcome = load(stack, Plan(seed=seed, seconds=minutes * 60), faults, say)
            if outcome.violations:
                say(f"The history and the tables are in {keep(outcome, stack)}")
    except (EngineError, StackError) as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(outcome.explained() + outcome.figures()), flush=True)
    return 1 if outcome.violations else 0


def say(line: str) -> None:
    """Print progress."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
