"""The rules by which the project is laid out: who may import whom, what is deployed."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.template import resources, synthesized_template

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = ROOT / "functions"
LAMBDAS = sorted(path for path in FUNCTIONS.glob("*.py") if path.name != "__init__.py")

#: What an installation or a build leaves in the working directory.
_NOT_OURS = {
    *(".git", ".venv", ".build", ".local", "node_modules", "cdk.out"),
    *("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"),
}


def sources(directory: str) -> list[Path]:
    found = sorted((ROOT / directory).rglob("*.py"))
    return [path for path in found if not _NOT_OURS & set(path.relative_to(ROOT).parts)]


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it; of `from a import b`, `a` and `a.b`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def of(package: str, names: set[str]) -> set[str]:
    """Those of `names` that are the package or lie in it."""
    return {name for name in names if name == package or name.startswith(f"{package}.")}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", LAMBDAS, ids=named)
def test_a_lambda_imports_only_what_all_of_them_share(path: Path) -> None:
    own = of("functions", imports(path))
    assert own - of("functions.unlink", own) <= {"functions"}


@pytest.mark.parametrize("path", sources("functions/unlink"), ids=named)
def test_what_the_lambdas_share_imports_no_lambda(path: Path) -> None:
    own = of("functions", imports(path))
    assert own - of("functions.unlink", own) <= {"functions"}


def test_only_the_stores_import_the_aws_sdk() -> None:
    offenders = [
        named(path)
        for path in sources("functions")
        if path.parent != FUNCTIONS / "unlink" / "stores"
        and (of("boto3", imports(path)) or of("botocore", imports(path)))
    ]
    assert offenders == []


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("infra", "functions"),
        ("infra", "local"),
        ("infra", "tests"),
        ("functions", "infra"),
        ("functions", "local"),
        ("functions", "tests"),
        ("functions", "administration"),
        ("functions", "bench"),
        ("functions", "app"),
        ("functions", "aws_cdk"),
        ("local", "infra"),
        ("local", "tests"),
        ("local", "app"),
        ("administration", "infra"),
        ("administration", "local"),
        ("administration", "tests"),
    ],
)
def test_rooms_that_must_not_know_each_other(importer: str, imported: str) -> None:
    offenders = [named(path) for path in sources(importer) if of(imported, imports(path))]
    assert offenders == []


def test_procedures_know_nothing_of_http() -> None:
    offenders = [
        named(path)
        for path in sources("functions/unlink/procedures")
        if of("functions.unlink.http", imports(path))
    ]
    assert offenders == []


def test_every_module_directly_in_functions_is_deployed_and_nothing_else() -> None:
    handlers = {
        str(function["Properties"]["Handler"])
        for function in resources(synthesized_template(), "AWS::Lambda::Function").values()
    }
    assert handlers == {f"functions.{path.stem}.handler" for path in LAMBDAS}


@pytest.mark.parametrize("path", LAMBDAS, ids=named)
def test_every_lambda_has_a_handler(path: Path) -> None:
    defined = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign):
            defined |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    assert "handler" in defined


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


def test_no_file_names_a_place_on_one_machine() -> None:
    found = {path: match[0] for path, text in texts() if (match := _PATH_OF_A_MACHINE.search(text))}
    assert found == {}


def test_no_file_names_a_package_registry() -> None:
    found = {path: match[0] for path, text in texts() if (match := _PACKAGE_REGISTRY.search(text))}
    assert found == {}
