"""A minute of chaos on a separate stack keeps every promise, and the checker finds each mutation.

`make chaos` runs longer, with a seed of your choice. See docs/chaos.md.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from local.stack import LocalStack
from tests.chaos.deployed_code import DeployedCode
from tests.chaos.faults import FaultRates, Faults
from tests.chaos.mutation_run import found, run_mutated
from tests.chaos.mutations import MUTATIONS, Mutation
from tests.chaos.run import PURGE_SECONDS, Plan, keep, load
from tests.chaos.scenarios import ERASE_DELAY
from tests.chaos.settle import shorten_queues

LOAD_SECONDS = 60
#: Requests of the run. A slow machine gets more time for them, because faults are a share of them.
LEAST = 500


@pytest.fixture(scope="module")
def faults() -> Faults:
    """The faults of this file's stack."""
    return Faults(0)


@pytest.fixture(scope="module")
def faulty_stack(faults: Faults) -> Iterator[LocalStack]:
    """A separate stack, so that its faults affect no other test."""
    with faults.stack(name="e2e-chaos", say=print) as stack:
        shorten_queues(stack)
        yield stack


def test_every_promise_is_kept_under_faults(
    faulty_stack: LocalStack, faults: Faults, report_figure: Callable[[str], None]
) -> None:
    seed = random.randrange(1_000_000)
    print(f"SEED={seed} make chaos")
    faults.change(seed, FaultRates())
    plan = Plan(seed=seed, seconds=LOAD_SECONDS, least=LEAST, batch=1_000, linger=PURGE_SECONDS)

    outcome = load(faulty_stack, plan, faults, print)

    if outcome.violations:
        print(f"The history and the tables are in {keep(outcome, faulty_stack)}")
    assert not outcome.violations, "\n".join(outcome.explained())
    assert outcome.injected["kills"] > 0
    assert sum(outcome.injected.values()) > 50
    for line in outcome.figures():
        report_figure(f"chaos: {line}")


@pytest.fixture(scope="module")
def code(faulty_stack: LocalStack) -> DeployedCode:
    """The stack's functions; the erase queue delivers sooner, as the scenarios expect."""
    shorten_queues(faulty_stack, erase_delay=ERASE_DELAY)
    return DeployedCode(faulty_stack)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_is_found(
    faulty_stack: LocalStack, faults: Faults, code: DeployedCode, mutation: Mutation
) -> None:
    with code.mutated(mutation):
        outcome = run_mutated(faulty_stack, faults, mutation, print)

    assert found(outcome, mutation), "\n".join(outcome.figures() + outcome.explained())
