"""Undo: for a few minutes the caller of a soft delete can undo it, and no other caller can."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.domain.scopes import ROLES
from functions.handlers import deletions
from tests.conftest import World
from tests.support.interleaving import at_once
from tests.support.virtual_time import VirtualClock

EDITOR = " ".join(ROLES["editor"])
ALL = " ".join(ROLES["owner"])
REFUSED = {
    "error": {"en": "Missing required scopes", "ar": "الصلاحيات المطلوبة مفقودة"},
    "missingScopes": ["linksRestore"],
}


@dataclass(frozen=True)
class Who:
    """A key or session and what it may do."""

    key_id: str
    scopes: str = EDITOR


ANN, BOB, OWNER = Who("session:ann"), Who("key-bob"), Who("key-owner", ALL)


def ask(world: World, who: Who, route: str, undo_minutes: int = 15, **more: Any) -> tuple[int, Any]:
    caller = {
        "keyId": who.key_id,
        "userId": who.key_id.rpartition(":")[2],
        "undoMinutes": str(undo_minutes),
    }
    return world.call(deletions, route, scopes=who.scopes, caller=caller, **more)


def delete(world: World, who: Who, ids: list[str], mode: str = "soft", **more: Any) -> Any:
    status, made = ask(world, who, "POST /api/deletions", body={"ids": ids, "mode": mode}, **more)
    assert status == 200, made
    return made


def undo(world: World, who: Who, deletion_id: str, **more: Any) -> tuple[int, Any]:
    return ask(world, who, "POST /api/deletions/{id}/restore", at=deletion_id, **more)


def read(world: World, who: Who, deletion_id: str, **more: Any) -> Any:
    return ask(world, who, "GET /api/deletions/{id}", at=deletion_id, **more)[1]


@pytest.mark.parametrize("who", [ANN, BOB], ids=lambda who: who.key_id)
def test_the_one_who_deleted_undoes_it_and_it_is_recorded(world: World, who: Who) -> None:
    ids = world.create(3)
    made = delete(world, who, ids)

    status, body = undo(world, who, made["id"], query={"reason": "wrong tag"})

    assert (status, body) == (200, {"restoredIds": ids, "refused": []})
    assert all(map(world.live, ids))
    [record] = read(world, who, made["id"])["restores"]
    assert record["actor"] == {"keyId": who.key_id, "userId": who.key_id.rpartition(":")[2]}
    assert record["reason"] == "wrong tag"
    assert record["counts"] == {"requested": 3, "restored": 3, "refused": 0}


def test_a_part_of_a_deletion_is_undone(world: World) -> None:
    first, second = world.create(2)
    made = delete(world, ANN, [first, second])
    status, body = undo(world, ANN, made["id"], body={"ids": [second]})
    assert (status, body["restoredIds"]) == (200, [second])
    assert not world.live(first)


@pytest.mark.parametrize(
    ("who", "minutes"),
    [
        (BOB, 15),
        (Who("session:ann", "linksRead linksWrite linksErase"), 15),
        (Who("session:ann", "linksUndo linksWrite"), 0),
    ],
    ids=["another", "without the scope", "policy off"],
)
def test_everyone_else_is_refused(world: World, who: Who, minutes: int) -> None:
    [link] = world.create(1)
    made = delete(world, ANN, [link])
    assert undo(world, who, made["id"], undo_minutes=minutes) == (403, REFUSED)
    assert not world.live(link)
    assert read(world, ANN, made["id"])["restores"] == []
    assert undo(world, OWNER, made["id"])[0] == 200


def test_a_key_that_was_rotated_may_not_undo_what_the_old_one_deleted(world: World) -> None:
    [link] = world.create(1)
    made = delete(world, Who("key-old"), [link])
    assert undo(world, Who("key-new"), made["id"]) == (403, REFUSED)


def test_the_window_starts_when_the_delete_completed(
    world: World, virtual_clock: VirtualClock
) -> None:
    [link] = world.create(1)
    made = delete(world, ANN, [link])
    assert made["undoUntil"][:16] > made["completedAt"][:16]
    virtual_clock.pass_by(15 * 60 - 5)
    again = delete(world, ANN, world.create(1))
    assert undo(world, ANN, made["id"])[0] == 200
    virtual_clock.pass_by(15 * 60 - 5)
    assert read(world, ANN, again["id"])["undoUntil"] == again["undoUntil"]
    virtual_clock.pass_by(10)
    assert undo(world, ANN, again["id"]) == (403, REFUSED)
    assert undo(world, ANN, again["id"], undo_minutes=16)[0] == 200


def test_an_erasure_cannot_be_undone(world: World) -> None:
    made = delete(world, ANN, world.create(1), mode="erase")
    assert made["undoUntil"] is None
    assert undo(world, ANN, made["id"]) == (403, REFUSED)


def test_undo_until_is_shown_only_to_the_caller_who_may_undo(world: World) -> None:
    made = delete(world, ANN, world.create(1))
    end = made["undoUntil"]
    assert end is not None
    assert read(world, ANN, made["id"])["undoUntil"] == end
    for who in (BOB, OWNER, Who("session:ann", "linksRead")):
        assert read(world, who, made["id"])["undoUntil"] is None
    assert read(world, ANN, made["id"], undo_minutes=0)["undoUntil"] is None
    status, listed = ask(world, ANN, "GET /api/deletions")
    assert (status, [each["undoUntil"] for each in listed["deletions"]]) == (200, [end])


def test_while_the_deletion_runs_its_own_undo_waits_and_others_are_refused(world: World) -> None:
    made = delete(world, ANN, world.create(1))
    world.dynamodb.update_item(
        TableName=world.stores.deletions.name,
        Key={"pk": {"S": world.workspace_id}, "sk": {"S": made["id"]}},
        UpdateExpression="SET #s=:s REMOVE completedAt",
        ExpressionAttributeNames={"#s": "state"},
        ExpressionAttributeValues={":s": {"S": "deleting"}},
    )
    status, body = undo(world, ANN, made["id"])
    assert (status, body["error"]["en"]) == (409, "The deletion is not complete yet")
    assert undo(world, BOB, made["id"]) == (403, REFUSED)


def test_an_unknown_or_foreign_deletion_does_not_exist(world: World) -> None:
    assert undo(world, ANN, str(uuid.uuid4()))[0] == 404
    other = World(**{**world.__dict__, "workspace_id": f"ws-{uuid.uuid4().hex[:8]}"})
    made = delete(other, ANN, other.create(1))
    assert undo(world, ANN, made["id"])[0] == 404


def test_the_same_key_repeats_an_undo_even_when_it_would_be_late(
    world: World, virtual_clock: VirtualClock
) -> None:
    ids = world.create(2)
    made = delete(world, ANN, ids)
    first = undo(world, ANN, made["id"], key="undo-1")
    virtual_clock.pass_by(3_600)
    assert undo(world, ANN, made["id"], key="undo-1") == first
    assert len(read(world, ANN, made["id"])["restores"]) == 1


def test_of_racing_undos_and_deletes_the_link_is_whole(world: World) -> None:
    for _ in range(5):
        [link] = world.create(1)
        made = delete(world, ANN, [link])
        again = partial(undo, world, ANN, made["id"])
        at_once([again, again, partial(delete, world, BOB, [link], mode="erase")])
        assert not world.exists(link)


# -- properties -----------------------------------------------------------------------------

LINKS = 3
PEOPLE = (ANN, BOB, OWNER)

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("delete"), st.integers(0, 2), st.integers(0, LINKS - 1)),
        st.tuples(st.just("erase"), st.integers(0, 2), st.integers(0, LINKS - 1)),
        st.tuples(st.just("undo"), st.integers(0, 2), st.integers(0, 5)),
        st.tuples(st.just("wait"), st.integers(1, 16), st.just(0)),
    ),
    min_size=2,
    max_size=12,
)


@dataclass
class Model:
    """What must be so: one deletion owns a deleted link, None a live one, "" an erased one."""

    world: World
    clock: VirtualClock
    ids: list[str]
    owner_of: dict[str, str | None] = field(default_factory=dict)
    records: list[tuple[str, Who, float, str]] = field(default_factory=list)

    def wait(self, minutes: int, _target: int) -> None:
        self.clock.pass_by(60 * minutes)

    def delete(self, number: int, target: int) -> None:
        who, link = PEOPLE[number], self.ids[target]
        status, made = ask(self.world, who, "POST /api/deletions", body={"ids": [link]})
        assert status == (200 if self.owner_of[link] is None else 400)
        if status == 200:
            self.owner_of[link] = made["id"]
            self.records.append((made["id"], who, self.clock.passed, link))

    def erase(self, number: int, target: int) -> None:
        link = self.ids[target]
        if self.owner_of[link] != "":
            delete(self.world, PEOPLE[number], [link], mode="erase")
            self.owner_of[link] = ""

    def undo(self, number: int, target: int) -> None:
        if target >= len(self.records):
            return
        who, (deletion_id, by, at, link) = PEOPLE[number], self.records[target]
        # The clock stands still between waits of whole minutes: 15 is the last that is in time.
        late = self.clock.passed - at > 15 * 60
        status, body = undo(self.world, who, deletion_id)
        if who != OWNER and (who != by or late):
            assert (status, body) == (403, REFUSED)
            return
        live = self.owner_of[link] in (deletion_id, None)
        assert (status, body["restoredIds"]) == (200, [link] if live else [])
        if live:
            self.owner_of[link] = None

    def check(self) -> None:
        for link, owner in self.owner_of.items():
            item = self.world.stores.links.get(self.world.workspace_id, link)
            assert (item is None) is (owner == "")
            if item is not None:
                assert item.is_live is (owner is None)
                assert item.deletion_id == owner


@pytest.mark.exhaustive
@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(actions=ACTIONS)
def test_no_sequence_undoes_for_another_late_or_what_was_taken_again(
    world: World, virtual_clock: VirtualClock, actions: list[tuple[str, int, int]]
) -> None:
    """Each response and each link's state is what the model says."""
    ids = world.create(LINKS)
    model = Model(world, virtual_clock, ids, dict.fromkeys(ids))
    for what, number, target in actions:
        getattr(model, what)(number, target)
    model.check()
