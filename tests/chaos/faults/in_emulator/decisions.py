"""Which fault a call, message or batch gets: a function of the seed and of its number."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class FaultRates:
    """How often each fault happens: a share of the calls, unless its line says otherwise.

    At most one fault happens to a call, so the rates of one call must not exceed 1 in sum.
    """

    #: Only calls of these operations get a fault; () for all. Deliveries are not calls.
    operations: tuple[str, ...] = ()
    #: And only calls whose body has this text.
    containing: str = ""
    #: The service refuses the call and executes nothing.
    throttle: float = 0.02
    #: A batch is executed in part; the rest is reported as unprocessed.
    partial: float = 0.05
    #: The call is executed up to `delay_seconds` late, within the SDK's timeout.
    delay: float = 0.02
    delay_seconds: float = 0.5
    #: The call is executed at least `late_seconds` late, after the SDK has given it up.
    late: float = 0.002
    late_seconds: float = 3.5
    #: The call is executed, but its response is lost (a reset connection or a 500), so the function
    #: repeats it.
    twice: float = 0.01
    #: The function's process is killed at this call, before or after the call is executed.
    kill_at_call: float = 0.0005
    #: Eventually consistent reads that return the table of up to `stale_seconds` ago.
    stale: float = 0.3
    stale_seconds: float = 1.0
    #: Messages given to a function that are delivered again within `again_seconds`.
    duplicate: float = 0.05
    again_seconds: float = 5.0
    #: Messages that a function has processed, but whose deletion from the queue is lost.
    redeliver: float = 0.02
    #: Receives of a queue with several messages, whose order is changed.
    reorder: float = 0.3
    #: Batches of stream records, which are given to the function twice.
    repeat: float = 0.05
    #: Invocations whose process is killed at a random moment, or just after they ended. A share and
    #: not a number a second, which on a slow machine would kill every invocation.
    kill: float = 0.02
    #: Requests to the API whose connection is reset: before and after the function ran.
    reset_before: float = 0.005
    reset_after: float = 0.005

    @classmethod
    def only(cls, **rates: Any) -> FaultRates:
        """These rates; every other fault never happens."""
        never = {each.name: 0.0 for each in fields(cls) if each.name not in _MEASURES}
        return cls(**never | rates)

    def as_json(self) -> dict[str, Any]:
        """The rates by name."""
        return asdict(self)


#: The fields that are not rates.
_MEASURES = frozenset(
    (
        *("operations", "containing"),
        *("delay_seconds", "late_seconds", "stale_seconds", "again_seconds"),
    )
)


class Decisions:
    """Draws faults from a seed and counts them. Safe to share between threads.

    The n-th draw of a kind is the same in each run with the same seed. Kinds do not influence
    each other.
    """

    def __init__(self, seed: int = 0, rates: FaultRates | None = None) -> None:
        """Inactive until `start`."""
        self.seed = seed
        self.rates = rates or FaultRates()
        self.active = False
        self.counts: Counter[str] = Counter()
        self.lock = threading.RLock()
        self._drawn: Counter[str] = Counter()

    def begin_again(self, seed: int, rates: FaultRates) -> None:
        """Start another run: the draws start again, the counts are zero, and it is inactive."""
        with self.lock:
            self.seed, self.rates, self.active = seed, rates, False
            self.counts.clear()
            self._drawn.clear()

    def start(self) -> None:
        """Start drawing, or continue after a pause."""
        with self.lock:
            self.active = True

    def pause(self) -> None:
        """No fault is drawn after this."""
        with self.lock:
            self.active = False

    def dice(self, kind: str) -> random.Random:
        """The random numbers of the next draw of this kind."""
        with self.lock:
            number = self._drawn[kind]
            self._drawn[kind] = number + 1
        # A string seeds in the same way on every machine and Python version.
        return random.Random(f"{self.seed}/{kind}/{number}")

    def draw(self, kind: str, **rates: float) -> tuple[str | None, random.Random]:
        """The name of the fault that happens, or None, and more random numbers for it.

        The caller counts the fault when it happens. Pauses draw nothing.
        """
        if not self.active:
            return None, NO_DICE
        dice = self.dice(kind)
        left = dice.random()
        for name, rate in rates.items():
            if left < rate:
                return name, dice
            left -= rate
        return None, dice

    def count(self, what: str) -> None:
        """One more fault of this name has happened."""
        with self.lock:
            self.counts[what] += 1

    def report(self) -> dict[str, Any]:
        """The counts for the controlling process."""
        with self.lock:
            return {"active": self.active, "counts": dict(self.counts)}


NO_DICE = random.Random(0)
