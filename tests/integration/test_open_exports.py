"""Unfinished exports: one per link, and as many per workspace as its plan allows."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest

from functions.domain import plans
from functions.domain.clock import Deadline
from functions.domain.errors import InternalError, Unavailable
from functions.repositories.exports import ExportRecords, ExportsBucket, objects_of
from functions.repositories.open_exports import HELD_SECONDS, OPEN, OpenExports
from functions.services import export as procedure
from functions.services import export_request
from functions.services.export_request import GIVEN_UP
from tests.conftest import World
from tests.support.exports import Exports
from tests.support.interleaving import at_once
from tests.support.virtual_time import RunningClock


def test_a_second_request_gets_the_running_export(world: World, exports: Exports) -> None:
    [link_id] = world.create()
    _, first = exports.begin(link_id)

    status, second = exports.begin(link_id)
    _, keyed = exports.begin(link_id, key="one")

    assert status == 202
    assert second == keyed == first
    exports.work()
    # The key keeps its export, also after the export's end.
    assert exports.begin(link_id, key="one") == (202, first)
    assert exports.begin(link_id)[1]["id"] != first["id"]


def test_a_key_that_joined_a_running_export_repeats_that_response(
    world: World, exports: Exports
) -> None:
    [link_id] = world.create()
    _, first = exports.begin(link_id)
    message = exports.messages.pop()
    assert exports.run(message, cut=Deadline(procedure.RESERVED_SECONDS - 1)) == "running"
    record = ExportRecords(world.dynamodb, clicks=world.clicks.name, links="")
    stored = record.get(link_id, first["id"])
    assert stored is not None
    record.advance(stored, state="running")

    _, joined = exports.begin(link_id, key="two")
    exports.work()

    assert (joined["id"], joined["state"]) == (first["id"], "running")
    assert exports.begin(link_id, key="two") == (202, joined)


def test_requests_at_the_same_time_begin_one_export(
    world: World, exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link_id] = world.create()
    both_looked = threading.Barrier(2, timeout=20)
    free = OpenExports.free
    waited: list[int] = []

    def together(self: OpenExports, *given: Any, **more: Any) -> list[int]:
        found = free(self, *given, **more)
        if len(waited) < 2:
            waited.append(1)
            both_looked.wait()
        return found

    monkeypatch.setattr(OpenExports, "free", together)
    responses = at_once([partial(exports.begin, link_id)] * 2)

    assert [status for status, _ in responses] == [202, 202]
    assert len({body["id"] for _, body in responses}) == 1


def test_the_plan_limits_unfinished_exports(world: World, exports: Exports) -> None:
    maximum = plans.plans()["free"].open_exports
    assert maximum == 2
    links = world.create(maximum + 1)
    for link_id in links[:maximum]:
        assert exports.begin(link_id, plan="free")[0] == 202

    status, body = exports.begin(links[maximum], plan="free")

    assert status == 429
    assert (body["limit"], body["retryAfter"]) == (maximum, 60)
    assert "2 exports" in body["message"]
    assert "free plan" in body["message"]
    # The running export is still returned for its link, and another plan has more room.
    assert exports.begin(links[0], plan="free")[0] == 202
    exports.messages.clear()
    assert exports.begin(links[0], workspace_id="ws-elsewhere", plan="free")[0] == 404


def test_a_slot_is_free_after_the_export_ends(
    world: World, exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = world.create(3)
    exports.begin(first, plan="free")
    exports.begin(second, plan="free")
    done, failing = exports.messages
    exports.messages.clear()

    # One completes, one is given up.
    exports.deliver(done)
    assert exports.begin(third, plan="free")[0] == 202
    assert exports.begin(first, plan="free")[0] == 429
    with monkeypatch.context() as broken:
        broken.setattr(ExportsBucket, "put", lambda *_, **__: fail())
        assert exports.deliver(failing, 4)
        assert exports.deliver(failing, 5)
    assert exports.begin(first, plan="free")[0] == 202


def fail() -> None:
    raise InternalError


def test_the_slot_of_an_export_whose_link_is_erased_is_released(
    world: World, exports: Exports
) -> None:
    links = world.create(3)
    for link_id in links[:2]:
        exports.begin(link_id, plan="free")
    erased, gone = exports.messages
    exports.messages.clear()
    world.erase_one(links[0])
    # Of the other the record has gone as well, as an erasure removes it.
    exports.forget({"linkId": links[1], "id": gone["exportId"]})

    assert not exports.deliver(erased)
    assert exports.begin(links[2], plan="free")[0] == 202
    exports.messages.clear()
    assert not exports.deliver(gone)
    assert exports.begin(links[1], plan="free")[0] == 202


def test_the_last_delivery_of_an_export_that_has_ended_releases_its_slot(
    world: World, exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers were killed, or throttled, between the end of the export and the release."""
    links = world.create(3)
    for link_id in links[:2]:
        exports.begin(link_id, plan="free")
    done, gone = exports.messages
    exports.messages.clear()
    with monkeypatch.context() as broken:
        broken.setattr(OpenExports, "release", lambda *_: fail())
        assert exports.deliver(done, 1)
    exports.forget({"linkId": links[1], "id": gone["exportId"]})
    assert exports.begin(links[2], plan="free")[0] == 429

    assert not exports.deliver(done, 5)
    assert exports.begin(links[2], plan="free")[0] == 202
    assert not exports.deliver(gone, 5)
    assert exports.begin(links[1], plan="free")[0] == 202


