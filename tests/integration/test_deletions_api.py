"""``/api/deletions``: deletes for clients without DELETE bodies, progress, the audit trail."""

from __future__ import annotations

import threading
import uuid
from typing import Any
from unittest.mock import Mock

import pytest

from functions import container
from functions.aws.sqs import Queue
from functions.domain.clock import deadline
from functions.domain.errors import InternalError
from functions.domain.ids import new_time_ordered_id
from functions.handlers import deletions
from functions.repositories.link_batches import LinkBatches
from functions.repositories.live_index import LiveIndex
from functions.services import delete_links, erase_links, resolve_filter, run_deletion
from functions.services.resolve_filter import ResolvedLinks
from tests.conftest import World
from tests.support.deletions import ask, send
from tests.support.faults import Killed
from tests.support.virtual_time import RunningClock, VirtualClock

#: An id that no link has; fixed, so that test names are the same in every process.
ABSENT = "00000000-0000-4000-8000-000000000000"


def test_a_soft_deletion_returns_its_readable_record(world: World) -> None:
    ids = world.create(3)

    status, made, headers = ask(world, {"ids": ids, "reason": "campaign is over"})

    assert status == 200
    assert headers["X-Deletion-Id"] == made["id"]
    assert headers["Location"] == f"http://short.test/api/deletions/{made['id']}"
    assert made["state"] == "complete"
    assert made["reason"] == "campaign is over"
    assert made["actor"] == {"keyId": f"key-{world.workspace_id}", "userId": "tester"}
    assert made["sourceIp"] == "192.0.2.1"
    assert made["counts"] == {
        "requested": 3, "deleted": 3, "notFound": 0, "pending": 0, "restored": 0, "failed": 0
    }  # fmt: skip
    assert made["results"] == [{"id": link_id, "outcome": "deleted"} for link_id in ids]
    status, read, _ = send(world, "GET /api/deletions/{id}", at=made["id"])
    assert (status, read) == (200, made | {"restores": []})


def test_an_erasure_answers_per_id(world: World) -> None:
    [link_id] = world.create(1)
    unknown = str(uuid.uuid4())

    status, made, _ = ask(world, {"ids": [link_id, unknown, "nonsense"], "mode": "erase"})

    assert status == 200
    assert made["state"] == "erasing"
    assert made["results"] == [
        {"id": link_id, "outcome": "erased"},
        {"id": unknown, "outcome": "notFound"},
    ]
    assert made["notFoundIds"] == [unknown, "nonsense"]


def test_an_erasure_of_no_links_is_recorded(world: World) -> None:
    status, made, _ = ask(world, {"ids": ["nonsense"], "mode": "erase"})

    assert status == 200
    assert made["state"] == "complete"
    assert made["results"] == []
    assert made["notFoundIds"] == ["nonsense"]


def test_a_dry_run_reports_and_writes_nothing(world: World) -> None:
    ids = world.create(2)
    unknown = str(uuid.uuid4())

    status, result, headers = ask(world, {"ids": [*ids, unknown, "nonsense"], "dryRun": True})

    assert status == 200
    assert result == {
        "dryRun": True,
        "mode": "soft",
        "counts": {"requested": 4, "deletable": 2, "unknown": 1, "invalid": 1},
        "clicks": 0,
        "lastClickAt": None,
        "unknownIds": [unknown],
        "invalidIds": ["nonsense"],
    }
    assert "X-Deletion-Id" not in headers
    assert all(world.live(link_id) for link_id in ids)
    assert send(world, "GET /api/deletions")[1] == {"deletions": [], "nextCursor": None}


def test_results_come_in_pages_in_request_order(world: World) -> None:
    ids = world.create(300)
    _, made, _ = ask(world, {"ids": ids})
    assert [each["id"] for each in made["results"]] == ids[:100]

    pages = world.pages(deletions, "GET /api/deletions/{id}", {"limit": "70"}, at=made["id"])

    assert [each["id"] for page in pages for each in page["results"]] == ids


def test_the_audit_trail_is_newest_first_and_paged(world: World) -> None:
    made = [ask(world, {"ids": world.create(1)})[1]["id"] for _ in range(5)]

    _, first, _ = send(world, "GET /api/deletions", query={"limit": "3"})
    _, rest, _ = send(
        world, "GET /api/deletions", query={"limit": "3", "cursor": first["nextCursor"]}
    )

    listed = [each["id"] for each in first["deletions"] + rest["deletions"]]
    assert listed == made[::-1]
    assert rest["nextCursor"] is None
    assert all(each["counts"]["deleted"] == 1 for each in first["deletions"])
    assert "results" not in first["deletions"][0]


