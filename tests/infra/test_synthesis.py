"""The synthesis by Python, by the CDK CLI, and repeated."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from infra import packaging
from infra.packaging import LAMBDA_ARM64
from tests.support import synthesis
from tests.support.synthesis import key_of_stack, remembered

pytestmark = pytest.mark.exhaustive

ROOT = Path(__file__).parents[2]

#: What a deployment is made of; the other files of an assembly describe the run.
ASSEMBLY = ("Unlink-prod.template.json", "Unlink-prod.assets.json")


def environment(**variables: str) -> dict[str, str]:
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": search, **variables}


def synthesized_by_python(directory: Path) -> Path:
    subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=environment(CDK_OUTDIR=str(directory), PYTHONHASHSEED="1"),
        check=True,
    )
    return directory


def cdk_command() -> Path:
    cdk = shutil.which("cdk", path=f"{ROOT / 'node_modules/.bin'}{os.pathsep}{os.environ['PATH']}")
    assert cdk, "the CDK command line is not installed: run `npm install`"
    return Path(cdk).resolve()


def synthesized_by_cdk(directory: Path) -> Path:
    subprocess.run(
        [str(cdk_command()), "synth", "--quiet", "--output", str(directory)],
        cwd=ROOT,
        env=environment(CDK_DISABLE_CLI_TELEMETRY="1", PYTHONHASHSEED="2"),
        check=True,
    )
    return directory


def key() -> str:
    """New when the stack, the archive's content, Node, the CDK CLI or this file is."""
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    cli = cdk_command().parents[1].joinpath("package.json").read_text(encoding="utf-8")
    _, content = packaging.build_archive(LAMBDA_ARM64)
    this_file = Path(__file__).read_text(encoding="utf-8")
    return key_of_stack("reproducible", content, node, cli, this_file)


def test_the_synthesis_is_reproducible(tmp_path: Path) -> None:
    """With another seed for the order of sets, too. Not repeated for the same inputs."""
    assert remembered(key(), lambda: compared(tmp_path)) == list(ASSEMBLY)


def compared(tmp_path: Path) -> list[str]:
    """The files that two syntheses have in common, byte for byte."""
    assembly = synthesized_by_python(tmp_path / "python")
    again = synthesized_by_cdk(tmp_path / "cdk")
    for name in ASSEMBLY:
        assert (again / name).read_bytes() == (assembly / name).read_bytes()

    template = json.loads((assembly / ASSEMBLY[0]).read_text(encoding="utf-8"))
    archives = {
        resource["Properties"]["Code"]["S3Key"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function"
    }
    assert len(archives) == 1, "all functions share one archive"
    assert len(list(assembly.glob("asset.*.zip"))) == 1
    return list(ASSEMBLY)


def test_a_change_of_any_input_repeats_the_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key()
    assert key() == before
    with monkeypatch.context() as patch:
        patch.setattr(packaging, "build_archive", lambda _: (tmp_path, "other content"))
        assert key() != before
    with monkeypatch.context() as patch:
        patch.setattr(synthesis, "_inputs", lambda: "another stack")
        assert key() != before
    with monkeypatch.context() as patch:
        other = tmp_path / "aws-cdk" / "bin" / "cdk"
        other.parent.mkdir(parents=True)
        other.parents[1].joinpath("package.json").write_text('{"version": "another"}')
        patch.setattr(sys.modules[__name__], "cdk_command", lambda: other)
        assert key() != before
    with monkeypatch.context() as patch:
        other = tmp_path / "node"
        other.write_text("#!/bin/sh\necho v0.0.0\n")
        other.chmod(0o755)
        patch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        assert key() != before
    assert key() == before


def test_different_assemblies_fail_and_are_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made_by(text: str) -> Callable[[Path], Path]:
        def make(directory: Path) -> Path:
            directory.mkdir()
            for name in ASSEMBLY:
                (directory / name).write_text(text, encoding="utf-8")
            return directory

        return make

    monkeypatch.setattr(synthesis, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(sys.modules[__name__], "synthesized_by_python", made_by("one"))
    monkeypatch.setattr(sys.modules[__name__], "synthesized_by_cdk", made_by("two"))
    for number in range(2):
        directory = tmp_path / str(number)
        directory.mkdir()
        with pytest.raises(AssertionError):
            test_the_synthesis_is_reproducible(directory)
    assert not list((tmp_path / "cache").glob("*.json"))
