"""One emulator for the tests of the processes of functions: each of them has its own function."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.emulator import Emulator


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator(log_name="test-functions") as emulator:
        yield emulator
