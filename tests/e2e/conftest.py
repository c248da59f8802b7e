"""The deployed stack, started once by the code of `make run`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local.demo_data import Workspace, seed_demo
from local.stack import LocalStack, bind, running
from tests.e2e.contract import Contract


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark all tests of this directory."""
    item.add_marker(pytest.mark.e2e)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Erasures take minutes: tests start them first and check them last, so that no test waits."""

    def place(item: pytest.Item) -> int:
        if item.get_closest_marker("at_first"):
            return 0
        return 2 if item.get_closest_marker("at_last") else 1

    items.sort(key=place)


@pytest.fixture(scope="session")
def contract() -> Contract:
    """Checks all responses against the OpenAPI document."""
    return Contract()


@pytest.fixture(scope="session")
def stack(contract: Contract) -> Iterator[LocalStack]:
    """The running service: `base_url`, `outputs`, `client(service)`, `new_workspace(plan)`."""
    bridge = bind()
    bridge.observe = contract.hold
    with running(bridge, name="e2e", say=print) as service:
        yield service


@pytest.fixture(autouse=True)
def _every_answer_is_documented(contract: Contract) -> Iterator[None]:
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


@pytest.fixture
def other_workspace(stack: LocalStack) -> Workspace:
    """A second workspace, as `workspace`."""
    return stack.new_workspace()


@pytest.fixture
def free_workspace(stack: LocalStack) -> Workspace:
    """A workspace on the free plan."""
    return stack.new_workspace("free")


@pytest.fixture(scope="session")
def demo(stack: LocalStack) -> tuple[Workspace, list[dict[str, Any]]]:
    """The demo workspace of `make run` with its links. Shared: read only."""
    made = stack.new_workspace()
    return made, seed_demo(stack.base_url, made.api_key)
