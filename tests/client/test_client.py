"""The requests of the client, and how it reads responses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from tests.client.support import DELETION, KEY, LINK, URL, FakeService, hoko, linkforty
from unlink_client import (
    Conflict,
    Deletion,
    DeletionFailed,
    InvalidRequest,
    InvalidSettings,
    Link,
    NewLink,
    Plan,
    PlanIsInvalid,
    PlanIsStale,
    UnexpectedResponse,
    Unlink,
    UnlinkError,
    UtmParameters,
    WaitTimeout,
    WrittenLink,
)
from unlink_client.aio.deletion import AsyncDeletion
from unlink_client.models import Outcome

PREVIEW = {
    "dryRun": True,
    "mode": "erase",
    "counts": {"requested": 7, "deletable": 7, "unknown": 0, "invalid": 0},
    "clicks": 12,
    "lastClickAt": "2026-11-20T10:00:00.000Z",
    "unknownIds": [],
    "invalidIds": [],
    "confirmationToken": "a-token",
}

EXPORT = {
    "id": "01a2013c-632f-71c5-88ad-db7263a66869",
    "linkId": LINK["id"],
    "state": "running",
    "failure": None,
    "url": None,
    "expiresAt": None,
    "createdAt": "2026-11-22T03:11:04.495Z",
}


def test_a_link_is_a_frozen_object_with_moments_in_utc() -> None:
    service = FakeService([(200, LINK)])
    link = service.client().link("welcome")
    assert isinstance(link, Link)
    assert link.created_at == datetime(2026, 11, 22, 3, 1, 38, 584000, UTC)
    assert link.tags == ("try",)
    assert link.utm_parameters == UtmParameters(source="poster")
    with pytest.raises(FrozenInstanceError):
        link.title = "other"  # type: ignore[misc]
    assert not hasattr(link, "__dict__")


def test_the_key_is_sent_as_a_bearer_and_ids_are_quoted() -> None:
    service = FakeService([(200, LINK)])
    service.client().link("a/b ?#é")
    (request,) = service.requests
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.url.raw_path == b"/api/links/a%2Fb%20%3F%23%C3%A9"


def test_a_new_link_sends_what_is_not_the_default() -> None:
    service = FakeService([(201, LINK)])
    service.client().create(
        NewLink(
            original_url="https://example.com/",
            tags=("a",),
            utm_parameters=UtmParameters(source="x"),
            expires_at=datetime(2030, 1, 1, tzinfo=UTC),
            is_active=False,
        )
    )
    assert service.sent() == {
        "originalUrl": "https://example.com/",
        "tags": ["a"],
        "utmParameters": {"source": "x"},
        "expiresAt": "2030-01-01T00:00:00.000Z",
        "isActive": False,
    }


def test_what_has_no_encoding_is_refused_before_anything_is_sent() -> None:
    service = FakeService([(200, LINK)])
    client = service.client()
    for request in (
        lambda: client.create(NewLink(original_url="https://example.com", title="a\ud800")),
        lambda: list(client.links(tag="a\ud800")),
        lambda: client.link("a\ud800"),
        lambda: Unlink("http://a\x7f", KEY).link("welcome"),
        lambda: Unlink("http://a..example", KEY).link("welcome"),
    ):
        with pytest.raises(UnlinkError, match=r"cannot be sent|Not an id or short code"):
            request()
    assert service.requests == []


def test_a_moment_without_a_zone_is_refused_before_anything_is_sent() -> None:
    service = FakeService([(201, LINK)])
    with pytest.raises(ValueError, match="time zone"):
        service.client().create(
            NewLink(original_url="https://example.com/", expires_at=datetime(2030, 1, 1))  # noqa: DTZ001
        )
    assert service.requests == []


def test_an_update_sends_what_is_given_and_none_clears() -> None:
    service = FakeService([(200, LINK)])
    service.client().update("welcome", title=None, is_active=False)
    assert service.sent() == {"title": None, "isActive": False}


def test_an_update_without_the_right_to_read_answers_the_written_fields() -> None:
    response = {"id": LINK["id"], "updatedAt": LINK["updatedAt"], "title": "New"}
    link = FakeService([(200, response)]).client().update("welcome", title="New")
    assert isinstance(link, WrittenLink)
    assert (link.title, link.original_url) == ("New", None)


def test_links_are_read_page_by_page_also_over_an_empty_page() -> None:
    service = FakeService(
        [
            (200, {"links": [LINK], "nextCursor": "one"}),
            (200, {"links": [], "nextCursor": "two"}),
            (200, {"links": [LINK | {"id": "x"}], "nextCursor": None}),
        ]
    )
    found = list(service.client().links(tag="try", is_active=True, min_clicks=2))
    assert [link.id for link in found] == [LINK["id"], "x"]
    query = dict(service.requests[1].url.params)
    expected = {"limit": "1000", "tag": "try", "isActive": "true", "minClicks": "2"}
    assert query == expected | {"cursor": "one"}


def test_a_condition_without_its_value_is_refused() -> None:
    service = FakeService([(200, {"links": [], "nextCursor": None})])
    lost: Any = None
    with pytest.raises(ValueError, match="must not be None"):
        list(service.client().links(tag=lost))
    with pytest.raises(TypeError, match="no filter 'tags'"):
        service.client().plan(tags="x")  # type: ignore[call-arg]
    assert service.requests == []


def test_a_plan_is_applied_with_its_token_and_one_key() -> None:
    service = FakeService([(200, PREVIEW), (200, DELETION)])
    client = service.client()
    plan = client.plan(tag="tour", max_clicks=0, erase=True)
    assert (plan.count, plan.clicks, plan.mode) == (7, 12, "erase")
    client.apply(plan, reason="over")
    client.apply(plan, reason="over")
    assert service.sent(0) == {
        "filter": {"tag": "tour", "maxClicks": 0},
        "mode": "erase",
        "dryRun": True,
    }
    assert service.sent(1) == {
        "filter": {"tag": "tour", "maxClicks": 0},
        "mode": "erase",
        "reason": "over",
        "confirmationToken": "a-token",
    }
    keys = [request.headers["Idempotency-Key"] for request in service.requests]
    assert keys[1] == keys[2] == plan.idempotency_key != keys[0]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (409, hoko("The matching links have changed since the dry run"), PlanIsStale),
        (
            400,
            hoko(
                "Invalid request",
                details=["The confirmationToken is for another mode, or has expired"],
            ),
            PlanIsStale,
        ),
        (400, hoko("Invalid request", details=["Invalid confirmationToken"]), PlanIsInvalid),
    ],
)
def test_a_rejected_plan_raises(status: int, body: dict[str, Any], error: type[Exception]) -> None:
    service = FakeService([(200, PREVIEW), (status, body)])
    client = service.client()
    plan = client.plan(tag="tour")
    with pytest.raises(error):
        client.apply(plan)


def test_a_plan_survives_its_file() -> None:
    service = FakeService([(200, PREVIEW)])
    plan = service.client().plan(
        tag="tour – é", created_before=datetime(2026, 1, 1, tzinfo=UTC), erase=True
    )
    assert Plan.loads(plan.dumps()) == replace(plan, created_at=Plan.loads(plan.dumps()).created_at)
    assert abs(Plan.loads(plan.dumps()).created_at - plan.created_at).total_seconds() < 0.001


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "\x00\x01",
        '{"format": "unlink-plan", "version": 9}',
        '{"format": "unlink-plan", "version": 1, "checksum": "x"}',
    ],
)
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(PlanIsInvalid):
        Plan.loads(text)


def test_a_plan_whose_count_was_edited_is_refused() -> None:
    text = FakeService([(200, PREVIEW)]).client().plan(tag="tour").dumps()
    assert '"count": 7' in text
    with pytest.raises(PlanIsInvalid, match="changed after it was written"):
        Plan.loads(text.replace('"count": 7', '"count": 1'))


def test_a_plan_of_another_service_is_refused_before_anything_is_sent() -> None:
    service = FakeService([(200, PREVIEW)])
    plan = replace(service.client().plan(tag="tour"), url="https://other.example.com")
    with pytest.raises(PlanIsInvalid, match=r"other\.example\.com"):
        service.client().apply(plan)
    assert len(service.requests) == 1


def test_any_number_of_ids_is_deleted_in_chunks() -> None:
    service = FakeService([(200, DELETION)])
    ids = [f"id-{n}" for n in range(25)]
    found = list(service.client().delete_all([*ids, ids[0]], chunk=10))
    assert [len(service.sent(n)["ids"]) for n in range(3)] == [10, 10, 5]
    assert len(found) == 3
    assert len({request.headers["Idempotency-Key"] for request in service.requests}) == 3


def test_chunks_shrink_to_what_the_plan_allows() -> None:
    service = FakeService([(400, hoko("Invalid request", limit=10)), (200, DELETION)])
    list(service.client().delete_all([f"id-{n}" for n in range(25)]))
    assert [len(service.sent(n)["ids"]) for n in range(4)] == [25, 10, 10, 5]


def test_links_are_created_in_parts_that_the_plan_allows() -> None:
    too_many = linkforty(400, "Bad Request", "At most 10 links in one request", limit=10)
    service = FakeService([(400, too_many), (201, [LINK] * 10), (201, [LINK] * 10), (201, [LINK])])
    new = [NewLink(original_url=f"https://example.com/{n}") for n in range(21)]
    assert len(list(service.client().create_all(new))) == 21
    sent = [service.sent(n) for n in range(4)]
    assert [len(each) for each in sent] == [21, 10, 10, 1]
    urls = [each["originalUrl"] for part in sent[1:] for each in part]
    assert urls == [each.original_url for each in new]


def test_a_workspace_that_is_full_creates_no_smaller_part() -> None:
    full = linkforty(400, "Bad Request", "A workspace can have at most 5,000 links", limit=5_000)
    service = FakeService([(400, full)])
    with pytest.raises(InvalidRequest, match="at most 5,000 links"):
        list(service.client().create_all([NewLink(original_url="https://example.com/")] * 3))
    assert len(service.requests) == 1


def test_waiting_reads_the_deletion_until_it_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("unlink_client.sync.deletion.time.sleep", slept.append)
    service = FakeService(
        [
            (202, DELETION | {"state": "deleting"}),
            (200, DELETION | {"state": "erasing"}),
            (200, DELETION),
        ]
    )
    seen: list[str] = []
    deletion = service.client().delete([str(LINK["id"])])
    ended = deletion.wait(on_progress=lambda each: seen.append(each.state))
    assert ended.state == "complete"
    assert seen == ["deleting", "erasing", "complete"]
    assert len(slept) == 2


def test_waiting_ends_at_its_timeout_and_names_the_deletion() -> None:
    service = FakeService([(202, DELETION | {"state": "deleting"})])
    with pytest.raises(WaitTimeout) as error:
        service.client().delete(["x"]).wait(timeout=0)
    assert error.value.deletion_id == DELETION["id"]


@pytest.mark.parametrize(
    ("response", "wait"),
    [
        (
            (202, DELETION | {"state": "deleting"}),
            lambda client, timeout: client.delete(["x"]).wait(timeout=timeout),
        ),
        (
            (200, EXPORT),
            lambda client, timeout: client.wait_for_export("x", "e", timeout=timeout),
        ),
        (
            (409, hoko("The receipt is not ready yet", retryAfter=5)),
            lambda client, timeout: client.receipt("d", timeout=timeout),
        ),
    ],
    ids=["deletion", "export", "receipt"],
)
def test_a_wait_lasts_as_long_as_its_timeout(
    monkeypatch: pytest.MonkeyPatch, response: Any, wait: Callable[[Unlink, float], object]
) -> None:
    clock = 0.0

    def sleep(seconds: float) -> None:
        nonlocal clock
        clock += seconds

    monkeypatch.setattr(time, "monotonic", lambda: clock)
    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises((WaitTimeout, Conflict)):
        wait(FakeService([response]).client(), 3)
    assert clock == 3


def test_waiting_for_a_failed_deletion_raises_its_failure() -> None:
    service = FakeService([(200, DELETION | {"state": "failed", "failure": "too broad"})])
    with pytest.raises(DeletionFailed, match="too broad"):
        service.client().deletion("x").wait()


def test_outcomes_are_read_page_by_page() -> None:
    service = FakeService(
        [
            (200, DELETION | {"nextCursor": "more"}),
            (200, DELETION | {"results": [{"id": "b", "outcome": "notFound"}]}),
        ]
    )
    outcomes = [(each.id, each.outcome) for each in service.client().deletion("d").outcomes()]
    assert outcomes == [(LINK["id"], "deleted"), ("b", "notFound")]
    assert dict(service.requests[1].url.params) == {"limit": "1000", "cursor": "more"}


def test_the_response_of_hokos_route_names_its_record() -> None:
    service = FakeService(
        [(202, {"deletedIds": ["a"], "pendingIds": ["b"]}, {"X-Deletion-Id": "d"})]
    )
    response = service.client().delete_links(["a", "b"], reason="over & out")
    assert (response.deleted_ids, response.pending_ids, response.deletion_id) == (
        ("a",),
        ("b",),
        "d",
    )
    (request,) = service.requests
    assert request.method == "DELETE"
    assert request.url.params["reason"] == "over & out"


def test_members_of_a_newer_service_are_passed_over_and_missing_ones_named() -> None:
    service = FakeService([(200, LINK | {"colour": "red"})])
    assert service.client().link("welcome").short_code == "welcome"
    incomplete = {name: value for name, value in LINK.items() if name != "shortCode"}
    with pytest.raises(UnexpectedResponse, match=r"Link\.shortCode is missing"):
        FakeService([(200, incomplete)]).client().link("welcome")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clickCount", "3"),
        ("clickCount", True),
        ("tags", "x"),
        ("createdAt", "yesterday"),
        ("createdAt", 5),
    ],
)
def test_a_member_of_another_type_is_named(name: str, value: object) -> None:
    with pytest.raises(UnexpectedResponse, match=rf"Link\.{name}"):
        FakeService([(200, LINK | {name: value})]).client().link("welcome")


@pytest.mark.parametrize(
    "url",
    ["", "go.example.com", "ftp://x", "https://", "https://x/?a", "https://u:p@x", "http://[::1"],
)
def test_a_url_that_cannot_be_used_is_refused_at_once(url: str) -> None:
    with pytest.raises(InvalidSettings):
        Unlink(url, KEY)


@pytest.mark.parametrize("key", ["", "  ", "a b", "schlüssel", "a\nb"])
def test_a_key_with_invalid_characters_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(InvalidSettings) as error:
        Unlink(URL, key)
    assert not key.strip() or key.strip() not in str(error.value)


@pytest.mark.parametrize("url", [f"{URL}/", f"{URL}/api", f"{URL}/api/", f"  {URL}\n"])
def test_the_url_may_be_written_in_several_ways(url: str) -> None:
    assert Unlink(url, KEY).url == URL


def test_the_asynchronous_client_does_the_same() -> None:
    service = FakeService(
        [
            (200, {"links": [LINK], "nextCursor": "one"}),
            (200, {"links": [LINK], "nextCursor": None}),
            (200, PREVIEW),
            (200, DELETION),
            (200, DELETION | {"nextCursor": None}),
        ]
    )

    async def program() -> tuple[int, AsyncDeletion, list[Outcome]]:
        async with service.async_client() as unlink:
            links = [link async for link in unlink.links(tag="try")]
            plan = await unlink.plan(tag="try")
            deletion = await (await unlink.apply(plan)).wait()
            outcomes = [each.outcome async for each in deletion.outcomes()]
            return len(links), deletion, outcomes

    count, deletion, outcomes = asyncio.run(program())
    assert count == 2
    assert deletion.state == "complete"
    assert outcomes == ["deleted"]


def test_a_deletion_compares_by_its_record_and_hides_its_client() -> None:
    one = FakeService([(200, DELETION)]).client().deletion("x")
    two = FakeService([(200, DELETION)]).client().deletion("x")
    assert isinstance(one, Deletion)
    assert one == two
    assert "_client" not in repr(one)


def test_a_given_http_client_is_not_closed() -> None:
    http = httpx2.Client(transport=httpx2.MockTransport(FakeService([(200, LINK)])))
    with Unlink(URL, KEY, http=http) as unlink:
        unlink.link("welcome")
    assert not http.is_closed


@pytest.mark.parametrize("text", ["", ".", ".."])
def test_an_id_that_would_change_the_path_is_refused_before_anything_is_sent(text: str) -> None:
    service = FakeService([(200, LINK)])
    client = service.client()
    for call in (client.link, client.erase_link, client.deletion, client.revoke_key):
        with pytest.raises(UnlinkError, match="Not an id or short code"):
            call(text)
    assert service.requests == []