def test_a_deletion_of_another_workspace_does_not_exist(world: World) -> None:
    _, made, _ = ask(world, {"ids": world.create(1)})
    expected = {"error": {"en": "Deletion not found", "ar": "عملية الحذف غير موجودة"}}

    for deletion_id in (made["id"], new_time_ordered_id(), "nonsense"):
        status, body, _ = send(
            world, "GET /api/deletions/{id}", at=deletion_id, workspace_id="ws-somebody-else"
        )
        assert (status, body) == (404, expected)


def test_a_filter_deletes_exactly_what_matches(world: World) -> None:
    spring = world.create(3, tags=["spring"])
    summer = world.create(2, tags=["summer"])

    status, made, _ = ask(world, {"filter": {"tag": "spring"}})

    assert status == 200
    assert sorted(each["id"] for each in made["results"]) == sorted(spring)
    assert made["filter"] == {"tag": "spring"}
    assert sorted(world.live_ids()) == sorted(summer)


def test_a_filter_can_be_tried_and_then_confirmed(world: World) -> None:
    ids = world.create(3, tags=["spring"])

    status, result, _ = ask(world, {"filter": {"tag": "spring"}, "dryRun": True})
    assert status == 200
    assert result["counts"] == {"requested": 3, "deletable": 3, "unknown": 0, "invalid": 0}
    assert sorted(world.live_ids()) == sorted(ids)

    confirm = {"filter": {"tag": "spring"}, "confirmationToken": result["confirmationToken"]}
    world.create(1, tags=["spring"])
    for same in (confirm, confirm | {"dryRun": True}):
        status, refused, _ = ask(world, same)
        assert status == 409
        assert refused["error"]["en"] == "The matching links have changed since the dry run"
    assert len(world.live_ids()) == 4

    _, result, _ = ask(world, {"filter": {"tag": "spring"}, "dryRun": True})
    status, made, _ = ask(world, confirm | {"confirmationToken": result["confirmationToken"]})
    assert status == 200
    assert made["counts"]["deleted"] == 4
    assert world.live_ids() == []


def test_two_dry_runs_have_two_tokens(world: World, virtual_clock: VirtualClock) -> None:
    """A client's Idempotency-Key for one must not repeat a delete that was undone since."""
    world.create(1, tags=["spring"])
    dry_run = {"filter": {"tag": "spring"}, "dryRun": True}
    first, second = (ask(world, dry_run)[1] for _ in range(2))
    assert first["confirmationToken"] != second["confirmationToken"]
    confirm = {"filter": {"tag": "spring"}, "confirmationToken": first["confirmationToken"]}
    assert ask(world, confirm)[0] == 200


def test_a_confirmation_is_bound_to_its_mode_and_workspace(world: World) -> None:
    world.create(1, tags=["spring"])
    _, result, _ = ask(world, {"filter": {"tag": "spring"}, "dryRun": True})
    confirm = {"filter": {"tag": "spring"}, "confirmationToken": result["confirmationToken"]}

    assert ask(world, confirm | {"mode": "erase"})[0] == 400
    assert ask(world, confirm, workspace_id="ws-somebody-else")[0] == 400
    assert ask(world, confirm | {"confirmationToken": "forged"})[0] == 400
    assert len(world.live_ids()) == 1


