"""The checker finds each mutation, on a separate stack. See docs/chaos.md."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.stack import LocalStack
from tests.chaos.deployed_code import DeployedCode
from tests.chaos.faults import Faults
from tests.chaos.mutation_run import found, run_mutated
from tests.chaos.mutations import MUTATIONS, Mutation
from tests.chaos.scenarios import ERASE_DELAY
from tests.chaos.settle import shorten_queues


@pytest.fixture(scope="module")
def faults() -> Faults:
    """The faults of this file's stack."""
    return Faults(0)


@pytest.fixture(scope="module")
def faulty_stack(faults: Faults) -> Iterator[LocalStack]:
    """A separate stack, whose erase queue delivers sooner, as the scenarios expect."""
    with faults.stack(name="e2e-mutations", say=print) as stack:
        shorten_queues(stack, erase_delay=ERASE_DELAY)
        yield stack


@pytest.fixture(scope="module")
def code(faulty_stack: LocalStack) -> DeployedCode:
    """The stack's functions."""
    return DeployedCode(faulty_stack)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_is_found(
    faulty_stack: LocalStack, faults: Faults, code: DeployedCode, mutation: Mutation
) -> None:
    with code.mutated(mutation):
        outcome = run_mutated(faulty_stack, faults, mutation, print)

    assert found(outcome, mutation), "\n".join(outcome.figures() + outcome.explained())
