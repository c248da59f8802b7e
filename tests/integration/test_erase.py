"""Erasing links: record, code and external id in one transaction, per id."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest

from functions.aws.dynamodb import TRANSACTION_ACTIONS
from functions.domain.clock import Deadline, use_deadline
from functions.domain.errors import LinkNotFound, Unavailable
from functions.domain.outcomes import Outcome
from functions.handlers import deletions
from functions.schemas.links import NewLink
from functions.services import erase_links
from tests.conftest import World
from tests.support.virtual_time import VirtualClock


def test_a_link_is_erased_with_its_code_and_record_in_one_transaction(world: World) -> None:
    [link] = world.create_items(shortCode=_code(), externalId="order-7")

    deletion = world.erase_one(link.id)

    assert not world.exists(link.id)
    assert world.stores.links.resolve_code(link.short_code) is None
    record = world.stores.deletions.header(world.workspace_id, deletion.id)
    assert record is not None
    assert record.state == "erasing"
    assert record.ids_with(Outcome.ERASED) == [link.id]


def test_the_code_and_the_external_id_are_free_at_once(world: World) -> None:
    code = _code()
    [old] = world.create_items(shortCode=code, externalId="order-7")
    world.erase_one(old.id)

    [new] = world.create_items(shortCode=code, externalId="order-7")

    assert new.id != old.id
    assert world.stores.links.resolve_code(code) == (
        world.workspace_id,
        new.id,
    )


def test_the_reason_of_an_erasure_may_be_in_its_body(world: World) -> None:
    [link] = world.create_items()
    body = {"reason": "the owner asked"}
    response = world.call(deletions, "DELETE /api/links/{id}", at=link.id, body=body)
    assert response == (200, {"success": True})
    assert world.last_deletion().reason == "the owner asked"


@pytest.mark.parametrize(
    "body", [{"dryRun": True}, {"ids": []}, [], "x", b"{", {"reason": 5}], ids=repr
)
def test_a_link_is_not_erased_with_a_body_that_means_something_else(
    world: World, body: Any
) -> None:
    [link] = world.create_items()
    status, _ = world.call(deletions, "DELETE /api/links/{id}", at=link.id, body=body)
    assert status == 400
    assert world.live_ids() == [link.id]


@pytest.mark.parametrize("case", ["unknown", "foreign", "soft-deleted", "erased"])
def test_only_live_links_of_the_workspace_are_found(world: World, case: str) -> None:
    [link_id] = world.create(1, workspace_id="ws-elsewhere" if case == "foreign" else None)
    if case == "unknown":
        link_id = str(uuid.uuid4())
    elif case == "soft-deleted":
        world.soft_delete([link_id])
    elif case == "erased":
        world.erase([link_id])

    with pytest.raises(LinkNotFound):
        world.erase_one(link_id)


def test_a_failed_erasure_is_not_reported_as_not_found(
    world: World, monkeypatch: pytest.MonkeyPatch, virtual_clock: VirtualClock
) -> None:
    kept, erased = world.create(2)
    unknown = str(uuid.uuid4())
    erase_group = erase_links._erase_group

    def refuse_one(deletion: Any, group: Any, *more: Any) -> list[int]:
        others = [each for each in group if deletion.link_ids[each[0]] != kept]
        refused = [each[0] for each in group if each not in others]
        return refused + (erase_group(deletion, others, *more) if others else [])

    monkeypatch.setattr(erase_links, "_erase_group", refuse_one)
    status, response = world.call(
        deletions, "POST /api/links/bulk-delete", body={"ids": [kept, unknown, erased]}
    )

    assert status == 200
    assert response == {
        "success": False,
        "deletedIds": [erased],
        "notFoundIds": [unknown],
        "failedIds": [kept],
    }
    assert world.live(kept)


def test_a_bulk_delete_has_an_outcome_per_id(world: World) -> None:
    live = world.create(2)
    [soft] = world.create(1)
    world.soft_delete([soft])
    [foreign] = world.create(1, workspace_id="ws-elsewhere")
    unknown = str(uuid.uuid4())

    deletion = world.erase([live[0], unknown, soft, foreign, live[1]])

    assert deletion.ids_with(Outcome.ERASED) == [live[0], soft, live[1]]
    assert deletion.ids_with(Outcome.NOT_FOUND) == [unknown, foreign]
    assert world.exists(foreign, "ws-elsewhere")


def test_many_links_with_external_ids_fill_several_transactions(world: World) -> None:
    names = [str(number) for number in range(TRANSACTION_ACTIONS)]
    new = [NewLink(originalUrl="https://example.com/", externalId=name) for name in names]
    ids = [link.id for link in world.create_new(new)]

    deletion = world.erase(ids)

    assert deletion.ids_with(Outcome.ERASED) == ids
    assert world.live_ids() == []
    again = world.erase(ids)
    assert again.ids_with(Outcome.NOT_FOUND) == ids


def test_an_interrupted_erasure_is_resumed_and_counts_each_link_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whole transactions of 33 links: any of the parallel ones may be the first.
    ids = world.create(4 * 33)
    cut = Deadline(20)
    original = world.stores.links.erasures.apply
    first = threading.Lock()

    def erase_once(actions: list[dict[str, Any]]) -> None:
        if not first.acquire(blocking=False):
            cut.expire()
            raise Unavailable
        original(actions)

    monkeypatch.setattr(world.stores.links.erasures, "apply", erase_once)
    with use_deadline(cut):
        deletion = world.erase(ids)
    assert deletion.open
    assert len(deletion.ids_with(Outcome.ERASED)) == 33
    assert world.queue.messages

    monkeypatch.undo()
    finished = world.resume(deletion.id)

    assert finished.state == "erasing"
    assert finished.ids_with(Outcome.ERASED) == ids
    assert world.live_ids() == []


def _code() -> str:
    return "t-" + uuid.uuid4().hex[:12]