def test_a_slow_filter_is_resolved_in_the_background(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = world.create(300, tags=["spring"])
    kept = world.create(2)
    monkeypatch.setattr(delete_links, "SELECT_TIMEOUT", -1.0)
    monkeypatch.setattr(container, "resume_queue", lambda: world.queue)

    status, made, headers = ask(world, {"filter": {"tag": "spring"}})

    assert status == 202
    assert made["state"] == "accepted"
    assert made["results"] == []
    [message] = world.queue.messages
    assert message == {"workspaceId": world.workspace_id, "deletionId": headers["X-Deletion-Id"]}
    world.resume(made["id"])
    _, read, _ = send(world, "GET /api/deletions/{id}", at=made["id"], query={"limit": "1000"})
    assert read["state"] == "complete"
    assert sorted(each["id"] for each in read["results"]) == sorted(ids)
    assert sorted(world.live_ids()) == sorted(kept)


def test_a_filter_found_too_broad_in_the_background_fails_and_deletes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.create(101, tags=["spring"])
    monkeypatch.setattr(delete_links, "SELECT_TIMEOUT", -1.0)
    monkeypatch.setattr(container, "resume_queue", lambda: world.queue)
    _, made, _ = ask(world, {"filter": {"tag": "spring"}}, plan="free")

    world.resume(made["id"])

    _, read, _ = send(world, "GET /api/deletions/{id}", at=made["id"])
    assert read["state"] == "failed"
    assert read["failure"] == "More than 100 links match; narrow the filter"
    assert len(world.live_ids()) == 101


def test_a_filter_that_cannot_be_resolved_fails_after_some_attempts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = world.create(3, tags=["spring"])
    monkeypatch.setattr(delete_links, "SELECT_TIMEOUT", -1.0)
    monkeypatch.setattr(container, "resume_queue", lambda: world.queue)
    _, made, _ = ask(world, {"filter": {"tag": "spring"}})
    path = {"id": made["id"]}

    # This worker had little time; the next one may have enough.
    with deadline(0):
        world.resume(made["id"])
    assert send(world, "GET /api/deletions/{id}", path=path)[1]["state"] == "accepted"
    assert len(world.queue.messages) == 2

    monkeypatch.setattr(run_deletion, "RESOLVE_SECONDS", 0.0)
    world.resume(made["id"])
    _, read, _ = send(world, "GET /api/deletions/{id}", path=path)
    assert read["state"] == "failed"
    assert read["failure"] == "The workspace is too large for this filter; narrow it"
    assert set(world.live_ids()) == set(ids)
    assert len(world.queue.messages) == 2


@pytest.mark.parametrize("mode", ["soft", "erase"])
def test_a_filter_by_external_id_reads_that_link_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    [wanted] = world.create(1, externalId="order-7")
    kept = world.create(2)

    monkeypatch.setattr(LiveIndex, "ids", Mock(side_effect=AssertionError("the index was read")))
    confirm = {"filter": {"externalId": "order-7"}, "mode": mode}
    _, result, _ = ask(world, confirm | {"dryRun": True})
    assert result["counts"]["deletable"] == 1
    status, made, _ = ask(world, confirm | {"confirmationToken": result["confirmationToken"]})
    assert status == 200
    assert [each["id"] for each in made["results"]] == [wanted]
    assert ask(world, confirm)[1]["results"] == []
    # Not if it does not match the rest of the filter.
    [other] = world.create(1, externalId="order-8")
    _, made, _ = ask(world, {"filter": {"externalId": "order-8", "minClicks": 1}, "mode": mode})
    assert made["results"] == []
    assert all(world.live(link_id) for link_id in [other, *kept])


def test_a_filter_that_matches_more_than_the_plan_allows_is_refused(world: World) -> None:
    world.create(101, tags=["spring"])

    status, refused, _ = ask(world, {"filter": {"tag": "spring"}}, plan="free")

    assert status == 400
    assert refused["limit"] == 100
    assert len(world.live_ids()) == 101


def test_a_permanent_error_names_the_accepted_deletion(
    world: World, monkeypatch: pytest.MonkeyPatch, running_clock: RunningClock
) -> None:
    ids = world.create(3)

    with monkeypatch.context() as broken:
        broken.setattr(LinkBatches, "mark_deleted", Mock(side_effect=InternalError))
        status, body, headers = ask(world, {"ids": ids}, key="k")
    assert status == 500
    assert body["error"]["en"] == "Internal server error"
    deletion_id = headers["X-Deletion-Id"]

    status, body, headers = ask(world, {"ids": ids}, key="k")
    assert (status, headers["X-Deletion-Id"]) == (409, deletion_id)

    running_clock.pass_by(3600)
    world.resume(deletion_id)
    status, body, _ = ask(world, {"ids": ids}, key="k")
    assert status == 200
    assert body["counts"]["deleted"] == 3


@pytest.mark.parametrize(
    ("mode", "scopes", "missing"),
    [
        ("soft", "linksErase", "linksWrite"),
        ("erase", "linksWrite", "linksErase"),
        ("soft", "linksRead admin", "linksWrite"),
        ("erase", "linksRead admin", "linksErase"),
    ],
)
def test_the_mode_decides_which_scope_is_needed(
    world: World, mode: str, scopes: str, missing: str
) -> None:
    [link_id] = world.create(1)

    status, body, _ = ask(world, {"ids": [link_id], "mode": mode}, scopes=scopes)

    assert status == 403
    assert body["missingScopes"] == [missing]
    assert world.live(link_id)


@pytest.mark.parametrize(
    ("mode", "scopes", "missing"),
    [
        ("soft", "linksWrite", ["analyticsRead"]),
        ("erase", "linksErase linksRead", ["analyticsRead"]),
        ("soft", "linksErase", ["linksWrite", "analyticsRead"]),
        ("erase", "linksWrite analyticsRead", ["linksErase"]),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_an_export_also_needs_the_scope_to_read_analytics(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    scopes: str,
    missing: list[str],
    dry_run: bool,
) -> None:
    monkeypatch.setattr(Queue, "send", lambda *_, **__: None)
    [link_id] = world.create(1)
    asked = {"ids": [link_id], "mode": mode, "export": True, "dryRun": dry_run}
    if dry_run and "linksRead" not in scopes:
        # Its counts reveal properties of links.
        missing = [*missing, "linksRead"]

    status, body, headers = ask(world, asked, scopes=scopes)

    assert status == 403
    assert body["missingScopes"] == missing
    assert "X-Deletion-Id" not in headers
    assert world.live(link_id)
    granted = f"{scopes} {' '.join(missing)}"
    assert ask(world, asked, scopes=granted)[0] == (200 if dry_run else 202)


def test_the_list_and_the_record_of_a_running_erasure_have_the_same_counts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = world.create(40)
    erase_group = erase_links._erase_group
    first, erased_once = iter([True]), threading.Event()

    def die_after_the_first(*given: Any) -> list[int]:
        if next(first, False):
            erase_group(*given)
            erased_once.set()
        # The groups run at the same time.
        erased_once.wait(30)
        raise Killed

    monkeypatch.setattr(erase_links, "_erase_group", die_after_the_first)
    with pytest.raises(Killed):
        ask(world, {"ids": ids, "mode": "erase", "export": False})

    [listed] = send(world, "GET /api/deletions")[1]["deletions"]
    _, read, _ = send(world, "GET /api/deletions/{id}", at=listed["id"])

    erased = [each for each in read["results"] if each["outcome"] == "erased"]
    assert 0 < len(erased) < 40
    assert listed["counts"] == {
        "requested": 40, "deleted": len(erased), "notFound": 0, "pending": 40 - len(erased),
        "restored": 0, "failed": 0,
    }  # fmt: skip
    assert listed == {name: read[name] for name in listed}


def test_every_response_shows_the_pending_export(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Queue, "send", lambda *_, **__: None)
    [given] = world.create(1)
    world.create(1, tags=["summer"])
    for asked in ({"ids": [given]}, {"filter": {"tag": "summer"}}):
        status, made, headers = ask(world, asked | {"export": True})
        _, read, _ = send(world, "GET /api/deletions/{id}", at=made["id"])
        listed = send(world, "GET /api/deletions", query={"limit": "1"})[1]["deletions"][0]

        assert status == 202
        assert headers["X-Deletion-Id"] == made["id"]
        assert made["state"] == read["state"] == listed["state"] == "exporting"
        assert made["export"] == read["export"] == listed["export"]
        assert made["export"] == {"url": None, "expiresAt": None}


def test_a_filter_that_is_resolved_in_the_background_is_exported_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Queue, "send", lambda *_, **__: None)
    [link_id] = world.create(1, tags=["summer"])
    with monkeypatch.context() as patch:
        patch.setattr(resolve_filter, "resolve", lambda *_: ResolvedLinks())
        status, made, _ = ask(world, {"filter": {"tag": "summer"}, "export": True})
    assert (status, made["state"]) == (202, "accepted")

    # Without export repositories the worker can only requeue it.
    resumed = world.resume(made["id"])

    _, read, _ = send(world, "GET /api/deletions/{id}", at=made["id"])
    assert resumed.state == read["state"] == "exporting"
    assert world.live(link_id)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"ids": []},
        {"ids": "x"},
        {"ids": ["nonsense"]},
        {"ids": [ABSENT], "mode": "vanish"},
        {"ids": [ABSENT], "reason": "x" * 501},
        {"ids": [ABSENT], "dryRun": "yes"},
        {"ids": [ABSENT], "surprise": 1},
        {"ids": [ABSENT]},
        {"ids": [ABSENT], "filter": {"tag": "x"}},
        {"ids": [ABSENT], "confirmationToken": "x"},
        {"ids": ["\ud800"]},
        {"ids": None, "filter": {"tag": "x"}},
        {"ids": [ABSENT], "filter": None},
        {"filter": {"tag": "x"}, "confirmationToken": None},
        {"filter": {"tag": "x"}, "confirmationToken": ""},
        {"ids": [ABSENT], "reason": "\ud800"},
        {"filter": {}},
        {"filter": {"colour": "red"}},
        {"filter": "tag"},
    ],
)
def test_bad_input_gets_a_bilingual_400(world: World, body: Any) -> None:
    status, response, _ = ask(world, body)

    assert status == 400
    assert response["error"] == {"en": "Invalid request", "ar": "طلب غير صالح"}


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"cursor": "forged"}, {"page": "2"}],
)
def test_bad_paging_gets_400(world: World, query: dict[str, str]) -> None:
    assert send(world, "GET /api/deletions", query=query)[0] == 400