def test_a_renewal_that_is_carried_out_late_takes_no_released_claim(
    world: World, exports: Exports
) -> None:
    [link_id] = world.create()
    exports.begin(link_id)
    opened = OpenExports(world.dynamodb, world.clicks.name)
    message = exports.messages.pop()

    opened.release(message)
    opened.renew(message)

    assert opened.of_link(link_id) is None
    assert opened.free(world.workspace_id, 2) == [0, 1]


def test_no_slot_names_a_link(world: World, exports: Exports) -> None:
    [link_id] = world.create()
    exports.begin(link_id)

    slots = world.own(world.clicks.name, "EXPORTS#")

    assert len(slots) == 1
    assert link_id not in str(slots)


def test_an_export_without_progress_for_hours_is_failed_and_another_may_begin(
    world: World, exports: Exports, running_clock: RunningClock
) -> None:
    """Its message is a dead letter, and no function has seen its last delivery."""
    [link_id] = world.create()
    _, lost = exports.begin(link_id)
    message = exports.messages.pop()
    running_clock.pass_by(HELD_SECONDS + 1)

    _, shown = exports.get(link_id, lost["id"])
    _, another = exports.begin(link_id)

    assert (shown["state"], shown["url"]) == ("failed", None)
    assert shown["failure"] == GIVEN_UP
    assert another["id"] != lost["id"]
    # The dead letter that is sent again continues, without effect on the other.
    assert not exports.deliver(message)
    assert exports.get(link_id, lost["id"])[1]["state"] == "complete"
    assert exports.begin(link_id)[1]["id"] == another["id"]


def test_a_long_export_renews_its_claims(
    world: World, exports: Exports, running_clock: RunningClock
) -> None:
    [link_id] = world.create()
    _, begun = exports.begin(link_id)
    message = exports.messages.pop()
    running_clock.pass_by(HELD_SECONDS - 60)
    opened = OpenExports(world.dynamodb, world.clicks.name)

    assert exports.run(message, cut=Deadline(procedure.RESERVED_SECONDS - 1)) == "running"
    running_clock.pass_by(HELD_SECONDS - 60)

    assert opened.of_link(link_id) == begun["id"]
    assert 0 not in opened.free(world.workspace_id, 2)


def test_a_request_that_always_loses_the_race_gets_try_again(
    world: World, exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link_id] = world.create()
    exports.begin(link_id)
    monkeypatch.setattr(export_request, "_unfinished", lambda *_: (None, None))

    status, _ = exports.begin(link_id)

    assert status == Unavailable.status


def test_the_claim_of_a_link_is_not_listed_as_an_export() -> None:
    items = [{"sk": {"S": OPEN}}, {"sk": {"S": "EXPORT#1"}}, {"sk": {"S": "DAY#2026-01-01"}}]

    assert objects_of("ws", items) == ["exports/ws/1.ndjson"]
