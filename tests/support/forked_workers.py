"""The workers of a run as forks of its first process, which imports the tests once for all.

A worker that execnet starts imports pytest, the SDK and every test module again: most of its work
until its first test.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import pytest
from _pytest.pathlib import import_path
from execnet import gateway_io
from execnet.gateway_base import ExecModel, Popen2IO, get_execmodel

#: Where loggers write that are made while pytest loads its plugins: files of its capture.
_OUTPUTS = (sys.stdout, sys.stderr)


class _Fork(Popen2IO):
    """A forked worker; for execnet, the process of a gateway."""

    def __init__(self, others: Sequence[_Fork]) -> None:
        from_worker, to_controller = os.pipe()
        from_controller, to_worker = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            # Another worker would not see that the controller has ended.
            for each in others:
                each.close_read()
                each.close_write()
            os.close(from_worker)
            os.close(to_worker)
            _work(from_controller, to_controller)
        os.close(from_controller)
        os.close(to_controller)
        super().__init__(
            os.fdopen(to_worker, "wb"), os.fdopen(from_worker, "rb"), get_execmodel("thread")
        )

    def wait(self) -> int:
        """The exit code, once the worker has ended."""
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def kill(self) -> None:
        """End the worker."""
        os.kill(self._pid, signal.SIGKILL)


def _work(from_controller: int, to_controller: int) -> None:
    """Run what the controller sends, as the process does that execnet starts. Never returns."""
    try:
        os.dup2(from_controller, 0)
        os.dup2(to_controller, 1)
        os.close(from_controller)
        os.close(to_controller)
        sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
        exec(eval(sys.stdin.readline()), {"__name__": "__main__"})
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        atexit._run_exitfuncs()
        os._exit(0)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: Sequence[object]) -> None:
    """Fork the workers before execnet starts a thread for the first one."""
    # After an error execnet starts the workers. They meet it too, and report it.
    with suppress(Exception):
        # The loggers that a module makes keep the output of this moment.
        with (
            redirect_stdout(os.fdopen(1, "w", buffering=1, closefd=False)),
            redirect_stderr(os.fdopen(2, "w", buffering=1, closefd=False)),
        ):
            _import_tests(config)
        _fork_workers(len(specs))


@pytest.fixture(scope="session", autouse=True)
def _output_of_loggers() -> None:
    """Let the loggers of the first process write where a worker's output is captured."""
    for number, each in enumerate(_OUTPUTS, start=1):
        # Without a file it is not inherited.
        with suppress(OSError):
            os.dup2(number, each.fileno())


def _fork_workers(count: int) -> None:
    gc.freeze()
    forks: list[_Fork] = []
    for _ in range(count):
        forks.append(_Fork(forks))
    start_process = gateway_io.Popen2IOMaster

    def start(arguments: Sequence[str], execmodel: ExecModel) -> Popen2IO:
        # A worker that crashed is replaced by a new process.
        return forks.pop(0) if forks else start_process(arguments, execmodel)

    pytest.MonkeyPatch().setattr(gateway_io, "Popen2IOMaster", start)


def _import_tests(config: pytest.Config) -> None:
    """Import the test modules that the command line names, or that are in its directories."""
    ignored = [Path(each).resolve() for each in config.getoption("ignore") or ()]
    for argument in config.args:
        named = Path(argument.split("::")[0]).resolve()
        for path in [named] if named.is_file() else sorted(named.rglob("test_*.py")):
            if not any(path.is_relative_to(each) for each in ignored):
                import_path(
                    path,
                    mode=config.getoption("importmode"),
                    root=config.rootpath,
                    consider_namespace_packages=config.getini("consider_namespace_packages"),
                )
