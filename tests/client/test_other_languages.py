"""The commands and the program of docs/other-languages.md, on the document as it is deployed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.client.fake_service import KEY, FakeUnlink
from tests.support.openapi import openapi_document
from tests.support.synthesis import remembered

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "other-languages.md"
_BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_VERSION = re.compile(r"--package (?P<name>\S+)@(?P<version>\S+)")


def blocks(kind: str) -> list[str]:
    page = PAGE.read_text(encoding="utf-8")
    return [block["text"] for block in _BLOCK.finditer(page) if block["kind"] == kind]


def run(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that finds the npm packages of this checkout, and fetches none."""
    return subprocess.run(
        command,
        cwd=directory,
        env=os.environ | {"BASE_URL": directory.as_uri(), "npm_config_offline": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_page_names_the_versions_that_are_pinned() -> None:
    pinned = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    named = dict(_VERSION.findall(PAGE.read_text(encoding="utf-8")))
    assert named == {name: pinned[name] for name in ("openapi-typescript-codegen", "typescript")}


def misspelled(program: str) -> str:
    """The program's function with a filter that the document does not have.

    The compiler must refuse it in each request: it refuses a comment that expects no error.
    """
    _, function = program.replace("{ tag }", "{ tagg: tag }").split("\n\n", 1)
    assert "tagg" in function
    lines = [
        f"// @ts-expect-error\n{line}" if "requestBody" in line else line
        for line in function.replace("function tidy", "function misspelled").splitlines()
    ]
    return "\n".join(lines)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A directory with what the page makes of the document when it is followed.

    It is not followed again for the same page, document, packages and test, which takes 2 s.
    """
    document = json.dumps(openapi_document())
    read = [each.read_bytes() for each in (PAGE, ROOT / "package-lock.json", Path(__file__))]
    key = hashlib.sha256(b"\0".join([document.encode(), *read])).hexdigest()[:32]
    for name, text in remembered(key, lambda: _followed(tmp_path / "page", document)).items():
        path = tmp_path / "made" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "made"


def _followed(directory: Path, document: str) -> dict[str, str]:
    """Follow the page from top to bottom; the programs that this makes, by path."""
    (directory / "api").mkdir(parents=True)
    (directory / "node_modules").symlink_to(ROOT / "node_modules")
    (directory / "api" / "openapi.json").write_text(document, encoding="utf-8")
    (program,) = blocks("ts")
    text = program + misspelled(program)
    (directory / "tidy.ts").write_text(text, encoding="utf-8")
    for script in blocks("sh"):
        ran = run(directory, "bash", "-euc", script)
        assert ran.returncode == 0, (script, ran.stdout, ran.stderr)
    return {
        path.relative_to(directory).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(directory.rglob("*.js"))
        if "node_modules" not in path.relative_to(directory).parts
    }


@pytest.mark.exhaustive
def test_the_program_in_typescript_is_checked_and_deletes(made: Path, service: FakeUnlink) -> None:
    service.add(2, tags=["tour"])
    (kept,) = service.add(1, tags=["other"])
    call = "require('./tidy.js').tidy(...process.argv.slice(1)).then(console.log)"

    ran = run(made, "node", "-e", call, service.url, KEY, "tour")

    assert (ran.returncode, ran.stdout) == (0, "2\n"), ran.stderr
    assert list(service.links) == [kept]
    (request,) = service.delete_requests
    assert request.key