# -- what a key that may only write sees -------------------------------------------------------


@pytest.mark.parametrize("mode", ["soft", "erase"])
@pytest.mark.parametrize(
    "body",
    [{"filter": {"title": "secret"}}, {"filter": {"title": "secret"}, "dryRun": True}, {"ids": []}],
    ids=["filter", "dry run of a filter", "dry run of ids"],
)
def test_filters_and_dry_runs_need_the_right_to_read(
    world: World, mode: str, body: dict[str, Any]
) -> None:
    [link_id] = world.create(1, title="a secret")
    if "ids" in body:
        body = {"ids": [link_id], "dryRun": True}

    status, result, _ = ask(world, body | {"mode": mode}, scopes="linksWrite linksErase")

    assert status == 403
    assert result["missingScopes"] == ["linksRead"]
    assert world.live(link_id)


def test_a_key_that_may_only_write_deletes_by_id(world: World) -> None:
    link_ids = world.create(2)
    status, _, _ = ask(world, {"ids": link_ids[:1]}, scopes="linksWrite")
    assert status == 200
    assert world.call(deletions, "DELETE /api/links", body=link_ids[1:], scopes="linksWrite") == (
        200,
        {"deletedIds": link_ids[1:]},
    )


# -- numbers and sentences ---------------------------------------------------------------------


