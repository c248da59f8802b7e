"""What is deployed, and what no file may contain. import-linter checks the imports."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.template import properties_of, synthesized_template

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = ROOT / "functions"
LAMBDAS = sorted(set((FUNCTIONS / "handlers").glob("*.py")) - {FUNCTIONS / "handlers/__init__.py"})

#: What an installation or a build leaves in the working directory.
_NOT_OURS = {
    *(".git", ".venv", ".build", ".local", "node_modules", "cdk.out"),
    *("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"),
}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_handler_is_deployed_and_nothing_else() -> None:
    handlers = {
        str(function["Handler"])
        for function in properties_of(synthesized_template(), "AWS::Lambda::Function")
    }
    assert handlers == {f"functions.handlers.{path.stem}.handler" for path in LAMBDAS}


@pytest.mark.parametrize("path", LAMBDAS, ids=named)
def test_every_lambda_has_a_handler(path: Path) -> None:
    defined = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign):
            defined |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    assert "handler" in defined


@pytest.mark.parametrize("path", LAMBDAS, ids=named)
def test_a_handler_only_parses_calls_and_responds(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60


# -- what no file may carry -------------------------------------------------------------------

_PATH_OF_A_MACHINE = re.compile(r"(?<![\w.~-])/(?:home|Users|root|work|tmp|mnt)/\w")
_PACKAGE_REGISTRY = re.compile(
    r"https?://[^\s/\"']*(?:pypi|pythonhosted|npmjs|yarnpkg|artifactory|nexus|jfrog|codeartifact)"
    r"|^\s*(?:--(?:extra-)?index-url|--find-links|registry\s*=)",
    re.MULTILINE | re.IGNORECASE,
)


def texts() -> Iterator[tuple[str, str]]:
    """(path, content) of every text file of the project."""
    for directory, names, files in os.walk(ROOT):
        names[:] = [name for name in names if name not in _NOT_OURS]
        for file in files:
            path = Path(directory, file)
            if path.is_symlink() or file in _NOT_OURS:
                continue
            try:
                yield named(path), path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def test_no_file_has_a_local_path() -> None:
    found = {path: match[0] for path, text in texts() if (match := _PATH_OF_A_MACHINE.search(text))}
    assert found == {}


def test_no_file_has_a_package_registry() -> None:
    found = {path: match[0] for path, text in texts() if (match := _PACKAGE_REGISTRY.search(text))}
    assert found == {}


def test_only_the_directories_of_make_e2e_and_make_console_tests_have_end_to_end_tests() -> None:
    mark = "pytest.mark." + "e2e"
    assert {path for path, text in texts() if path.startswith("tests/") and mark in text} == {
        "tests/console/conftest.py",
        "tests/e2e/conftest.py",
    }
