"""The files of synthesized templates: written once, complete, and only for the same code."""

from __future__ import annotations

import ast
import os
import threading
import time
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from tests.support import synthesis
from tests.support.synthesis import Assembly, Context


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Context]:
    """The contexts that were really synthesized, into an empty directory."""
    contexts: list[Context] = []

    def fresh(context: Context) -> Assembly:
        contexts.append(context)
        templates: dict[str, synthesis.Template] = {
            "main": {"Resources": {"Number": len(contexts)}},
            "other": {"Resources": {}},
        }
        return {"main": "main", "templates": templates, "regions": {}, "errors": {}}

    monkeypatch.setattr(synthesis, "CACHE", tmp_path / "templates")
    monkeypatch.setattr(synthesis, "_fresh", fresh)
    return contexts


def test_a_context_is_synthesized_once(made: list[Context]) -> None:
    first = synthesis.synthesize(stage="dev")
    assert synthesis.synthesize(stage="dev") == first
    assert made == [{"stage": "dev"}]


def test_another_stack_of_the_app_is_in_the_same_file(made: list[Context]) -> None:
    assert synthesis.synthesize("other") == {"Resources": {}}
    assert synthesis.synthesize() == {"Resources": {"Number": 1}}


def test_contexts_do_not_share_a_file(made: list[Context]) -> None:
    contexts: list[dict[str, str | bool]] = [{}, {"waf": True}, {"waf": "true"}, {"waf": False}]
    found = [synthesis.synthesize(**context)["Resources"]["Number"] for context in contexts]
    assert found == [1, 2, 3, 4]


def test_a_caller_may_modify_its_template(made: list[Context]) -> None:
    synthesis.synthesize()["Resources"].clear()
    assert synthesis.synthesize()["Resources"] == {"Number": 1}


def test_a_second_worker_waits_for_the_first(
    made: list[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh, entered, finish = synthesis._fresh, threading.Event(), threading.Event()

    def slow(context: Context) -> Assembly:
        entered.set()
        assert finish.wait(30)
        return fresh(context)

    monkeypatch.setattr(synthesis, "_fresh", slow)
    found: list[dict[str, Any]] = []
    workers = [
        threading.Thread(target=lambda: found.append(synthesis.synthesize())) for _ in range(2)
    ]
    workers[0].start()
    assert entered.wait(30)
    workers[1].start()
    finish.set()
    for worker in workers:
        worker.join(30)
    assert found == [{"Resources": {"Number": 1}}] * 2
    assert len(made) == 1


def test_a_failed_synthesis_leaves_no_template(
    made: list[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(synthesis, "_fresh", Mock(side_effect=ValueError("unknown stage")))
        with pytest.raises(ValueError, match="unknown stage"):
            synthesis.synthesize()
    assert synthesis.synthesize() == {"Resources": {"Number": 1}}


@pytest.mark.parametrize("edited", ["app.py", "cdk.json", "infra/stack.py", "functions/a/b.json"])
def test_an_edit_makes_a_new_template(
    made: list[Context], edited: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "project"
    for name in ("app.py", "cdk.json", "infra/stack.py", "functions/a/b.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("before")
    monkeypatch.setattr(synthesis, "ROOT", root)
    monkeypatch.setattr(synthesis, "__file__", str(root / "app.py"))

    def key() -> str:
        synthesis._inputs.cache_clear()
        return synthesis._key({})

    before = key()
    assert key() == before
    (root / edited).write_text("after")
    assert key() != before
    synthesis._inputs.cache_clear()


def test_old_files_are_removed_when_a_new_one_is_written(made: list[Context]) -> None:
    synthesis.synthesize(stage="old")
    synthesis.synthesize(stage="young")
    long_ago = time.time() - synthesis._STALE_SECONDS - 60
    for path in synthesis.CACHE.glob(f"{synthesis._key({'stage': 'old'})}.*"):
        os.utime(path, (long_ago, long_ago))
    synthesis.synthesize(stage="new")
    assert {path.stem for path in synthesis.CACHE.glob("*.json")} == {
        synthesis._key({"stage": stage}) for stage in ("young", "new")
    }


#: Modules that start Node when they are imported.
CDK = {"aws_cdk", "cdk_nag", "app", "infra"}
#: The parts of `infra` that do without.
LIGHT = {
    "infra.client_wheel",
    "infra.console",
    "infra.http_headers",
    "infra.packaging",
    "infra.service_models",
    "infra.settings",
    "infra.sizes",
    "infra.stages",
}
#: What tests import that may import more of the project.
IMPORTED = ("admin", "bench", "local", "tests")


def test_collecting_the_tests_loads_no_cdk() -> None:
    """Every worker collects every test; a test that needs the CDK imports it where it is used."""
    found = set()
    for directory in IMPORTED:
        for path in (synthesis.ROOT / directory).rglob("*.py"):
            for name in _imported(path):
                if name.split(".")[0] in CDK and name not in LIGHT:
                    found.add(f"{path.name}: {name}")
    assert found == set()


def test_the_parts_of_infra_that_tests_import_load_no_cdk() -> None:
    for module in LIGHT:
        path = synthesis.ROOT / f"{module.replace('.', '/')}.py"
        assert {name for name in _imported(path) if name.split(".")[0] in CDK} <= LIGHT, module


def _imported(path: Path) -> set[str]:
    """The modules that a file imports when it is imported itself."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "infra":
            found |= {f"infra.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
    return found
