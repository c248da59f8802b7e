"""`unlinkctl export`: the file is fetched completely, or the command fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.client import command_process
from tests.client.command_process import Streams
from tests.client.conftest import Run
from tests.client.fake_service import FakeUnlink, Reply, Request

_CONTENT = b'{"link":1}\n{"click":1}\n'


def exporting(service: FakeUnlink, *, status: int = 200, length: int = len(_CONTENT)) -> None:
    """Let the service answer an export, and fetching it with this status and Content-Length."""
    job = {"id": "e-1", "linkId": "l-1", "failure": None, "createdAt": "2026-11-22T03:01:38.584Z"}

    def before(request: Request) -> Reply | None:
        if request.path == "/file":
            return status, _CONTENT, {"Connection": "close", "Content-Length": str(length)}
        url = f"{service.url}/file"
        return 200, job | {"state": "complete", "url": url, "expiresAt": None}, {}

    service.before = before


@pytest.mark.parametrize("to_file", [True, False])
def test_an_export_is_written(
    service: FakeUnlink, unlinkctl: Run, tmp_path: Path, to_file: bool
) -> None:
    exporting(service)
    path = tmp_path / "out.ndjson"
    ran = unlinkctl("export", "summer", *(("-o", str(path)) if to_file else ()))
    assert ran.code == 0, ran.err
    assert (path.read_bytes() if to_file else ran.out.encode()) == _CONTENT
    assert "authorization" not in service.requests[-1].headers


@pytest.mark.parametrize("to_file", [True, False])
def test_a_connection_that_ends_too_early_is_an_error(
    service: FakeUnlink, unlinkctl: Run, tmp_path: Path, to_file: bool
) -> None:
    exporting(service, length=1_000)
    path = tmp_path / "out.ndjson"
    ran = unlinkctl("export", "summer", *(("-o", str(path)) if to_file else ()))
    assert ran.code == 1
    assert f"received {len(_CONTENT)} bytes, expected 1000" in " ".join(ran.err.split())


@pytest.mark.parametrize("to_file", [True, False])
def test_a_disk_that_is_full_is_not_an_export_that_cannot_be_fetched(
    service: FakeUnlink, environment: dict[str, str], tmp_path: Path, to_file: bool
) -> None:
    exporting(service)
    streams = Streams(os.devnull, "/dev/full", str(tmp_path / "err"))
    option = ("-o", "/dev/full") if to_file else ()
    command = command_process.start(environment, "export", "summer", *option, streams=streams)
    assert command.wait(60) == 1
    what = "/dev/full" if to_file else "the output"
    assert (tmp_path / "err").read_text() == (
        f"error: Cannot write {what}: No space left on device\n"
    )


def test_an_export_that_is_gone_is_an_error_without_its_signed_url(
    service: FakeUnlink, unlinkctl: Run
) -> None:
    exporting(service, status=404)
    ran = unlinkctl("export", "summer")
    assert (ran.code, ran.err) == (1, "error: The export could not be fetched: HTTP 404\n")


def test_a_file_of_an_export_is_its_owners_and_complete(
    service: FakeUnlink, unlinkctl: Run, tmp_path: Path
) -> None:
    exporting(service)
    path = tmp_path / "out.ndjson"
    assert unlinkctl("export", "summer", "-o", str(path)).code == 0
    assert path.stat().st_mode & 0o777 == 0o600

    # The next export fails, and the file of the last one is still there.
    exporting(service, length=1_000)
    assert unlinkctl("export", "summer", "-o", str(path)).code == 1
    assert path.read_bytes() == _CONTENT
    assert [each for each in tmp_path.iterdir() if each.name.startswith(".out")] == []


def test_an_export_into_no_directory_is_not_started(
    service: FakeUnlink, unlinkctl: Run, tmp_path: Path
) -> None:
    exporting(service)
    ran = unlinkctl("export", "summer", "-o", str(tmp_path / "none" / "out.ndjson"))
    assert ran.code == 2
    assert f"There is no directory {tmp_path / 'none'}" in ran.err
    assert service.requests == []


def test_a_pipe_is_written_and_not_replaced(
    service: FakeUnlink, unlinkctl: Run, tmp_path: Path
) -> None:
    exporting(service)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert unlinkctl("export", "summer", "-o", str(pipe)).code == 0
        assert os.read(reader, 1_000) == _CONTENT
    finally:
        os.close(reader)
    assert pipe.is_fifo()
