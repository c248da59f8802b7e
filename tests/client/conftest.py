"""The command with a service, and with separate directories."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpcore2
import pytest
import typer.main

from tests.client.fake_service import KEY, FakeUnlink, served
from unlink_client.cli.app import run
from unlink_client.retries import Retries


@dataclass(frozen=True)
class Ran:
    """The output and exit code of a command."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def service() -> Iterator[FakeUnlink]:
    with served(FakeUnlink()) as running:
        yield running


@pytest.fixture
def environment(
    service: FakeUnlink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The variables of the command: the fake service, and directories of the test's own."""
    values = {
        "UNLINK_URL": service.url,
        "UNLINK_API_KEY": KEY,
        "UNLINK_STATE_DIR": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "HOME": str(tmp_path),
        # Without TLS the command needs no list of certification authorities, which is long.
        "SSL_CERT_DIR": str(tmp_path),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    short_retries = Retries(attempts=2, max_wait=1, first_pause=0.01)
    monkeypatch.setattr("unlink_client.cli.session._RETRIES", short_retries)
    for name in ("UNLINK_PROFILE", "COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return values


@pytest.fixture(scope="session", autouse=True)
def _made_once() -> Iterator[None]:
    """What each command makes again: the parser of the command line from its signatures, and the
    list of certification authorities, which the fake service without TLS does not need.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        patch.setattr(httpcore2, "default_ssl_context", cache(httpcore2.default_ssl_context))
        yield


@pytest.fixture
def unlinkctl(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> Run:
    """Run the command in this process, without a terminal: `unlinkctl("list", stdin=b"")`."""

    def call(*arguments: str, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        capfdbinary.readouterr()
        code = run(list(arguments))
        sys.stdout.flush()
        sys.stderr.flush()
        out, err = capfdbinary.readouterr()
        return Ran(code, out.decode(), err.decode())

    return call
