"""The command at a terminal: prompts, widths, colours, messages."""

from __future__ import annotations

import ast
import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.client import command_process
from tests.client.command_process import Streams
from tests.client.conftest import Run
from tests.client.fake_service import FakeUnlink
from tests.client.support import hoko
from unlink_client import cli


def at_terminal(
    environment: dict[str, str], *arguments: str, typed: str = "", stdin: Path | None = None
) -> tuple[int, str]:
    """Exit code and screen of the command at a terminal, which is its standard input too."""
    controller, theirs = pty.openpty()
    terminal = os.ttyname(theirs)
    command = command_process.start(
        {"TERM": "xterm"} | environment,
        *arguments,
        streams=Streams(str(stdin or terminal), terminal, terminal),
    )
    screen, ends, waits_for = b"", time.monotonic() + 30, [controller, command.process.sentinel]
    while time.monotonic() < ends:
        ready = select.select(waits_for, [], [], 1)[0]
        if controller in ready:
            try:
                screen += os.read(controller, 65536)
            except OSError:
                # Every other end is closed, and everything was read.
                break
        elif ready:
            waits_for = [controller]
            os.close(theirs)
        if typed and (b"[y/N]" in screen or b"go ahead:" in screen):
            os.write(controller, typed.encode() + b"\n")
            typed = ""
    code = command.wait(10)
    os.close(controller)
    return code, screen.decode()


@pytest.mark.parametrize(
    ("arguments", "typed", "code", "deleted"),
    [
        ((), "y", 0, 2),
        ((), "yes", 0, 2),
        ((), "n", 3, 0),
        ((), "2", 3, 0),
        (("--erase",), "2", 0, 2),
        (("--erase",), "y", 3, 0),
        (("--erase",), "3", 3, 0),
    ],
)
def test_it_asks_before_it_deletes(
    service: FakeUnlink,
    environment: dict[str, str],
    arguments: tuple[str, ...],
    typed: str,
    code: int,
    deleted: int,
) -> None:
    service.add(2, tags=["tour"])
    ended, screen = at_terminal(environment, "delete", "--tag", "tour", *arguments, typed=typed)
    assert ended == code, screen
    assert len(service.deleted) == deleted
    assert "2 links with 2 clicks" in screen


@pytest.mark.parametrize(("typed", "code", "deleted"), [("y", 0, 2), ("n", 3, 0)])
def test_it_asks_at_the_terminal_if_ids_come_from_stdin(
    service: FakeUnlink,
    environment: dict[str, str],
    tmp_path: Path,
    typed: str,
    code: int,
    deleted: int,
) -> None:
    (tmp_path / "ids").write_text("\n".join(service.add(2)))
    ended, screen = at_terminal(environment, "delete", "-", typed=typed, stdin=tmp_path / "ids")
    assert ended == code, screen
    assert len(service.deleted) == deleted


def test_ids_that_are_not_live_are_named_before_it_asks(
    service: FakeUnlink, environment: dict[str, str]
) -> None:
    (known,) = service.add(1)
    unknown = "00000000-0000-4000-8000-000000000000"
    code, screen = at_terminal(environment, "delete", known, unknown)
    assert code == 4
    assert unknown in screen
    assert service.delete_requests == []


def test_it_asks_for_more_ids_than_the_plan_allows_in_one_request(
    service: FakeUnlink, environment: dict[str, str], tmp_path: Path
) -> None:
    service.max_ids = 2
    ids = service.add(5)
    (tmp_path / "ids").write_text("\n".join(ids))
    code, screen = at_terminal(environment, "delete", f"@{tmp_path / 'ids'}", typed="y")
    assert code == 0, screen
    assert "Move 5 links with 5 clicks to the trash?" in screen
    assert service.deleted == dict.fromkeys(ids, 1)


@pytest.mark.parametrize("columns", ["40", "60", "80", "120"])
def test_tables_fit_the_width(
    service: FakeUnlink, environment: dict[str, str], columns: str
) -> None:
    service.add(
        3,
        title="A long title " * 8,
        tags=["one", "two"],
        originalUrl="https://example.com/" + "x" * 90,
    )
    narrow = environment | {"COLUMNS": columns, "NO_COLOR": "1"}
    code, screen = at_terminal(narrow, "list")
    assert code == 0
    lines = [line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in screen.splitlines()]
    assert len(lines) == 4
    assert max(map(len, lines)) <= int(columns)
    assert all("Clicks" in line for line in lines[:1])


def test_no_color_means_no_colour(service: FakeUnlink, environment: dict[str, str]) -> None:
    _, coloured = at_terminal(environment, "list", "--profile", "x")
    _, plain = at_terminal(environment | {"NO_COLOR": "1"}, "list", "--profile", "x")
    assert "\x1b[31m" in coloured.replace("\x1b[1;31m", "\x1b[31m")
    assert "31m" not in plain


def test_titles_cannot_command_the_terminal(
    service: FakeUnlink, environment: dict[str, str]
) -> None:
    service.add(1, title="\x1b]0;owned\x07\x1b[2J\u202egnp.exe", shortCode="evil")
    _, screen = at_terminal(environment | {"COLUMNS": "120"}, "list")
    assert "owned" in screen
    assert "\x1b]0;" not in screen
    assert "\x1b[2J" not in screen
    assert "\u202e" not in screen


