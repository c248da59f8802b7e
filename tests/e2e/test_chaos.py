"""A minute of load under faults, on a separate stack, keeps every promise.

`make chaos` runs longer, with a seed of your choice. See docs/chaos.md.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.chaos.faults import Faults
from tests.chaos.run import PURGE_SECONDS, Plan, keep, load
from tests.chaos.settle import shorten_queues

LOAD_SECONDS = 60
#: A slow machine gets more time for this number of requests, because faults are a share of them.
LEAST = 500
#: On a quick machine the clients wait, and leave its processors to the other tests.
PAUSE = 0.1


def test_every_promise_is_kept_under_faults(report_figure: Callable[[str], None]) -> None:
    seed = random.randrange(1_000_000)
    print(f"SEED={seed} make chaos")
    faults = Faults(seed)
    plan = Plan(
        seed=seed,
        seconds=LOAD_SECONDS,
        least=LEAST,
        pause=PAUSE,
        batch=1_000,
        linger=PURGE_SECONDS,
    )

    # A separate stack, so that its faults affect no other test.
    with faults.stack(name="e2e-chaos", say=print) as stack:
        shorten_queues(stack)
        outcome = load(stack, plan, faults, print)
        if outcome.violations:
            print(f"The history and the tables are in {keep(outcome, stack)}")

    assert not outcome.violations, "\n".join(outcome.explained())
    assert outcome.injected["kills"] > 0
    assert sum(outcome.injected.values()) > 50
    for line in outcome.figures():
        report_figure(f"chaos: {line}")
