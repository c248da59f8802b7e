"""Moments as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.domain.clock import iso, iso_moment

YEAR_1000, YEAR_9999 = -30_610_224_000, 253_402_300_799


@given(st.integers(YEAR_1000 * 1_000_000, YEAR_9999 * 1_000_000))
def test_a_time_is_written_as_its_moment(microseconds: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    # As far as a float can say it.
    seconds = moment.timestamp()

    assert iso(seconds) == iso_moment(datetime.fromtimestamp(seconds, UTC))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_769_860_799.999, "2026-01-31T11:59:59.999Z"),
        # 122.99990… milliseconds as a float.
        (1_769_860_800.123, "2026-01-31T12:00:00.123Z"),
        (1_769_860_800.9999, "2026-01-31T12:00:00.999Z"),
        (1_769_860_800.9999999, "2026-01-31T12:00:01.000Z"),
        (-0.001, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_a_time_has_milliseconds(seconds: float, text: str) -> None:
    assert iso(seconds) == text
