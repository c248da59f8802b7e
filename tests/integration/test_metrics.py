"""Metrics of the functions reach CloudWatch once, with the names that alarms read."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from functions import metrics
from tests.conftest import World

FUNCTIONS = Path(__file__).parents[2] / "functions"


@pytest.fixture(autouse=True)
def _nothing_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("STAGE", "test")
    metrics.flush()
    metrics.take_consumed()
    capsys.readouterr()


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    lines = capsys.readouterr().out.splitlines()
    return [json.loads(line) for line in lines if '"_aws"' in line]


def test_a_soft_delete_counts_its_links_and_its_capacity(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = world.create(30)
    metrics.take_consumed()

    world.soft_delete(ids)

    # MiniStack reports none for BatchGetItem, and no index's part of a statement.
    assert metrics.take_consumed()["writeUnits"] >= 30
    metrics.flush()
    [line] = written(capsys)
    assert line["LinksSoftDeleted"] == [30.0]
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == metrics.definitions()["namespace"]
    assert [sorted(each) for each in directive["Dimensions"]] == [["service", "stage"]]


def test_no_metrics_are_written_without_counts(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.flush()
    assert written(capsys) == []


def test_metrics_are_written_once(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.count("Requeues")
    metrics.measure("ErasureLag", 12.5)
    metrics.measure("ErasureLag", 20)
    metrics.flush()
    metrics.flush()
    [line] = written(capsys)
    assert line["Requeues"] == [1.0]
    assert line["ErasureLag"] == [12.5, 20.0]


def test_a_background_function_writes_even_when_it_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @metrics.reporting
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        metrics.count("Requeues")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        handler({}, None)
    assert len(written(capsys)) == 1


def test_every_name_in_the_code_is_a_known_metric_and_every_metric_is_written() -> None:
    """One list of names: an alarm on an unwritten metric would stay silent."""
    used = set()
    for path in FUNCTIONS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "metrics"
                and node.func.attr in {"count", "measure"}
            ):
                [name, *_] = node.args
                assert isinstance(name, ast.Constant)
                used.add(name.value)
    assert used == set(metrics.definitions()["metrics"])


def test_every_function_that_may_count_writes_its_counts() -> None:
    """A handler is either of `http.Api`, or `reporting`, or imports nothing that counts."""
    silent = {"authorizer", "redirect", "pages", "deletion_stream", "click_stream"}
    for path in (FUNCTIONS / "handlers").glob("*.py"):
        source = path.read_text(encoding="utf-8")
        if path.stem != "__init__" and path.stem not in silent:
            assert re.search(r"^handler = api\.handle|@reporting", source, re.MULTILINE), path.name
