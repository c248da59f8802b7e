"""One emulator for a whole test run, shared by the workers of pytest-xdist.

The process that the user started owns it: the controller, or the only process. It starts the
emulator for the first test that needs one and ends it with the run. `local.emulator.Emulator`
ends it too when its owner is killed.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

import pytest

from local.emulator import HOST, Emulator, EmulatorError

_RESPONSE_TIMEOUT = 90
_PORT = "emulator_port"
_ERROR = "error: "


class SharedEmulator:
    """Starts at the first request for its URL, and serves that URL to other processes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._emulator: Emulator | None = None
        self._listener: socket.socket | None = None

    def url(self) -> str:
        """The endpoint of every AWS service, without a trailing slash; raises `EmulatorError`."""
        with self._lock:
            if self._emulator is None:
                self._emulator = Emulator(log_name="emulator-tests")
            return self._emulator.url

    def serve(self) -> int:
        """Send the URL to every connection; returns the port, the same at each call."""
        if self._listener is None:
            self._listener = socket.create_server((HOST, 0))
            threading.Thread(target=self._serve_url, args=[self._listener], daemon=True).start()
        port: int = self._listener.getsockname()[1]
        return port

    def stop(self) -> None:
        """Stop the emulator, and sending its URL."""
        if self._listener is not None:
            self._listener.close()
        with self._lock:
            if self._emulator is not None:
                self._emulator.stop()

    def _serve_url(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                # `stop` has closed it.
                return
            with connection, contextlib.suppress(OSError):
                try:
                    response = self.url()
                except EmulatorError as error:
                    response = f"{_ERROR}{error}"
                connection.sendall(response.encode())


def requested_from(port: int) -> str:
    """The URL that the `SharedEmulator` at `port` sends; raises `EmulatorError`."""
    with socket.create_connection((HOST, port), timeout=_RESPONSE_TIMEOUT) as connection:
        response = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
    if not response or response.startswith(_ERROR):
        raise EmulatorError(response.removeprefix(_ERROR) or "The test run has ended.")
    return response


# -- pytest's hooks; tests/conftest.py names this module as a plugin ----------------------------

_EMULATOR = pytest.StashKey[SharedEmulator]()


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.stash[_EMULATOR] = SharedEmulator()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where to ask; the controller calls this."""
    node.workerinput[_PORT] = node.config.stash[_EMULATOR].serve()


def pytest_unconfigure(config: pytest.Config) -> None:
    if _EMULATOR in config.stash:
        config.stash[_EMULATOR].stop()


@pytest.fixture(scope="session")
def emulator_url(request: pytest.FixtureRequest) -> str:
    """The endpoint of the run's emulator."""
    worker: dict[str, int] | None = getattr(request.config, "workerinput", None)
    if worker is None:
        return request.config.stash[_EMULATOR].url()
    return requested_from(worker[_PORT])
