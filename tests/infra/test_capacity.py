"""The capacity settings of the tables."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from infra.packaging import LAMBDA_ARM64
from infra.settings import OnDemand, Settings
from tests.support.synthesis import key_of_stack, remembered, stand_in_code
from tests.support.template import properties_of, synthesized_template


def synthesized(capacity: OnDemand, directory: Path) -> dict[str, Any]:
    """The production template with another capacity, synthesized once for the same stack."""
    this_file = Path(__file__).read_text(encoding="utf-8")
    template: dict[str, Any] = remembered(
        key_of_stack("capacity", asdict(capacity), this_file), lambda: _fresh(capacity, directory)
    )
    return template


def _fresh(capacity: OnDemand, directory: Path) -> dict[str, Any]:
    from aws_cdk import App, assertions
    from aws_cdk import aws_lambda as lambda_

    from infra.stack import UnlinkStack

    stack = UnlinkStack(
        App(outdir=str(directory / "out")),
        "Unlink",
        settings=Settings(stage="prod", target=LAMBDA_ARM64, capacity=capacity),
        code=lambda_.Code.from_asset(str(stand_in_code(directory))),
    )
    return dict(assertions.Template.from_stack(stack).to_json())


def test_warm_throughput_and_limits_apply_to_tables_and_indexes(tmp_path: Path) -> None:
    capacity = OnDemand(warm_reads=20_000, warm_writes=10_000, max_reads=40_000, max_writes=20_000)
    warm = {"ReadUnitsPerSecond": 20_000, "WriteUnitsPerSecond": 10_000}
    ceiling = {"MaxReadRequestUnits": 40_000, "MaxWriteRequestUnits": 20_000}
    for table in properties_of(synthesized(capacity, tmp_path), "AWS::DynamoDB::Table"):
        for part in (table, *table.get("GlobalSecondaryIndexes", [])):
            assert part["WarmThroughput"] == warm
            assert part["OnDemandThroughput"] == ceiling


@pytest.mark.parametrize("stage", ["prod", "dev"])
def test_capacity_is_limited(stage: str) -> None:
    for table in properties_of(synthesized_template(stage), "AWS::DynamoDB::Table"):
        assert table["OnDemandThroughput"]["MaxWriteRequestUnits"] > 0
