"""The CI workflow: its permissions, and that it runs the same commands as a developer."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

#: Comes with the CDK's checks, without type stubs.
yaml: Any = importlib.import_module("yaml")

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def workflow() -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    return loaded


def steps() -> list[dict[str, Any]]:
    return [step for job in workflow()["jobs"].values() for step in job["steps"]]


def test_ci_runs_make_test_and_make_audit() -> None:
    runs = {
        name: [s["run"] for s in job["steps"] if "run" in s]
        for name, job in workflow()["jobs"].items()
    }
    assert runs == {"test": ["make test"], "audit": ["make audit"]}


def test_the_audit_is_scheduled() -> None:
    # YAML 1.1 reads the key `on` as true.
    [schedule] = workflow()[True]["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* \*", schedule["cron"])
    assert workflow()["jobs"]["test"]["if"] == "github.event_name != 'schedule'"
    assert "if" not in workflow()["jobs"]["audit"]


def test_ci_has_read_only_permissions() -> None:
    assert workflow()["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in workflow()["jobs"].values())
    for step in steps():
        if "uses" in step:
            assert step["with"] == {"persist-credentials": False}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    uses = re.findall(r"uses: (\S+)(.*)", path.read_text(encoding="utf-8"))
    assert uses
    for action, comment in uses:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action), action
        # The version of the commit, for the next update.
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action


def test_every_lock_is_audited() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    audit = makefile.split("\naudit:", 1)[1].split("\n\n", 1)[0]
    locks = {
        str(lock.relative_to(ROOT))
        for pattern in ("requirements*.txt", "*/requirements*.txt")
        for lock in ROOT.glob(pattern)
        if ".venv" not in lock.parts and "node_modules" not in lock.parts
    }
    assert locks
    assert {lock for lock in locks if lock not in audit} == set()
