"""`unlinkctl` on the deployed stack: the tours of the READMEs, the guide's lines, a kill."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from functions.domain.clock import iso
from local.commands import COMMANDS, command
from local.demo_data import Workspace, show
from local.stack import LocalStack
from tests.e2e.conftest import path_with, run, variables
from unlink_client import NewLink, Unlink, __version__

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_HOST = re.compile(r"http://127\.0\.0\.1:\d+")

Demo = tuple[Workspace, list[dict[str, Any]]]


@pytest.fixture
def path_with_program(tmp_path: Path) -> str:
    """A PATH on which `unlinkctl` is a process of its own, which can be killed."""
    return path_with(tmp_path / "bin", [sys.executable, "-m", "unlink_client"])


def tour(document: Path) -> list[tuple[str, str]]:
    """(script, expected output) of each block of commands that is followed by an output."""
    blocks = list(_BLOCK.finditer(document.read_text(encoding="utf-8")))
    return [
        (block["text"], following["text"])
        for block, following in itertools.pairwise(blocks)
        if block["kind"] == "sh" and following["kind"] == "text"
    ]


def as_shown(line: str) -> str:
    """A line without what differs in each run: the port, and how far columns are apart."""
    return " ".join(_HOST.sub("<host>", line).split())


@pytest.mark.parametrize("document", [ROOT / "README.md", ROOT / "client" / "README.md"], ids=str)
def test_a_tour_prints_the_documented_output(
    stack: LocalStack, tmp_path: Path, path_with_command: str, document: Path
) -> None:
    steps = tour(document)
    assert steps
    environment = variables(stack, stack.new_workspace(), path_with_command, tmp_path)
    for script, expected in steps:
        ran = run(["bash", "-euc", script], tmp_path, environment)
        assert ran.returncode == 0, (script, ran.stdout, ran.stderr)
        given = [as_shown(line) for line in ran.stdout.splitlines()]
        shown = [as_shown(line) for line in expected.splitlines()]
        assert len(given) == len(shown), ran.stdout
        for line, pattern in zip(given, shown, strict=True):
            parts = [re.escape(part) for part in pattern.split("…")]
            assert re.fullmatch(".*".join(parts), line), (line, pattern)


def test_every_line_of_the_guide_works_when_pasted(
    stack: LocalStack, demo: Demo, tmp_path: Path, path_with_command: str
) -> None:
    workspace, links = demo
    shown = show(stack.base_url, workspace, links)
    routes = set(stack.routes())
    for route in COMMANDS:
        assert route in routes
        line = command(workspace, *route, shown=shown) or ""
        ran = run(
            ["bash", "-c", line], tmp_path, variables(stack, workspace, path_with_command, tmp_path)
        )
        assert ran.returncode == 0, (line, ran.stdout, ran.stderr)
    assert (tmp_path / "link.svg").read_bytes().startswith(b"<svg ")
    assert (tmp_path / "link.ndjson").read_text().startswith('{"type":"link"')


def test_a_killed_delete_continues_where_it_stopped(
    stack: LocalStack, workspace: Workspace, tmp_path: Path, path_with_program: str
) -> None:
    with Unlink(stack.base_url, workspace.api_key) as unlink:
        ids = [
            link.id
            for link in unlink.create_all(
                NewLink(original_url=f"https://example.com/{n}") for n in range(1_500)
            )
        ]
        (tmp_path / "ids.txt").write_text("\n".join(ids))
        environment = variables(stack, workspace, path_with_program, tmp_path)
        output = tmp_path / "output.txt"
        for pause in (0.6, 1.1, 1.6, None):
            with output.open("w") as stdout:
                process = subprocess.Popen(
                    ["unlinkctl", "delete", "@ids.txt", "--yes"],
                    cwd=tmp_path,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            with suppress(subprocess.TimeoutExpired):
                process.wait(pause)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            assert process.returncode in (0, -signal.SIGKILL)
            # A command that has written its result is done, even if the kill came before its exit.
            if output.read_text():
                break
        assert output.read_text() == "Moved 1,500 links to the trash.\n"
        assert list(unlink.links()) == []
        deletions = list(unlink.deletions())
        assert [each.counts.deleted for each in deletions] == [1_500]


def test_the_stack_serves_an_installable_wheel(stack: LocalStack, tmp_path: Path) -> None:
    name = f"unlinkctl-{__version__}-py3-none-any.whl"
    with urllib.request.urlopen(f"{stack.base_url}/api/docs/{name}", timeout=60) as response:
        (tmp_path / name).write_bytes(response.read())
    target = tmp_path / "installed"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-index", "--target", str(target), str(tmp_path / name)),
        ],
        check=True,
    )
    ran = subprocess.run(
        [sys.executable, "-m", "unlink_client", "--version"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == f"unlinkctl {__version__}\n"


def test_a_key_that_may_only_undo_does_so_until_its_time_is_over(
    stack: LocalStack, workspace: Workspace, tmp_path: Path, path_with_command: str
) -> None:
    with Unlink(stack.base_url, workspace.admin_key) as administrator:
        first, second = (administrator.create(f"https://example.com/{n}").id for n in range(2))
        key = administrator.issue_key("editor", ["linksWrite", "linksUndo"]).secret
        assert key is not None
        environment = variables(stack, workspace, path_with_command, tmp_path)
        environment["UNLINK_API_KEY"] = key

        def unlinkctl(*arguments: str) -> subprocess.CompletedProcess[str]:
            return run(["unlinkctl", *arguments], tmp_path, environment)

        assert unlinkctl("delete", first, "--yes").returncode == 0
        ran = unlinkctl("undo")
        assert (ran.returncode, ran.stdout) == (0, "Restored 1 link.\n"), ran.stderr
        assert unlinkctl("delete", second, "--yes").returncode == 0
        deletion = next(administrator.deletions(page_size=1))
        complete_earlier(stack, workspace, deletion.id, minutes=16)

        ran = unlinkctl("undo")

        assert (ran.returncode, ran.stdout) == (6, "")
        assert "has linksRestore" in " ".join(ran.stderr.split())
        assert [link.id for link in administrator.trash()] == [second]


def complete_earlier(
    stack: LocalStack, workspace: Workspace, deletion_id: str, *, minutes: int
) -> None:
    """Change when a deletion was complete, in place of waiting."""
    stack.client("dynamodb").update_item(
        TableName=stack.outputs["DeletionsTableName"],
        Key={"pk": {"S": workspace.workspace_id}, "sk": {"S": deletion_id}},
        UpdateExpression="SET completedAt = :at",
        ConditionExpression="attribute_exists(completedAt)",
        ExpressionAttributeValues={":at": {"S": iso(time.time() - 60 * minutes)}},
    )
