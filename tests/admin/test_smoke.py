"""`make aws-smoke` before it deploys anything."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from admin.commands import Refused
from tests.smoke import __main__


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines that would run; each fails."""
    ran: list[list[str]] = []

    class Done:
        returncode = 1

    def record(command: list[str], **_: Any) -> Done:
        ran.append(command)
        return Done()

    monkeypatch.setattr("tests.smoke.__main__.subprocess.run", record)
    monkeypatch.setattr(__main__, "client_maker", lambda: None)
    return ran


def test_the_smoke_test_needs_confirmation(commands: list[list[str]]) -> None:
    with pytest.raises(SystemExit):
        __main__.main([])
    assert commands == []


def test_the_smoke_test_refuses_an_existing_stage(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(__main__, "outputs_of", lambda *_: {})
    assert __main__.main(["--yes"]) == 1
    assert "Unlink-smoke exists" in capsys.readouterr().err
    assert commands == []


def test_a_partly_deployed_stage_is_destroyed(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(__main__, "outputs_of", Mock(side_effect=Refused("There is no stack")))
    assert __main__.main(["--yes", "--gradual"]) == 2
    assert [(line[1], line[2:4]) for line in commands] == [
        ("deploy", ["-cstage=smoke", "-cgradual=true"]),
        ("destroy", ["-cstage=smoke", "-cgradual=true"]),
    ]


def test_a_stage_that_cannot_be_emptied_is_destroyed_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Stage(Mock):
        begin = clean = Mock(side_effect=OSError("no network"), __name__="step")

    cdk = Mock(return_value=Mock(returncode=0))
    monkeypatch.setattr("tests.smoke.__main__.subprocess.run", cdk)
    monkeypatch.setattr(__main__, "client_maker", lambda: None)
    monkeypatch.setattr(__main__, "outputs_of", Mock(side_effect=Refused("There is no stack")))
    monkeypatch.setattr(__main__, "Smoke", Stage)
    monkeypatch.setattr(__main__, "FIRST", Stage.begin)
    monkeypatch.setattr(__main__, "CHECKS", (Stage.begin,))
    monkeypatch.setattr(__main__, "ON_AWS", ())
    assert __main__.main(["--yes"]) == 4
    assert [call.args[0][1] for call in cdk.call_args_list] == ["deploy", "destroy"]
    assert capsys.readouterr().out == "step: FAILED: OSError: no network\n" * 4
