"""The code of an erased link: free for its own workspace, reserved against others for a time."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from functions.domain.errors import ShortCodeTaken
from functions.domain.ids import new_short_code, time_of
from functions.domain.policies import Policies
from functions.repositories.link_names import LinkNames
from functions.schemas.links import NewLink
from tests.conftest import World
from tests.support.erasure import Erasing
from tests.support.interleaving import at_once
from tests.support.virtual_time import VirtualClock

DAY = 86_400
OTHER = "ws-other"


def erased(erasing: Erasing, how: str = "erase", **policies: Any) -> tuple[str, int]:
    """A code whose link has been erased under these policies, and the moment of the erasure."""
    code = new_short_code()
    record = Policies(**policies).record()
    [link] = erasing.world.create_items(1, shortCode=code)
    if how == "purge":
        erasing.soft_delete([link.id], retention_days=1, policies=record)
        records = [erasing.expire(link.id)]
    else:
        _, records = erasing.erase([link.id], policies=record)
    erasing.cleanup(records)
    erasing.work_all()
    return code, int(time_of(erasing.world.last_deletion().id))


def left_of(world: World, code: str) -> dict[str, Any] | None:
    item: dict[str, Any] | None = world.dynamodb.get_item(
        TableName=world.stores.links.name,
        Key={"pk": {"S": f"CODE#{code}"}, "sk": {"S": "CODE"}},
        ConsistentRead=True,
    ).get("Item")
    return item


def may_use(world: World, code: str, workspace_id: str) -> bool:
    """Whether a create finds the code free, and the transaction alone does too."""
    claims = world.stores.links.names.code_claims(workspace_id, [code])
    return None not in claims.values()


@pytest.mark.parametrize("how", ["erase", "purge"])
def test_a_released_code_names_the_workspace_and_not_the_link(erasing: Erasing, how: str) -> None:
    code, at = erased(erasing, how)

    assert left_of(erasing.world, code) == {
        "pk": {"S": f"CODE#{code}"},
        "sk": {"S": "CODE"},
        "reservedFor": {"S": erasing.world.workspace_id},
        "ttl": {"N": str(at + 90 * DAY)},
    }
    # A redirect finds no link behind it.
    assert erasing.world.stores.links.resolve_code(code) is None


@pytest.mark.parametrize("looks", [True, False])
def test_the_code_is_free_for_its_own_workspace_and_refused_to_others(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch, looks: bool
) -> None:
    """By the check before the transaction, and by the transaction alone."""
    code, _ = erased(erasing)
    world = erasing.world
    with monkeypatch.context() as patch:
        if not looks:
            patch.setattr(LinkNames, "code_claims", lambda *_, **__: {})
        with pytest.raises(ShortCodeTaken) as refused:
            world.create_items(1, OTHER, shortCode=code)
        assert refused.value.members == {"takenCodes": [code]}
        [link] = world.create_items(1, shortCode=code)

    pointer = world.stores.links.resolve_code(code)
    assert pointer == (world.workspace_id, link.id)
    # Nothing of the reservation is left on a code that a link has.
    assert set(left_of(world, code) or {}) == {"pk", "sk", "workspaceId", "linkId"}


def test_the_code_is_free_for_all_when_the_reservation_is_over(
    erasing: Erasing, virtual_clock: VirtualClock
) -> None:
    code, _ = erased(erasing, code_reservation_days=3)
    virtual_clock.pass_by(3 * DAY - 60)
    assert not may_use(erasing.world, code, OTHER)
    # DynamoDB's removal may lag.
    virtual_clock.pass_by(120)

    [link] = erasing.world.create_items(1, OTHER, shortCode=code)

    pointer = erasing.world.stores.links.resolve_code(code)
    assert pointer == (OTHER, link.id)


#: The workspace and the erasure are named for the response to the workspace's own creates.
QUARANTINED = {"ttl", "reservedFor", "quarantinedUntil", "deletionId"}

#: (reservation, quarantine, what is left, days until the own workspace and others may use it)
RULES = [
    (0, 0, None, 0, 0),
    (90, 0, {"ttl", "reservedFor"}, 0, 90),
    (0, 10, QUARANTINED, 10, 10),
    (90, 10, QUARANTINED, 10, 90),
    (10, 90, QUARANTINED, 90, 90),
    (10, 10, QUARANTINED, 10, 10),
]


@pytest.mark.parametrize(("reservation", "quarantine", "left", "own", "others"), RULES)
def test_reservation_and_quarantine_together(
    erasing: Erasing,
    virtual_clock: VirtualClock,
    reservation: int,
    quarantine: int,
    left: set[str] | None,
    own: int,
    others: int,
) -> None:
    code, _ = erased(erasing, code_reservation_days=reservation, quarantine_days=quarantine)
    world = erasing.world
    item = left_of(world, code)
    assert (set(item) - {"pk", "sk"} if item else None) == left
    assert world.stores.links.resolve_code(code) is None

    def days_until(workspace_id: str) -> int:
        start = virtual_clock.passed
        while not may_use(world, code, workspace_id):
            virtual_clock.pass_by(DAY / 2)
        days = (virtual_clock.passed - start) / DAY
        virtual_clock.pass_by(start - virtual_clock.passed)
        return int(days)

    assert days_until(world.workspace_id) == own
    assert days_until(OTHER) == others


def test_a_rolled_back_create_reserves_no_code(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, free = new_short_code(), new_short_code()
    world.create_items(1, shortCode=taken)
    monkeypatch.setattr(LinkNames, "code_claims", lambda *_, **__: {})
    new = [
        NewLink(originalUrl="https://example.com/", shortCode=code)
        for code in (free, *(new_short_code() for _ in range(40)), taken)
    ]

    with pytest.raises(ShortCodeTaken):
        world.create_new(new)

    assert left_of(world, free) is None
    world.create_items(1, OTHER, shortCode=free)


def test_a_rolled_back_create_leaves_the_reservation_of_a_code(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _ = erased(erasing)
    world = erasing.world
    before = left_of(world, code)
    taken = new_short_code()
    world.create_items(1, shortCode=taken)
    look = LinkNames.code_claims

    def look_before_it_is_taken(names: LinkNames, workspace_id: str, codes: list[str]) -> Any:
        return look(names, workspace_id, [each for each in codes if each != taken])

    monkeypatch.setattr(LinkNames, "code_claims", look_before_it_is_taken)
    new = [
        NewLink(originalUrl="https://example.com/", shortCode=each)
        for each in (code, *(new_short_code() for _ in range(40)), taken)
    ]

    with pytest.raises(ShortCodeTaken):
        world.create_new(new)

    assert left_of(world, code) == before


def test_of_racing_creates_only_the_own_workspace_gets_the_code(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _ = erased(erasing)
    monkeypatch.setattr(LinkNames, "code_claims", lambda *_, **__: {})
    world = erasing.world
    workspaces = [f"ws-{number}" for number in range(4)] + [world.workspace_id] * 2

    results = at_once(
        [partial(world.create_items, 1, workspace, shortCode=code) for workspace in workspaces]
    )

    made = [result for result in results if isinstance(result, list)]
    assert len(made) == 1
    assert made[0][0].workspace_id == world.workspace_id
    assert all(isinstance(each, ShortCodeTaken) for each in results if each not in made)
