"""The variables of ``make chaos``, and what it prints."""

from __future__ import annotations

import sys
from collections import Counter

import pytest

from tests.chaos import __main__ as command
from tests.chaos.facts import Facts
from tests.chaos.history import History
from tests.chaos.run import Outcome
from tests.chaos.run_data import Violation


@pytest.mark.parametrize("name", ["MINUTES", "SEED", "PORT"])
@pytest.mark.parametrize("value", ["soon", "-1", "nan", "1e12"])
def test_a_variable_that_is_no_number_is_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["chaos"])
    monkeypatch.setenv(name, value)
    assert command.main() == 2
    assert capsys.readouterr().err == f"{name}={value}: expected a number\n"


@pytest.mark.parametrize(("argument", "code"), [("--help", 0), ("--minutes", 2)])
def test_an_argument_shows_the_help_and_runs_nothing(
    argument: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["chaos", argument])
    assert command.main() == code
    assert "MINUTES" in capsys.readouterr().out


def test_each_figure_has_one_line() -> None:
    violations = [Violation("lost", "a", ""), Violation("residue", "b", "")]
    injected = Counter({"kills": 3, "throttles": 4, "resets": 1})
    outcome = Outcome(History(), Facts(time=1.0), violations, injected, seed=7)
    assert outcome.figures() == [
        "operations: 0",
        "kills: 3",
        "faults: 5",
        "deletions: 0",
        "links: 0",
        "lost: 1",
        "resurrected: 0",
        "stale redirects: 0",
        "residue: 1",
        "seed: 7",
    ]
