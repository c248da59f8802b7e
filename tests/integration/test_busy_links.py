"""A link's clicks are in one partition until it is busy; an erasure finds them before and after."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions import container
from functions.domain.clock import Deadline, now_iso, use_deadline
from functions.domain.ids import parse_click_id
from functions.handlers import redirect
from functions.repositories.click_totals import ClickTotals
from functions.repositories.clicks import ClicksTable
from functions.repositories.idempotency import IdempotencyTable
from functions.repositories.installs import InstallsTable
from functions.repositories.link_erasures import LinkErasures
from functions.repositories.link_states import LinkState
from functions.schemas.installs import NewInstall
from functions.services.installs import record_install
from tests.conftest import World
from tests.support.api_gateway import send
from tests.support.clicks import NOON, click, count, day
from tests.support.erasure import Erasing
from tests.support.faults import RETRYABLE, Call, FaultyClient

#: The refusals after which the same request may be sent to another partition.
THROTTLED = {"throttled", "request limit"}


def visit(
    world: World, monkeypatch: pytest.MonkeyPatch, code: str, fault: Callable[..., Any] | None
) -> tuple[int, list[str]]:
    """Visit a link while writes to its own partition meet a fault: the status, and the writes."""
    writes: list[str] = []

    def meet(operation: str, call: Call, parameters: dict[str, Any]) -> Any:
        if operation == "put_item":
            pk = parameters["Item"]["pk"]["S"]
            writes.append("shard" if "#" in pk else "own")
            if fault is not None and writes == ["own"]:
                return fault(operation, call, parameters)
        elif operation == "update_item":
            writes.append(parameters["UpdateExpression"])
        return call()

    with monkeypatch.context() as patch:
        client = FaultyClient(world.dynamodb, meet, every=True)
        patch.setattr(container, "low_latency_dynamodb", lambda: client)
        container.reset()
        reply = send(redirect.handler, "GET /{code}", path={"code": code})
    container.reset()
    return reply.status, writes


def throttle(operation: str, _call: Call, _parameters: dict[str, Any]) -> Any:
    raise ClientError({"Error": {"Code": "ThrottlingException"}}, operation)


def shards_of(erasing: Erasing, link_id: str) -> list[str]:
    """For each item of a link in `clicks`, whether it is in its own partition."""
    return ["shard" if "#" in item["pk"] else "own" for item in erasing.left_of(link_id)]


# -- when a link becomes busy ---------------------------------------------------------------


def test_a_new_link_keeps_its_clicks_in_one_partition(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link] = erasing.world.create_items(1)

    for _ in range(3):
        assert visit(erasing.world, monkeypatch, link.short_code, None) == (302, ["own"])

    assert shards_of(erasing, link.id) == ["own"] * 3


def test_a_throttled_click_spreads_the_clicks_of_its_link(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link] = erasing.world.create_items(1)

    first = visit(erasing.world, monkeypatch, link.short_code, throttle)
    second = visit(erasing.world, monkeypatch, link.short_code, throttle)

    assert first == (302, ["own", "REMOVE onePartition", "shard"])
    assert second == (302, ["shard"])
    assert shards_of(erasing, link.id) == ["shard", "shard"]
    found = erasing.world.link(link.id)
    # Nothing else of the link changed.
    assert (found, found.one_partition) == (link.with_changes({"onePartition": None}), False)


@pytest.mark.parametrize("kind", sorted(RETRYABLE.keys() - {"partly"}))
def test_a_click_whose_write_fails_once_is_recorded_once(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    [link] = erasing.world.create_items(1)

    status, writes = visit(erasing.world, monkeypatch, link.short_code, RETRYABLE[kind])

    place = "shard" if kind in THROTTLED else "own"
    assert (status, shards_of(erasing, link.id)) == (302, [place])
    assert erasing.world.one_partition(link.id) is (kind not in THROTTLED)
    assert len(writes) == 2 + (kind in THROTTLED)


def test_the_fifth_visitor_of_a_day_spreads_the_clicks_once(world: World) -> None:
    [link_id] = world.create()
    visitors = [click(world, link_id, at=NOON + n, ipAddress=f"10.0.0.{n}") for n in range(9)]
    spread: list[int] = []

    def watch(_operation: str, call: Call, parameters: dict[str, Any]) -> Any:
        if parameters.get("UpdateExpression") == "REMOVE onePartition":
            spread.append(len(counted))
        return call()

    counted: list[dict[str, Any]] = []
    client = FaultyClient(world.dynamodb, watch, every=True)
    for visitor in visitors:
        counted.append(visitor)
        count(world, [visitor], client)

    assert spread == [5]
    assert not world.one_partition(link_id)
    assert (day(world, link_id)["clicks"], day(world, link_id)["visitors"]) == (9, 9)


def test_an_install_finds_the_clicks_of_before_and_after(erasing: Erasing) -> None:
    world = erasing.world
    [link_id] = world.create()
    before = click(world, link_id, at=time.time() - 60)
    world.spread(link_id)
    after = click(world, link_id, at=time.time() - 50)
    assert "#" not in before["pk"]
    assert "#" in after["pk"]

    def install(**of: str) -> str | None:
        recorded = record_install(
            NewInstall.model_validate(of),
            workspace_id=world.workspace_id,
            key=None,
            keys=IdempotencyTable(world.dynamodb, world.stores.deletions.name),
            links=world.stores.links,
            installs=InstallsTable(
                world.dynamodb, clicks=world.clicks.name, links=world.stores.links.name
            ),
        )
        assert parse_click_id(recorded["clickId"] or "")
        return recorded["clickId"]

    assert install(clickId=before["id"]) == before["id"]
    assert install(clickId=after["id"]) == after["id"]
    assert install(linkId=link_id) == after["id"]


# -- a concurrent erasure ------------------------------------------------------------------


def spread_and_click(erasing: Erasing, link_id: str) -> int:
    """What a redirect does whose write to the link's own partition was throttled; its clicks."""
    world = erasing.world
    totals = ClickTotals(world.dynamodb, world.stores.links.name)
    if not totals.spread(world.workspace_id, link_id):
        return 0
    made = {"id": str(uuid.uuid4()), "linkId": link_id, "clickedAt": now_iso()}
    world.clicks.put(made)
    return 1


