"""Faults between the functions and the AWS emulator, and between the clients and the API.

    with Faults(seed) as faults, faults.stack(name="chaos", say=print) as stack:
        faults.start()
        ...                      # load
        faults.pause()
        ...                      # checks
    print(faults.counts["kills"])

The faults of AWS calls, queues, streams and function processes happen inside the emulator's process
(`in_emulator`), at its HTTP border: a separate proxy would add a hop to every call and could not
see which process makes a call. The resets of API connections happen in the gateway proxy.

What a seed reproduces: the n-th call of an operation (the n-th weak read, message, stream batch,
API request or invocation of a function) always gets the same fault. What it does not: which call
is the n-th when calls run at once, and at which step a kill finds a process.
"""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from local.emulator import Emulator
from local.gateway_proxy import Bridge, Interruption
from local.stack import LocalStack, bind, running
from tests.chaos.faults.in_emulator.decisions import Decisions, FaultRates

__all__ = ["EXTENSION", "FaultRates", "Faults"]

#: What `Emulator` and `running` get as their extension.
EXTENSION = Path(__file__).parent / "in_emulator"

_PAUSE_SECONDS = 60


class Faults:
    """The faults of one run, all drawn from `seed`. Nothing happens before `start`."""

    def __init__(self, seed: int, rates: FaultRates | None = None) -> None:
        """`rates` are the defaults of `FaultRates` if they are not given."""
        self.seed = seed
        self.rates = rates or FaultRates()
        self._gateway = Decisions(seed, self.rates)
        self._emulator: Emulator | None = None
        self._last: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the faults; `counts` stays as it is."""
        if self._emulator is not None:
            with contextlib.suppress(OSError):
                self.pause()
            self._emulator = None

    @contextlib.contextmanager
    def stack(
        self, *, name: str, say: Callable[[str], None], port: int = 0
    ) -> Iterator[LocalStack]:
        """A local stack with these faults; `port` is the API's, 0 for any free one."""
        bridge = bind(port)
        with running(bridge, name=name, say=say, extension=EXTENSION) as stack:
            self.attach(stack.emulator, bridge)
            with self:
                yield stack

    def attach(self, emulator: Emulator, bridge: Bridge | None = None) -> None:
        """Use an emulator that was started with `EXTENSION`, and the proxy in front of it."""
        self._emulator = emulator
        self._control(seed=self.seed, rates=self.rates.as_json())
        if bridge is not None:
            bridge.interrupt = self._interrupt

    def change(self, seed: int, rates: FaultRates) -> None:
        """Another run on the same stack: its counts begin at zero, and nothing happens yet."""
        self.seed, self.rates = seed, rates
        self._gateway.begin_again(seed, rates)
        self._control(seed=seed, rates=rates.as_json())

    def start(self) -> None:
        """Start, or continue after a pause."""
        self._control(active=True)
        self._gateway.start()

    def pause(self) -> None:
        """No new faults, and wait for the calls that are still delayed.

        Messages that are to be delivered again still come, for `again_seconds`.
        """
        self._gateway.pause()
        self._control(active=False)

    @property
    def counts(self) -> Counter[str]:
        """How many faults of each name have happened."""
        if self._emulator is not None:
            with contextlib.suppress(OSError):
                self._control()
        return self._last + self._gateway.counts

    def _control(self, **wish: Any) -> None:
        if self._emulator is None:
            raise RuntimeError("The faults have no emulator: use stack() or attach().")
        request = urllib.request.Request(
            f"{self._emulator.url}/_faults", data=json.dumps(wish).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=_PAUSE_SECONDS) as response:
            self._last = Counter(json.load(response)["counts"])

    def _interrupt(self, _method: str, _target: str) -> Interruption | None:
        fault, _ = self._gateway.draw(
            "request", before=self.rates.reset_before, after=self.rates.reset_after
        )
        if fault is None:
            return None
        self._gateway.count("resets")
        return "before" if fault == "before" else "after"
