"""The draws: reproducible from the seed, at the given rates."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.chaos.faults.in_emulator.decisions import Decisions, FaultRates


def _started(seed: int) -> Decisions:
    decisions = Decisions(seed)
    decisions.start()
    return decisions


def _draws(decisions: Decisions, kind: str, count: int) -> list[tuple[str | None, float]]:
    drawn = [decisions.draw(kind, one=0.2, other=0.3) for _ in range(count)]
    return [(name, dice.random()) for name, dice in drawn]


def test_a_seed_reproduces_its_draws_and_another_does_not() -> None:
    first = _draws(_started(7), "GetItem", 50)
    assert _draws(_started(7), "GetItem", 50) == first
    assert _draws(_started(8), "GetItem", 50) != first


def test_kinds_do_not_influence_each_other() -> None:
    alone = _draws(_started(7), "GetItem", 20)
    decisions = _started(7)
    mixed = []
    for _ in range(20):
        mixed += _draws(decisions, "GetItem", 1)
        _draws(decisions, "Query", 3)
    assert mixed == alone


def test_each_fault_happens_at_its_rate() -> None:
    counted = Counter(name for name, _ in _draws(_started(7), "GetItem", 10_000))
    assert counted["one"] == pytest.approx(2_000, rel=0.1)
    assert counted["other"] == pytest.approx(3_000, rel=0.1)
    assert counted.total() == 10_000


def test_a_pause_draws_no_fault_and_keeps_the_sequence() -> None:
    expected = _draws(_started(7), "GetItem", 20)
    decisions = _started(7)
    before = _draws(decisions, "GetItem", 10)
    decisions.pause()
    assert {decisions.draw("GetItem", one=1.0)[0] for _ in range(5)} == {None}
    decisions.start()
    assert before + _draws(decisions, "GetItem", 10) == expected


def test_the_rates_of_one_call_leave_calls_without_a_fault() -> None:
    rates = FaultRates()
    assert (
        rates.throttle + rates.partial + rates.delay + rates.late + rates.twice + rates.kill_at_call
        < 0.5
    )
