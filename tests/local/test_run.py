"""The output and errors of `make run` that need no running stack."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from local import run
from local.demo_data import Shown, Workspace, demo_links
from local.emulator import HOST, ROOT
from local.run import EXAMPLES, _write_private, curl


def _run(port: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local.run"],
        cwd=ROOT,
        env={**os.environ, "PORT": port},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        done = _run(str(port))
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"Port {port} is taken. ")


def test_an_invalid_port_is_one_clear_line() -> None:
    done = _run("http")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "is not a port" in done.stderr


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "8 000"])
def test_other_invalid_ports_are_the_same_line(
    port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", port)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert run.main() == 1
    written = capsys.readouterr()
    assert written.out == ""
    assert len(written.err.splitlines()) == 1
    assert "is not a port" in written.err


def test_the_file_of_keys_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "demo.env"
    # Left by an older version and by a run that was killed.
    for leftover in (path, tmp_path / "demo.env.new"):
        leftover.write_text("old")
        leftover.chmod(0o666)
    before = os.umask(0)
    try:
        _write_private(path, "API_KEY=x\n")
    finally:
        os.umask(before)
    assert path.read_text() == "API_KEY=x\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["demo.env"]


WORKSPACE = Workspace("demo", "free", api_key="KEY", read_key="READ", admin_key="ADMIN")


def _shown() -> Shown:
    links = [
        link | {"id": f"id-{n}", "shortCode": f"code{n}"} for n, link in enumerate(demo_links())
    ]
    return Shown(links, "deletion", "erasure", "export", "key-1")


def test_a_guide_line_can_be_pasted_into_a_shell() -> None:
    line = curl("http://127.0.0.1:1", WORKSPACE, "POST", "/api/links", _shown())
    words = shlex.split(line)
    assert words[:4] == ["curl", "-i", "-X", "POST"]
    assert "http://127.0.0.1:1/api/links" in words
    assert "Authorization: Bearer KEY" in words
    assert '"originalUrl"' in words[-1]


def test_redirects_are_shown_without_a_key() -> None:
    line = curl("http://127.0.0.1:1", WORKSPACE, "GET", "/{code}", _shown())
    assert line == "curl -i http://127.0.0.1:1/code0"


def test_a_restore_is_shown_with_a_key_that_has_the_scope() -> None:
    line = curl("", WORKSPACE, "POST", "/api/deletions/{id}/restore", _shown())
    assert "Authorization: Bearer ADMIN" in shlex.split(line)


def test_no_two_examples_delete_the_same_link() -> None:
    shown = _shown()
    used = [
        link["id"]
        for method, path in EXAMPLES
        if "delete" in path or method == "DELETE"
        for link in shown.links
        if re.search(rf"{link['id']}\b", curl("", WORKSPACE, method, path, shown))
    ]
    assert len(used) == len(set(used)) == 4


def test_there_are_25_demo_links_of_which_one_is_inactive() -> None:
    links = demo_links()
    assert len(links) == 25
    assert len([link for link in links if link.get("isActive") is False]) == 1
