"""One emulator per run: started once, shared, and ended with the run."""

from __future__ import annotations

from functools import partial

import pytest

from local.emulator import EmulatorError
from tests.support import emulator
from tests.support.emulator import SharedEmulator, requested_from
from tests.support.interleaving import at_once


class FakeEmulator:
    """Counts its starts and stops."""

    started = 0
    stopped = 0
    url = "http://127.0.0.1:1"

    def __init__(self, *, log_name: str) -> None:
        type(self).started += 1

    def stop(self) -> None:
        type(self).stopped += 1


@pytest.fixture
def fake_emulator(monkeypatch: pytest.MonkeyPatch) -> type[FakeEmulator]:
    class Emulator(FakeEmulator):
        pass

    monkeypatch.setattr(emulator, "Emulator", Emulator)
    return Emulator


def test_the_emulator_starts_on_first_use(fake_emulator: type[FakeEmulator]) -> None:
    shared = SharedEmulator()
    shared.serve()
    shared.stop()
    assert (fake_emulator.started, fake_emulator.stopped) == (0, 0)


def test_all_workers_get_the_same_emulator(fake_emulator: type[FakeEmulator]) -> None:
    shared = SharedEmulator()
    port = shared.serve()
    assert shared.serve() == port
    assert at_once([partial(requested_from, port)] * 4) == [FakeEmulator.url] * 4
    assert shared.url() == FakeEmulator.url
    shared.stop()
    assert (fake_emulator.started, fake_emulator.stopped) == (1, 1)


def test_a_worker_gets_the_reason_of_a_failed_start(
    fake_emulator: type[FakeEmulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*, log_name: str) -> FakeEmulator:
        raise EmulatorError("The local AWS emulator is not installed.")

    monkeypatch.setattr(emulator, "Emulator", broken)
    shared = SharedEmulator()
    with pytest.raises(EmulatorError, match=r"^The local AWS emulator is not installed\.$"):
        requested_from(shared.serve())
    shared.stop()


def test_the_listener_is_reachable_from_this_machine_only(
    fake_emulator: type[FakeEmulator],
) -> None:
    shared = SharedEmulator()
    shared.serve()
    assert shared._listener is not None
    assert shared._listener.getsockname()[0] == "127.0.0.1"
    shared.stop()