@pytest.mark.parametrize(("maximum", "found"), [(0, 1), (0.0, 1), (-0.0, 1), (1e3, 1)])
def test_an_integer_may_have_a_zero_fraction(world: World, maximum: float, found: int) -> None:
    world.create(1)
    status, body, _ = ask(world, {"filter": {"maxClicks": maximum}, "dryRun": True})
    assert status == 200
    assert body["counts"]["deletable"] == found


@pytest.mark.parametrize("number", [0.5, 1e17, -1.0, True, "0", "0.0"])
@pytest.mark.parametrize("name", ["minClicks", "maxClicks"])
def test_an_invalid_integer_is_refused(world: World, name: str, number: Any) -> None:
    status, body, _ = ask(world, {"filter": {name: number}, "dryRun": True})
    assert status == 400
    assert body["details"][0].startswith(f"{name}: ")


@pytest.mark.parametrize("body", [{}, [], {"id": []}, {"ids": [], "dryRun": True}])
def test_bulk_delete_has_one_error_for_every_wrong_body(world: World, body: Any) -> None:
    status, result = world.call(deletions, "POST /api/links/bulk-delete", body=body)
    assert status == 400
    assert result["message"] == 'The body must be {"ids": […]}, optionally with "reason"'


@pytest.mark.parametrize("ids", [None, {}, "x", 5])
def test_ids_that_are_not_an_array_are_named(world: World, ids: Any) -> None:
    for route, at in (
        ("POST /api/links/bulk-delete", None),
        ("POST /api/deletions/{id}/restore", "01a2013c-632f-71c5-88ad-db7263a66868"),
    ):
        status, result = world.call(deletions, route, body={"ids": ids}, at=at)
        assert status == 400
        sentence = result["details"][0] if "details" in result else result["message"]
        assert sentence == "ids must be an array of link ids"
