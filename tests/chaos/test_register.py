"""The order of one link's events: valid ones are found, and nothing else is."""

from __future__ import annotations

import random

from tests.chaos.register import Action, Event, State, apply, linearizable

FOREVER = float("inf")


def event(
    begin: float, end: float, action: Action, value: str = "", *, required: bool = True
) -> Event:
    return Event(begin, end, action, value, required)


CREATED = event(0, 1, "create", "a")


def test_a_sequence_is_valid_when_each_step_is() -> None:
    events = [
        CREATED,
        event(2, 3, "set", "b"),
        event(4, 5, "saw live", "b"),
        event(6, 7, "trash", "d1"),
        event(8, 9, "saw not live"),
        event(10, 11, "restore", "d1"),
        event(12, 13, "saw live", "b"),
        event(14, 15, "erase"),
        event(16, 17, "saw gone"),
    ]
    assert linearizable(events)


def test_a_read_may_see_either_side_of_a_concurrent_delete() -> None:
    for seen in ("saw live", "saw not live"):
        assert linearizable([CREATED, event(2, 6, "trash", "d1"), event(3, 4, seen)])


def test_a_read_after_the_delete_must_not_see_the_link() -> None:
    assert not linearizable([CREATED, event(2, 3, "trash", "d1"), event(4, 5, "saw live")])


def test_two_reads_must_agree_on_one_order() -> None:
    deleted = event(2, 10, "trash", "d1")
    assert not linearizable(
        [CREATED, deleted, event(3, 4, "saw not live"), event(5, 6, "saw live")]
    )
    assert linearizable([CREATED, deleted, event(3, 4, "saw live"), event(5, 6, "saw not live")])


def test_a_lost_update_has_no_order() -> None:
    updates = [event(2, 3, "set", "b"), event(4, 5, "set", "c")]
    assert not linearizable([CREATED, *updates, event(6, 7, "saw live", "b")])
    assert linearizable([CREATED, *updates, event(6, 7, "saw live", "c")])


def test_what_may_have_happened_explains_a_response_and_need_not() -> None:
    maybe = event(2, FOREVER, "restore", "d1", required=False)
    deleted = event(1.5, 1.8, "trash", "d1")
    assert linearizable([CREATED, deleted, maybe, event(9, 10, "saw live")])
    assert linearizable([CREATED, deleted, maybe, event(9, 10, "saw trashed", "d1")])
    assert not linearizable([CREATED, deleted, event(9, 10, "saw live")])


def test_a_link_is_soft_deleted_by_one_of_two_deletions() -> None:
    both = [event(2, 5, "trash", "d1"), event(2, 5, "trash", "d2")]
    assert not linearizable([CREATED, *both])
    assert linearizable([CREATED, *both, event(2, 5, "restore", "d1")])


def test_an_erased_link_does_not_return() -> None:
    erased = [CREATED, event(2, 3, "erase")]
    assert not linearizable([*erased, event(4, 5, "restore", "d1")])
    assert not linearizable([*erased, event(4, 5, "create", "a")])
    assert not linearizable([*erased, event(4, 5, "erase")])


def test_a_restore_of_another_deletion_changes_nothing() -> None:
    events = [CREATED, event(2, 3, "trash", "d1"), event(4, 5, "saw deleted again", "d0")]
    assert linearizable(events)
    assert not linearizable([*events, event(6, 7, "restore", "d0")])


def test_every_history_of_one_client_after_another_is_valid() -> None:
    """Random steps of a register that overlap by chance: their own order is always found."""
    chance = random.Random(7)
    steps: list[tuple[Action, str]] = [
        ("set", "b"),
        ("set", "c"),
        ("trash", "d1"),
        ("trash", "d2"),
        ("restore", "d1"),
        ("restore", "d2"),
        ("saw live", ""),
        ("saw not live", ""),
        ("erase", ""),
    ]
    for _ in range(200):
        state, events, now = State("live", "a"), [event(-1, 0, "create", "a")], 1.0
        for _ in range(25):
            action, value = chance.choice(steps)
            moment = event(now, now, action, value)
            after = apply(state, moment)
            if after is None:
                continue
            state, now = after, now + 1
            early, late = now - chance.uniform(0, 3), now + chance.uniform(0, 3)
            events.append(event(early, late, action, value))
        assert linearizable(events)


def test_the_search_ends_with_many_requests_without_a_response() -> None:
    events = [CREATED]
    for number in range(40):
        begin = 2.0 + number * 10
        events += [
            event(begin, begin + 1, "trash", f"d{number}"),
            event(begin + 2, begin + 3, "restore", f"d{number}"),
            event(begin + 4, begin + 5, "saw live"),
        ]
        if number % 5 == 0:
            events.append(event(begin, FOREVER, "restore", f"d{number}", required=False))
    assert linearizable(events)
    assert not linearizable([*events, event(900, 901, "saw not live")])
