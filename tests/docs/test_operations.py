"""The runbook: local commands run, and the names in it exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from tests.support.template import synthesized_template

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs/operations.md").read_text(encoding="utf-8")


def local_commands() -> list[str]:
    section = RUNBOOK.split("## On this machine", 1)[1].split("\n## ", 1)[0]
    [block] = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [str(line) for line in block.strip().splitlines()]


#: Run by tests/infra/test_synthesis.py, which looks at what it writes too.
SYNTHESIS = ".venv/bin/python app.py"


def test_the_synthesis_is_a_local_command() -> None:
    assert SYNTHESIS in local_commands()


@pytest.mark.exhaustive
@pytest.mark.parametrize("command", [each for each in local_commands() if each != SYNTHESIS])
def test_a_local_command_works(command: str, tmp_path: Path) -> None:
    done = subprocess.run(
        shlex.split(command),
        cwd=ROOT,
        env={**os.environ, "CDK_OUTDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_shell_blocks_parse() -> None:
    for block in re.findall(r"^ *```sh\n(.*?)```", RUNBOOK, re.DOTALL | re.MULTILINE):
        done = subprocess.run(
            ["sh", "-n"], input=block, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, f"{block}\n{done.stderr}"


def test_the_outputs_that_commands_read_exist() -> None:
    named = set(re.findall(r"\$\(out (\w+)\)", RUNBOOK))
    assert named
    assert named <= set(synthesized_template("prod")["Outputs"])


def test_every_shipped_dependency_is_listed_with_its_licence() -> None:
    listed = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    pinned = re.findall(
        r"^([a-z0-9-]+)==([^ ]+)",
        (ROOT / "functions/requirements.txt").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    for name, version in pinned:
        assert f"| {name} | {version} |" in listed, (
            f"{name} {version} is not in docs/dependencies.md"
        )
        assert metadata.version(name) == version
