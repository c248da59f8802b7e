"""What the process has imported that is forked for each process of a function."""

from __future__ import annotations

import os
import subprocess
import sys

from local.emulator import ROOT
from local.worker_template import PRELOADED, SETTINGS
from tests.support.template import functions, synthesized_template

#: Writes the environment variables that an import reads.
_PROGRAM = """
import importlib, os, sys

read = set()

class Environment(dict):
    def __getitem__(self, name):
        read.add(name)
        return super().__getitem__(name)

    def get(self, name, default=None):
        read.add(name)
        return super().get(name, default)

    def __contains__(self, name):
        read.add(name)
        return super().__contains__(name)

os.environ = Environment(os.environ)
os.getenv = os.environ.get
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*read)
"""


def _read_by(*modules: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *modules],
        cwd=ROOT,
        env=os.environ | SETTINGS,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_preloaded_modules_read_no_setting_of_a_function() -> None:
    deployed = functions(synthesized_template("local")).values()
    settings = [each["Environment"]["Variables"] for each in deployed]
    names = {name for each in settings for name in each}

    assert _read_by(*PRELOADED) & names == set(SETTINGS)
    assert all(each[name] == value for each in settings for name, value in SETTINGS.items())
    # A module that reads settings is found.
    assert "POWERTOOLS_SERVICE_NAME" in _read_by("functions.repositories.create_runs") & names
