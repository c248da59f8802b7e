from __future__ import annotations

import os
from pathlib import Path

import pytest
from execnet import gateway_io

from tests.support import forked_workers

_IMPORTED_IN = os.getpid()


def test_the_workers_of_a_run_share_its_imports() -> None:
    worker = "PYTEST_XDIST_WORKER" in os.environ

    assert (os.getppid() if worker else os.getpid()) == _IMPORTED_IN


def test_tests_that_cannot_be_imported_are_left_to_new_processes(
    tmp_path: Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test_some.py").write_text("raise ImportError", encoding="utf-8")
    monkeypatch.setattr(pytestconfig, "args", [str(tmp_path)])
    start = gateway_io.Popen2IOMaster

    forked_workers.pytest_xdist_setupnodes(pytestconfig, ["popen"])

    assert gateway_io.Popen2IOMaster is start
