"""Fixtures of the end-to-end tests, in addition to `tests/support/deployed_stack.py`."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.demo_data import Workspace, seed_demo
from local.emulator import ROOT
from local.stack import LocalStack
from tests.support import unlinkctl
from tests.support.warm_command import warm_command


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


@pytest.fixture(scope="session")
def path_with_command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PATH on which `unlinkctl` is the one of this checkout, with its packages loaded."""
    directory = tmp_path_factory.mktemp("unlinkctl")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "client")])}
    with warm_command(unlinkctl.__name__, directory, environment) as words:
        yield path_with(directory / "bin", words)


def path_with(directory: Path, words: list[str]) -> str:
    """A PATH on which `unlinkctl` runs this command with the client of this checkout."""
    directory.mkdir()
    script = directory / "unlinkctl"
    client = shlex.quote(str(ROOT / "client"))
    script.write_text(f'#!/bin/sh\nPYTHONPATH={client} exec {shlex.join(words)} "$@"\n')
    script.chmod(0o755)
    return f"{directory}{os.pathsep}{os.environ['PATH']}"


def variables(stack: LocalStack, workspace: Workspace, path: str, state: Path) -> dict[str, str]:
    """The environment of a command that works for this workspace."""
    return os.environ | {
        "PATH": path,
        "BASE_URL": stack.base_url,
        "UNLINK_URL": stack.base_url,
        "UNLINK_API_KEY": workspace.api_key,
        "ADMIN_KEY": workspace.admin_key,
        "UNLINK_STATE_DIR": str(state),
        "HOME": str(state),
        # Without TLS the command needs no list of certification authorities, which is long.
        "SSL_CERT_DIR": str(state),
    }


def run(
    command: list[str], directory: Path, environment: dict[str, str], timeout: int = 120
) -> subprocess.CompletedProcess[str]:
    """A command that ran without a terminal, with any exit code."""
    return subprocess.run(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
