"""The synthesis by Python, by the CDK CLI, and repeated."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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


def synthesized_by_cdk(directory: Path) -> Path:
    cdk = shutil.which("cdk", path=f"{ROOT / 'node_modules/.bin'}{os.pathsep}{os.environ['PATH']}")
    assert cdk, "the CDK command line is not installed: run `npm install`"
    subprocess.run(
        [cdk, "synth", "--quiet", "--output", str(directory)],
        cwd=ROOT,
        env=environment(CDK_DISABLE_CLI_TELEMETRY="1", PYTHONHASHSEED="2"),
        check=True,
    )
    return directory


def test_the_synthesis_is_reproducible(tmp_path: Path) -> None:
    """With another seed for the order of sets, too."""
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
