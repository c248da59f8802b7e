"""The emulator of this run behaves as AWS's reference says, for each shape of call that is sent."""

from __future__ import annotations

import os
from collections.abc import Iterator

import boto3
import pytest

from tests.differential.checks import CHECKS, KNOWN
from tests.differential.table import Table, throw_away_table
from tests.support.dynamodb_shapes import expression_shape


@pytest.fixture(scope="module")
def name(emulator_url: str) -> Iterator[str]:
    with throw_away_table(boto3.client("dynamodb", endpoint_url=emulator_url)) as table:
        yield table


@pytest.mark.parametrize("shape", list(CHECKS))
def test_each_call_shape_behaves_as_documented(emulator_url: str, name: str, shape: str) -> None:
    client = boto3.client("dynamodb", endpoint_url=emulator_url)
    table = Table(client, name, f"check-{list(CHECKS).index(shape)}")
    if shape in KNOWN and "AWS_ENDPOINT_URL_DYNAMODB" not in os.environ:
        # When the emulator does it right, the entry in KNOWN has to go.
        with pytest.raises(AssertionError):
            CHECKS[shape](table)
    else:
        CHECKS[shape](table)


def test_shapes_leave_out_names_values_and_repetition() -> None:
    assert expression_shape("SET #a=:1, b=:2 REMOVE c, d") == "SET a = ? REMOVE a"
    assert expression_shape("attribute_exists(pk) AND (#x=:x) AND y=:y") == (
        "attribute_exists(a) AND a = ?"
    )
    assert expression_shape('UPDATE "t" SET "a"=? SET "b"=? REMOVE "c" WHERE "pk"=?') == (
        "UPDATE a SET a = ? REMOVE a WHERE a = ?"
    )
