"""Whether what was done to one link has an order that explains every response.

The search of Wing and Gong ("Testing and Verifying Concurrent Objects", 1993) with a cache of the
configurations that failed (Lowe, "Testing for linearizability", 2017). A link is a register:
absent, live with a title, soft-deleted by one deletion, or erased. PyPI has no such library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Status = Literal["absent", "live", "trashed", "erased"]

Action = Literal[
    "create",
    "set",
    "trash",
    "erase",
    "erase live",
    "restore",
    "saw live",
    "saw not live",
    "saw gone",
    "saw erased",
    "saw deleted again",
    "saw trashed",
]


class State(NamedTuple):
    """A link at one moment. ``by`` is the deletion that soft-deleted it."""

    status: Status = "absent"
    title: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a link, at a moment between ``begin`` and ``end``.

    ``value`` is a title or a deletion, by the action. An event that is not ``required`` may never
    have happened.
    """

    begin: float
    end: float
    action: Action
    value: str = ""
    required: bool = True
    token: str = ""


def apply(state: State, event: Event) -> State | None:
    """The state after an event; None if it cannot happen in this state."""
    status, title, by = state
    value = event.value
    match event.action:
        case "create":
            return State("live", value) if status == "absent" else None
        case "set":
            return State("live", value) if status == "live" else None
        case "trash":
            return State("trashed", title, value) if status == "live" else None
        case "erase":
            return State("erased") if status in ("live", "trashed") else None
        case "erase live":
            return State("erased") if status == "live" else None
        case "restore":
            if status == "live":
                return state
            return State("live", title) if status == "trashed" and by == value else None
    held = {
        "saw live": status == "live" and value in ("", title),
        "saw not live": status != "live",
        "saw gone": status in ("absent", "erased"),
        "saw erased": status == "erased",
        "saw deleted again": status == "trashed" and by != value,
        "saw trashed": status == "trashed" and by == value,
    }[event.action]
    return state if held else None


def linearizable(events: Sequence[Event]) -> bool:
    """Whether the events have an order that agrees with their times and is valid at each step."""
    ordered = sorted(events, key=lambda each: each.begin)
    required = sum(1 << number for number, each in enumerate(ordered) if each.required)
    failed: set[tuple[int, State]] = set()
    stack: list[tuple[int, State]] = [(0, State())]
    while stack:
        done, state = stack.pop()
        if done & required == required:
            return True
        if (done, state) in failed:
            continue
        failed.add((done, state))
        stack.extend(_next(ordered, done, state))
    return False


def _next(ordered: Sequence[Event], done: int, state: State) -> list[tuple[int, State]]:
    """The configurations that one more event leads to."""
    # Whatever begins after this moment comes after an event that has not happened yet.
    first_end = float("inf")
    candidates: list[tuple[int, Event]] = []
    for number in range((~done & (done + 1)).bit_length() - 1, len(ordered)):
        event = ordered[number]
        if event.begin > first_end:
            break
        if done >> number & 1:
            continue
        candidates.append((number, event))
        if event.required:
            first_end = min(first_end, event.end)
    found = []
    for number, event in candidates:
        if event.begin > first_end:
            continue
        after = apply(state, event)
        if after is None:
            continue
        if event.action.startswith("saw"):
            # An observation that holds now changes nothing, so no order is lost by taking it now.
            return [(done | 1 << number, after)]
        found.append((done | 1 << number, after))
    return found