def erase_while_spreading(erasing: Erasing) -> Iterator[tuple[int, list[dict[str, Any]], int]]:
    """Erase a link that becomes busy before the n-th call, for each n: the clicks that were
    recorded, what is left, and what the receipt counts.
    """
    at, reached = 0, True
    while reached:
        [link_id] = erasing.world.create()
        erasing.click(link_id)
        recorded = [1]

        def fault(
            _operation: str,
            call: Call,
            _parameters: dict[str, Any],
            link_id: str = link_id,
            recorded: list[int] = recorded,
        ) -> Any:
            with use_deadline(Deadline(20)):
                recorded.append(spread_and_click(erasing, link_id))
            return call()

        faulty = FaultyClient(fault=fault, at=at)
        deletion, records = erasing.with_clients(faulty.beside).erase([link_id])
        reached = len(recorded) > 1
        erasing.cleanup(records)
        erasing.work_all()
        yield sum(recorded), erasing.left_of(link_id), erasing.receipt(deletion.id)["clicks"]
        at += 1


def test_a_link_that_becomes_busy_while_it_is_erased_leaves_nothing(erasing: Erasing) -> None:
    seen = []
    for recorded, left, counted in erase_while_spreading(erasing):
        assert (left, counted) == ([], recorded)
        seen.append(recorded)
    assert {1, 2} == set(seen)


def test_without_the_condition_of_the_transaction_a_click_would_stay(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This shows that the test above can fail."""
    real = LinkErasures.actions

    def without(self: LinkErasures, workspace_id: str, state: LinkState, **more: Any) -> Any:
        return real(self, workspace_id, state._replace(one_partition=False), **more)

    monkeypatch.setattr(LinkErasures, "actions", without)
    assert any(left for _, left, _ in erase_while_spreading(erasing))


@pytest.mark.parametrize("call", [ClickTotals.spread, ClicksTable.put])
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_throttled_redirect_interleaved_with_an_erasure_leaves_nothing(
    erasing: Erasing, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any], steps: int
) -> None:
    """The erasure takes so many steps before the redirect removes the attribute, or writes."""
    [link] = erasing.world.create_items(1)
    erased: list[str] = []

    def erase() -> None:
        if not steps or erased:
            return
        with use_deadline(Deadline(20)):
            deletion, records = erasing.erase([link.id])
            erased.append(deletion.id)
            if steps == 2:
                assert erasing.cleanup(records) == []
            lost.extend(records)

    lost: list[dict[str, Any]] = []

    def late(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not kwargs.get("one_partition"):
            erase()
        return call(self, *args, **kwargs)

    owner = ClickTotals if call is ClickTotals.spread else ClicksTable
    monkeypatch.setattr(owner, call.__name__, late)
    status, _ = visit(erasing.world, monkeypatch, link.short_code, throttle)

    assert status == 302
    if not erased:
        deletion, lost = erasing.erase([link.id])
        erased.append(deletion.id)
    erasing.cleanup(lost)
    erasing.work_all()
    assert erasing.left_of(link.id) == []
    # It finds the link gone when it removes the attribute.
    recorded = 0 if steps and call.__name__ == "spread" else 1
    assert erasing.receipt(erased[0])["clicks"] == recorded


@pytest.mark.parametrize("how", ["erase", "ttl", "by hand", "lost message"])
def test_busy_links_and_others_are_erased_in_every_way(erasing: Erasing, how: str) -> None:
    ids = erasing.world.create(2)
    for link_id, spread in zip(ids, (True, False), strict=True):
        erasing.write_clicks(link_id, range(20), spread=spread)
        erasing.put_beside(link_id, "DAY#2026-01-01", clicks=20)
    deletion_id = None
    if how in ("erase", "lost message"):
        deletion, records = erasing.erase(ids)
        deletion_id = deletion.id
    else:
        records = [erasing.expire(link_id) for link_id in ids]
    if how == "by hand":
        for record in records:
            del record["userIdentity"]
    if how == "lost message":
        erasing.requeue(deletion.id)
    else:
        assert erasing.cleanup(records) == []

    erasing.work_all()

    assert [erasing.left_of(link_id) for link_id in ids] == [[], []]
    if how == "ttl":
        deletion_id = erasing.world.last_deletion().id
    if deletion_id is not None:
        receipt = erasing.receipt(deletion_id)
        assert (receipt["links"], receipt["clicks"], receipt["rollups"]) == (2, 40, 2)


def test_a_link_without_the_attribute_is_searched_in_nine_partitions(erasing: Erasing) -> None:
    """Its clicks were spread once; neither its item nor its message says otherwise."""
    ids = erasing.world.create(2)
    for link_id in ids:
        erasing.write_clicks(link_id, range(20), spread=True)
    deletion, records = erasing.erase(ids[:1])
    erasing.cleanup(records)
    [stray] = [erasing.expire(ids[1])]
    del stray["userIdentity"]
    erasing.cleanup([stray])
    assert not any("onePartition" in link for each in erasing.messages for link in each["links"])

    erasing.work_all()

    assert [erasing.left_of(link_id) for link_id in ids] == [[], []]
    assert erasing.receipt(deletion.id)["clicks"] == 20
