"""The ambient deadline: who sees which one, and that none gets later on the way in."""

from __future__ import annotations

import time
from typing import Any

import pytest

from functions.aws.parallel import THREADS, in_parallel, run_with_timeout
from functions.domain.clock import (
    DEFAULT_SECONDS,
    Deadline,
    current_deadline,
    deadline,
    invocation_deadline,
    shutdown_deadline,
    use_deadline,
)
from tests.support.api_gateway import Context


def left() -> float:
    return current_deadline().remaining()


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1_000.0)


def test_callers_that_set_none_have_half_a_minute_for_each_call() -> None:
    assert left() == DEFAULT_SECONDS == 30


def test_a_block_narrows_the_deadline_and_ends_with_it() -> None:
    with deadline(20):
        with deadline(5) as own:
            assert current_deadline() is own
            assert left() == 5
        assert left() == 20
    assert left() == DEFAULT_SECONDS


def test_a_block_never_widens_the_deadline() -> None:
    with deadline(5), deadline(20):
        assert left() == 5


def test_a_block_passes_with_the_one_around_it() -> None:
    with deadline(20) as outer, deadline(5):
        outer.expire()
        assert current_deadline().passed


def test_a_shutdown_deadline_gives_time_after_the_deadline_has_passed() -> None:
    with deadline(0):
        assert current_deadline().passed
        with shutdown_deadline(1.5):
            assert left() == 1.5
        assert current_deadline().passed


def test_a_block_that_fails_leaves_the_deadline_as_it_was() -> None:
    with pytest.raises(KeyError), deadline(5), shutdown_deadline(1), use_deadline(Deadline(2)):
        raise KeyError
    assert left() == DEFAULT_SECONDS


@pytest.mark.parametrize("parts", [1, 2, 3 * THREADS])
def test_parallel_work_sees_the_narrowed_deadline(parts: int) -> None:
    with deadline(20):
        in_parallel(lambda _: None, range(THREADS))  # The threads have seen another one.
        with deadline(5) as own:
            seen = in_parallel(lambda _: current_deadline(), range(parts))
    assert seen == [own] * parts


def test_a_deadline_narrowed_in_parallel_work_stays_there() -> None:
    def narrowed(seconds: int) -> float:
        with deadline(seconds):
            return left()

    with deadline(20):
        seconds = list(range(1, 2 * THREADS))
        assert in_parallel(narrowed, seconds) == [min(each, 20) for each in seconds]
        assert in_parallel(lambda _: left(), seconds) == [20] * len(seconds)


def test_work_with_a_timeout_sees_the_narrowed_deadline() -> None:
    with deadline(5) as own:
        assert run_with_timeout(5, current_deadline) is own


def test_an_invocation_has_what_lambda_gives_it_less_the_reserve() -> None:
    seen = []

    @invocation_deadline(5)
    def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        seen.append(left())
        if event.get("fails"):
            raise KeyError
        return {}

    assert handler({}, Context(60)) == {}
    with pytest.raises(KeyError):
        handler({"fails": True}, Context(20))
    # Another invocation of the same process: it does not inherit the first one's.
    handler({}, Context(300))

    assert seen == [55, 15, 295]
    assert left() == DEFAULT_SECONDS
