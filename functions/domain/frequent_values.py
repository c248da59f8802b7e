"""The most frequent values of a day, in a bounded number of counters.

A day counts each value of a dimension (a referrer, a city) in its own counter, up to a number of
counters. Above that number the Space-Saving algorithm applies (Metwally, Agrawal and El Abbadi,
2005): a new value may replace the least frequent one.

A day's item holds, for each dimension:

- ``{dimension}:{value}``: the clicks counted since the value got its counter. Never too high.
- ``floor:{dimension}``: the highest score that was ever evicted. Absent until then.
- ``entered:{dimension}:{value}``: the floor when the value got its counter, if there was one. A
  value without a counter has had at most as many clicks as the floor says.

A value's score is its counter plus its ``entered`` value. With ``k`` counters and ``n`` clicks on
the day the floor is at most ``n / k``: every value with more clicks than that has a counter, which
is short by at most the floor. While a day has no more than ``k`` values, every counter is exact.
The day's clicks minus its counters are shown as ``other``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: The name of the clicks that no counter holds. It is also a value of devices and platforms, whose
#: counter is never evicted.
OTHER = "other"


@dataclass(slots=True)
class DayChange:
    """The changes to a day: amounts to add, attributes to remove, floors to raise.

    ``floors`` has for each attribute its value before (None: absent) and after.
    """

    add: dict[str, int] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)
    floors: dict[str, tuple[int | None, int]] = field(default_factory=dict)

    @property
    def operators(self) -> int:
        """Operators of the update; an expression may have 300 (DynamoDB quotas)."""
        return len(self.add) + len(self.remove) + len(self.floors)

    def apply_to(self, day: dict[str, Any]) -> None:
        """Change a day as the update does."""
        for name, amount in self.add.items():
            day[name] = day.get(name, 0) + amount
        for name in self.remove:
            del day[name]
        for name, (_, after) in self.floors.items():
            day[name] = after


def count_values(
    day: Mapping[str, Any], counted: Mapping[str, Mapping[str, int]], *, maximum: int
) -> DayChange:
    """How a day changes when these values, by dimension, are counted; at most ``maximum`` each."""
    change = DayChange()
    for dimension, values in counted.items():
        _count_dimension(day, dimension, values, maximum, change)
    return change


def rest_of(day: Mapping[str, Any], dimension: str) -> int:
    """The clicks of a day that no counter of this dimension holds."""
    if f"floor:{dimension}" not in day:
        return 0
    prefix = f"{dimension}:"
    counted = sum(value for name, value in day.items() if name.startswith(prefix))
    return int(day.get("clicks", 0) - counted)


def _count_dimension(
    day: Mapping[str, Any],
    dimension: str,
    values: Mapping[str, int],
    maximum: int,
    change: DayChange,
) -> None:
    prefix, floor_name = f"{dimension}:", f"floor:{dimension}"
    other = prefix + OTHER
    floor = day.get(floor_name, 0)
    scores = {
        name: value + day.get(f"entered:{name}", 0)
        for name, value in day.items()
        if name.startswith(prefix) and name != other
    }
    new: dict[str, int] = {}
    for value, amount in values.items():
        name = prefix + value
        if name in scores:
            scores[name] += amount
            change.add[name] = amount
        elif name == other:
            change.add[name] = amount
        else:
            new[name] = amount
    surplus = len(scores) + len(new) - maximum
    if surplus > 0:
        # The least frequent; among equals those without a counter first, then by name, so the
        # choice is deterministic.
        ranked = sorted(
            [(floor + amount, False, name) for name, amount in new.items()]
            + [(score, True, name) for name, score in scores.items()]
        )
        evicted = ranked[:surplus]
        for _, stored, name in evicted:
            if stored:
                change.remove.append(name)
                change.add.pop(name, None)
                if f"entered:{name}" in day:
                    change.remove.append(f"entered:{name}")
            else:
                del new[name]
        if evicted[-1][0] > floor:
            change.floors[floor_name] = (floor or None, evicted[-1][0])
    for name, amount in new.items():
        change.add[name] = amount
        if floor:
            change.add[f"entered:{name}"] = floor
