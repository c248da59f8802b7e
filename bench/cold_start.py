"""The start time of each function: a fresh process with the packaged files and bytecode.

The files are in the page cache, and no sandbox or archive download is included. Compare the
functions with each other, not with a cold start on AWS.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import zipfile

from infra.packaging import ROOT, SOURCE, Target, build_archive

REPETITIONS = 7

#: Run in the fresh process: import, as Lambda does in its initialisation, then the client that
#: the first request needs: botocore, the service model and the endpoint rules are read only then.
#: The pages need none.
_START = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
began = time.process_time()
import importlib
module = importlib.import_module("functions.handlers." + sys.argv[2])
imported = time.process_time()
if sys.argv[2] != "pages":
    from functions.aws.client import client
    client("dynamodb")
print(json.dumps([imported - began, time.process_time() - imported, len(sys.modules)]))
"""

#: Without AWS_LAMBDA_FUNCTION_NAME, so that no function makes its client while it is imported
#: (the redirect does, on Lambda): each part is then of the same for all.
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "POWERTOOLS_SERVICE_NAME": "unlink",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
}


def main() -> None:
    names = sorted(
        path.stem for path in (SOURCE / "handlers").glob("*.py") if path.stem != "__init__"
    )
    with tempfile.TemporaryDirectory() as directory:
        archive, _ = build_archive(Target.host())
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(directory)
        runs: dict[str, list[tuple[float, float, int]]] = {name: [] for name in names}
        for repetition in range(REPETITIONS + 1):
            for name in names:
                started = _start(directory, name)
                if repetition:
                    runs[name].append(started)
    base = sum(_medians(runs["redirect"]))
    print("| function | import, ms | first client, ms | together | of redirect | modules |")
    print("|---|---|---|---|---|---|")
    for name in sorted(names, key=lambda name: sum(_medians(runs[name]))):
        imported, first = _medians(runs[name])
        print(
            f"| {name} | {imported * 1000:.0f} | {first * 1000:.0f}"
            f" | {(imported + first) * 1000:.0f} | {(imported + first) / base:.2f}"
            f" | {runs[name][0][2]} |"
        )
    print(f"\nMilliseconds of processor time, medians of {REPETITIONS} fresh processes.")


def _start(directory: str, name: str) -> tuple[float, float, int]:
    child = subprocess.run(
        # Isolated, and nothing of the development environment: only the archive's files.
        [sys.executable, "-I", "-S", "-B", "-c", _START, directory, name],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": os.environ.get("PATH", "")} | _ENVIRONMENT,
        cwd=ROOT,
    )
    imported, first, modules = json.loads(child.stdout.splitlines()[-1])
    return imported, first, modules


def _medians(runs: list[tuple[float, float, int]]) -> tuple[float, float]:
    return (
        statistics.median(imported for imported, _, _ in runs),
        statistics.median(first for _, first, _ in runs),
    )
