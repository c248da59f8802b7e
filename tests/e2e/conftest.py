"""Fixtures of the end-to-end tests, in addition to `tests/support/deployed_stack.py`."""

from __future__ import annotations

from typing import Any

import pytest

from local.demo_data import Workspace, seed_demo
from local.stack import LocalStack


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark all tests of this directory."""
    item.add_marker(pytest.mark.e2e)


@pytest.fixture(autouse=True)
def _documented(every_response_is_documented: None) -> None:
    """Holds every test here."""


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
