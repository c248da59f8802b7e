"""The share of API requests whose connection is reset."""

from __future__ import annotations

from collections import Counter

import pytest

from local.emulator import Emulator
from local.gateway_proxy import Bridge
from tests.chaos.faults import FaultRates, Faults


def test_requests_are_reset_at_their_rates_and_not_in_a_pause(faulty_emulator: Emulator) -> None:
    bridge = Bridge()
    faults = Faults(3, FaultRates.only(reset_before=0.1, reset_after=0.2))
    faults.attach(faulty_emulator, bridge)
    assert bridge.interrupt is not None

    def asked(count: int) -> Counter[str | None]:
        assert bridge.interrupt is not None
        return Counter(bridge.interrupt("GET", "/") for _ in range(count))

    assert asked(50) == {None: 50}
    faults.start()
    first = asked(1000)
    faults.pause()
    assert asked(50) == {None: 50}
    assert first["before"] == pytest.approx(100, rel=0.3)
    assert first["after"] == pytest.approx(200, rel=0.3)
    assert faults.counts == {"resets": first["before"] + first["after"]}
    bridge.stop()
