"""The start time of each function: a fresh process with the packaged files and bytecode.

    .venv/bin/python -m bench cold_start
    .venv/bin/python -m bench.cold_start --against REVISION

With a revision, the functions that both have start in turns. The files are in the page cache, and
no sandbox or archive download is included. Compare the functions with each other, not with a cold
start on AWS.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.instructions import instructions
from bench.local_trees import tree_of
from infra.packaging import ROOT

REPETITIONS = 7

#: Run in the fresh process: import, as Lambda does in its initialisation, then the client that
#: the first request needs: botocore, the service model and the endpoint rules are read only then.
#: The pages need none.
_START = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
began = time.process_time()
import importlib
importlib.import_module(sys.argv[2])
imported = time.process_time()
if not sys.argv[2].endswith(".pages"):
    importlib.import_module(sys.argv[3]).client("dynamodb")
print(json.dumps([imported - began, time.process_time() - imported, len(sys.modules)]))
"""

#: Isolated: only the archive's files, and nothing of the development environment.
_PYTHON = (sys.executable, "-s", "-P", "-S", "-B", "-c")

#: Without AWS_LAMBDA_FUNCTION_NAME, so that no function makes its client while it is imported
#: (the redirect does, on Lambda): each part is then of the same for all.
_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", ""),
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "POWERTOOLS_SERVICE_NAME": "unlink",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
}

_BUILD = "from infra.packaging import *; print(build_archive(Target.host())[0])"


@dataclass
class Starts:
    """Of one function: CPU seconds of the import and the first client, and imported modules."""

    command: list[str]
    imports: list[float] = field(default_factory=list)
    clients: list[float] = field(default_factory=list)
    modules: int = 0

    def start(self) -> None:
        child = subprocess.run(
            self.command, check=True, capture_output=True, text=True, env=_ENVIRONMENT, cwd=ROOT
        )
        imported, client, self.modules = json.loads(child.stdout.splitlines()[-1])
        self.imports.append(imported)
        self.clients.append(client)

    @property
    def milliseconds(self) -> list[float]:
        return [(a + b) * 1000 for a, b in zip(self.imports, self.clients, strict=True)]

    def millions_of_instructions(self) -> float:
        """Without those of an interpreter that does nothing. Not a number without Valgrind."""
        counts = [
            instructions(command, environment=_ENVIRONMENT, directory=ROOT)
            for command in (self.command, [*_PYTHON, "pass"])
        ]
        return (counts[0] - counts[1]) / 1e6 if counts[0] and counts[1] else float("nan")


def main(against: str | None = None) -> None:
    with _archive(ROOT) as now:
        if against:
            with tree_of(against) as tree, _archive(tree) as before:
                _compare(before, now)
        else:
            _in_turns(list(now.values()))
            _table(now)
    print(f"\nMilliseconds of CPU time, {REPETITIONS} fresh processes each.")


@contextmanager
def _archive(tree: Path) -> Iterator[dict[str, Starts]]:
    """Each function of a source tree's archive. Older revisions have other module names."""
    built = subprocess.run(
        [sys.executable, "-c", _BUILD], check=True, stdout=subprocess.PIPE, text=True, cwd=tree
    )
    with tempfile.TemporaryDirectory() as directory:
        with zipfile.ZipFile(built.stdout.splitlines()[-1]) as packed:
            packed.extractall(directory)
        package, client = "functions.handlers", "functions.aws.client"
        if not Path(directory, *package.split(".")).is_dir():
            package, client = "functions", "functions.unlink.stores.client"
        yield {
            path.stem: Starts([*_PYTHON, _START, directory, f"{package}.{path.stem}", client])
            for path in sorted(Path(directory, *package.split(".")).glob("[!_]*.py"))
        }


def _in_turns(functions: list[Starts]) -> None:
    for repetition in range(REPETITIONS + 1):
        for each in functions:
            each.start()
            if not repetition:
                # It read the files into the page cache.
                each.imports.clear()
                each.clients.clear()


def _table(functions: dict[str, Starts]) -> None:
    print("| function | import | first client | together | of redirect | modules |")
    print("|---|---|---|---|---|---|")
    base = statistics.median(functions["redirect"].milliseconds)
    for name, each in sorted(functions.items(), key=lambda row: sum(row[1].milliseconds)):
        together = statistics.median(each.milliseconds)
        print(
            f"| {name} | {statistics.median(each.imports) * 1000:.0f}"
            f" | {statistics.median(each.clients) * 1000:.0f}"
            f" | {together:.0f} | {together / base:.2f} | {each.modules} |"
        )


def _compare(before: dict[str, Starts], now: dict[str, Starts]) -> None:
    both = {name: (before[name], now[name]) for name in before if name in now}
    _in_turns([each for pair in both.values() for each in pair])
    print(
        "| function | before | least | now | least | now ÷ before"
        " | instructions, millions | now | now ÷ before |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name, pair in both.items():
        first, last = (each.milliseconds for each in pair)
        # Of each turn by itself: both then ran under the same load.
        ratio = statistics.median(b / a for a, b in zip(first, last, strict=True))
        cells = [f"{statistics.median(each):.0f} | {min(each):.0f}" for each in (first, last)]
        counts = [each.millions_of_instructions() for each in pair]
        print(
            f"| {name} | {' | '.join(cells)} | {ratio:.2f}"
            f" | {counts[0]:.0f} | {counts[1]:.0f} | {counts[1] / counts[0]:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--against", metavar="REVISION")
    main(arguments.parse_args().against)