@pytest.mark.parametrize("links", [1, 2_000], ids=["at the end", "while writing"])
def test_output_that_cannot_be_written_is_one_line(
    service: FakeUnlink, environment: dict[str, str], tmp_path: Path, links: int
) -> None:
    service.add(links)
    streams = Streams("/dev/null", "/dev/full", str(tmp_path / "err"))
    command = command_process.start(environment, "list", "-o", "ndjson", streams=streams)
    assert command.wait(60) == 1
    error = (tmp_path / "err").read_text()
    assert error == "error: Cannot write the output: No space left on device\n"


def in_a_shell(environment: dict[str, str], line: str) -> subprocess.CompletedProcess[bytes]:
    """A line for a shell in which `unlinkctl` is the command."""
    path = {"PYTHONPATH": str(Path(cli.__path__[0]).parents[1])}
    program = f'unlinkctl() {{ "{sys.executable}" -m unlink_client "$@"; }}\n'
    return subprocess.run(
        ["bash", "-c", program + line],
        env=os.environ | environment | path,
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("line", "code", "error"),
    [
        ("unlinkctl delete - --yes <&-", 2, b"error: standard input is empty: there are no ids\n"),
        ("unlinkctl list -o ids >&-", 0, b""),
        ("unlinkctl delete none --yes 2>&-", 4, b""),
    ],
)
def test_a_closed_stream_is_empty_or_takes_everything(
    service: FakeUnlink, environment: dict[str, str], line: str, code: int, error: bytes
) -> None:
    service.add(1)
    ran = in_a_shell(environment, line)
    assert (ran.returncode, ran.stdout, ran.stderr) == (code, b"", error)


def test_data_in_a_pipe_is_utf_8_in_every_locale(
    service: FakeUnlink, environment: dict[str, str]
) -> None:
    service.add(1, title="Grüße")
    ran = in_a_shell(environment | {"PYTHONIOENCODING": "latin-1"}, "unlinkctl list -o json")
    assert json.loads(ran.stdout.decode())[0]["title"] == "Grüße", ran.stderr


def test_a_missing_scope_is_named_with_how_to_get_it(service: FakeUnlink, unlinkctl: Run) -> None:
    (link_id,) = service.add(1)
    service.before = lambda request: (
        (403, hoko("Missing required scopes", missingScopes=["linksWrite"]), {})
        if request.deletes
        else None
    )
    ran = unlinkctl("delete", link_id, "--yes")
    assert ran.code == 6
    assert "linksWrite" in ran.err
    assert "administrator" in ran.err


def test_a_refusal_of_the_firewall_is_no_missing_scope(service: FakeUnlink, unlinkctl: Run) -> None:
    body = {"statusCode": 403, "message": "Forbidden"} | hoko("Forbidden")
    service.before = lambda _: (403, body, {})
    ran = unlinkctl("list")
    assert ran.code == 6
    assert ran.err == "error: Forbidden\nThe service's firewall, or a proxy, refused the request.\n"


def test_a_rate_limit_is_waited_for_and_said(service: FakeUnlink, unlinkctl: Run) -> None:
    limited = iter([(429, hoko("Rate limit exceeded", retryAfter=1), {"Retry-After": "1"})])
    service.before = lambda _: next(limited, None)
    ran = unlinkctl("list")
    assert ran.code == 0
    assert "rate limit is reached: trying again in 1 s" in ran.err.lower()


def test_a_long_rate_limit_ends_with_try_again_later(service: FakeUnlink, unlinkctl: Run) -> None:
    service.before = lambda _: (
        429,
        hoko("Limit reached", retryAfter=3600, limit=5),
        {"Retry-After": "3600"},
    )
    ran = unlinkctl("list")
    assert ran.code == 75
    assert "Try again in 3600 s" in ran.err


def test_one_module_looks_at_the_terminal_when_it_is_imported() -> None:
    """`command_process` imports the others before a command has its terminal."""

    def looks(node: ast.AST) -> bool:
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            return False
        if isinstance(node, ast.Attribute) and node.attr in {"isatty", "get_terminal_size"}:
            return True
        return any(map(looks, ast.iter_child_nodes(node)))

    modules = Path(cli.__path__[0]).rglob("*.py")
    assert [each.name for each in modules if looks(ast.parse(each.read_bytes()))] == ["app.py"]


def test_help_and_completion_are_there(unlinkctl: Run) -> None:
    assert "unlinkctl list --tag tour" in unlinkctl("list", "--help").out
    assert "delete" in unlinkctl("--help").out
    assert unlinkctl("--version").out == "unlinkctl 1.0.0\n"


def test_data_goes_to_stdout_and_the_rest_to_stderr(service: FakeUnlink, unlinkctl: Run) -> None:
    (link_id,) = service.add(1)
    ran = unlinkctl("delete", link_id, "--yes", "-o", "ids")
    assert ran.out == f"{link_id}\n"
    assert "\x1b" not in ran.out + ran.err
