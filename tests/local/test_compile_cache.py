"""The cache of compiled modules that the CDK CLI of a local stack uses."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local import stack as local_stack
from local.emulator import ROOT

LARGE = "/" * (1 << 20)
PROGRAM = f"""
const {{ double }} = require("./other.js");
exports.main = require.main === module;
async function main() {{
  const {{ sep }} = await import("node:path");
  console.log(double(WORD), exports.main, sep, __filename === require.resolve("./program.js"));
}}
main();
//{LARGE}
"""


@pytest.fixture(scope="module", autouse=True)
def _no_cache_of_its_own() -> None:
    if node("-p", "'enableCompileCache' in require('module')", os.environ) == "true\n":
        pytest.skip("this Node.js has such a cache")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program of more than 1 MB that uses other modules."""
    (tmp_path / "other.js").write_text("exports.double = (word) => word + word;\n")
    made = tmp_path / "program.js"
    made.write_text(PROGRAM.replace("WORD", '"one"'))
    return made


def node(*given: Any) -> str:
    """What Node.js prints with these arguments in an environment, which comes last."""
    *arguments, environment = given
    return subprocess.run(
        ["node", *arguments], env=environment, capture_output=True, text=True, check=True
    ).stdout


def output(program: Path) -> str:
    """What a program prints, with the cache in `cache` beside it."""
    options = f"--require={ROOT / 'local/compile_cache.cjs'}"
    cache = str(program.parent / "cache")
    return node(program, os.environ | {"NODE_COMPILE_CACHE": cache, "NODE_OPTIONS": options})


def cached(program: Path) -> list[Path]:
    """The files of the cache."""
    return list((program.parent / "cache").iterdir())


def test_a_program_does_the_same_from_the_cache(program: Path) -> None:
    first = output(program)
    [file] = cached(program)
    written = file.stat().st_mtime_ns

    assert output(program) == first == "oneone true / true\n"
    assert cached(program) == [file]
    assert file.stat().st_mtime_ns == written


def test_a_changed_program_is_compiled_again(program: Path) -> None:
    assert output(program) == "oneone true / true\n"
    before = program.stat()
    program.write_text(PROGRAM.replace("WORD", '"two"'))
    os.utime(program, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = program.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)

    assert output(program) == "twotwo true / true\n"


def test_a_damaged_cache_is_replaced(program: Path) -> None:
    first = output(program)
    [file] = cached(program)
    good = file.stat().st_size
    file.write_bytes(b"damaged")

    assert output(program) == first
    assert cached(program)[0].stat().st_size == good


def test_the_cli_of_a_local_stack_gets_the_cache_and_the_options_of_the_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emulator: Any = SimpleNamespace(url="http://127.0.0.1:1")
    monkeypatch.setenv("NODE_OPTIONS", "--no-warnings")

    environment = local_stack._cdk_environment(emulator)

    loader = node("-e", "console.log(require('module').prototype._compile.name)", environment)
    assert environment["NODE_OPTIONS"].startswith("--no-warnings --require=")
    assert loader == "compileWithCache\n"
