"""The deployed stack of the end-to-end tests, brought up once by the code behind `make run`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from local.demo_data import Workspace
    from local.stack import LocalStack
    from tests.support.contract import Contract


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Erasures take minutes: tests start them first and check them last, so that no test waits."""

    def place(item: pytest.Item) -> int:
        if item.get_closest_marker("at_first"):
            return 0
        if item.get_closest_marker("at_end"):
            return 3
        return 2 if item.get_closest_marker("at_last") else 1

    items.sort(key=place)


@pytest.fixture(scope="session")
def contract() -> Contract:
    """Checks all responses against the OpenAPI document."""
    # Here, because every test process loads this module.
    from tests.support.contract import Contract

    return Contract()


@pytest.fixture(scope="session")
def stack_name() -> str:
    """Of the stack's files. Runs at the same time have stacks of their own."""
    return "e2e"


@pytest.fixture(scope="session")
def stack(contract: Contract, stack_name: str) -> Iterator[LocalStack]:
    """The running service: `base_url`, `outputs`, `client(service)`, `new_workspace(plan)`."""
    from local.stack import bind, running

    bridge = bind()
    bridge.observe = contract.hold
    with running(bridge, name=stack_name, say=print) as service:
        yield service


@pytest.fixture
def every_response_is_documented(contract: Contract) -> Iterator[None]:
    """Every response in a test must match the OpenAPI document."""
    contract.breaches.clear()
    yield
    assert not contract.breaches, "\n".join(contract.breaches[:10])


@pytest.fixture
def base_url(stack: LocalStack) -> str:
    """Without a trailing slash."""
    return stack.base_url


@pytest.fixture
def workspace(stack: LocalStack) -> Workspace:
    """A new workspace on the enterprise plan: `api_key`, `read_key`, `admin_key`."""
    return stack.new_workspace()
