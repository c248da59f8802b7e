"""Errors of both formats, and retries."""

from __future__ import annotations

import inspect
from typing import Any

import httpx2
import pytest

import unlink_client
from tests.client.fake_service import KEY, FakeUnlink
from tests.client.support import DELETION, LINK, FakeService, hoko, linkforty
from unlink_client import NewLink, Unlink, UnlinkError, errors
from unlink_client.retries import Retries, Wait

GATEWAY = {
    "statusCode": 401,
    "error": {"en": "Invalid API key", "ar": "مفتاح API غير صالح"},
    "message": "Authentication required",
}


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (
            400,
            hoko("Invalid request", details=["a: b"]),
            errors.InvalidRequest,
            "Invalid request: a: b",
        ),
        (
            400,
            hoko("Invalid request", invalidIds=["x"], invalidCount=1),
            errors.InvalidIds,
            "Invalid request",
        ),
        (401, GATEWAY, errors.Unauthenticated, "Invalid API key"),
        (
            403,
            hoko("Missing required scopes", missingScopes=["linksWrite"]),
            errors.MissingScopes,
            "Missing required scopes: linksWrite",
        ),
        (
            403,
            linkforty(403, "Forbidden", "Missing required scopes", missingScopes=["linksErase"]),
            errors.MissingScopes,
            "Missing required scopes: linksErase",
        ),
        (404, linkforty(404, "Not Found", "Link not found"), errors.NotFound, "Link not found"),
        (404, hoko("Deletion not found"), errors.NotFound, "Deletion not found"),
        (405, hoko("Method not allowed"), errors.MethodNotAllowed, "Method not allowed"),
        (
            409,
            linkforty(409, "Conflict", "Short code is already in use", takenCodes=["abcd"]),
            errors.CodeTaken,
            "Short code is already in use: abcd",
        ),
        (
            409,
            hoko("The matching links have changed since the dry run"),
            errors.PlanIsStale,
            "The matching links have changed since the dry run",
        ),
        (409, hoko("Conflict"), errors.Conflict, "Conflict"),
        (413, hoko("Request body too large"), errors.BodyTooLarge, "Request body too large"),
        (422, hoko("Idempotency-Key was used with a different request"), errors.KeyReused, None),
        (500, hoko("Internal server error"), errors.ServerError, "Internal server error"),
    ],
)
def test_each_response_is_one_class_of_the_tree(
    status: int, body: dict[str, Any], kind: type[errors.ApiError], text: str | None
) -> None:
    service = FakeService([(status, body, {"X-Request-Id": "r-1", "X-Deletion-Id": "d-1"})])
    with pytest.raises(errors.ApiError) as caught:
        service.client().link("welcome")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.request_id, error.deletion_id) == (status, "r-1", "d-1")
    if text is not None:
        assert str(error) == text
    assert len(service.requests) == 1


def test_hokos_arabic_sentence_is_kept() -> None:
    with pytest.raises(errors.Unauthenticated) as caught:
        FakeService([(401, GATEWAY)]).client().link("x")
    assert caught.value.message_ar == "مفتاح API غير صالح"


def test_the_ids_of_a_refused_delete_are_named() -> None:
    body = hoko(
        "Invalid request", invalidIds=["a"], invalidCount=1, unknownIds=["b"], unknownCount=300
    )
    with pytest.raises(errors.InvalidIds) as caught:
        FakeService([(400, body)]).client().delete(["a", "b"])
    error = caught.value
    assert (error.invalid_ids, error.unknown_ids) == (("a",), ("b",))
    assert (error.invalid_count, error.unknown_count) == (1, 300)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"<html>nginx</html>"),
        (200, b"<html>a shop</html>"),
        (302, b""),
        (403, b'{"message": "Forbidden"}'),
        (200, b"[]"),
        (200, b"\xff\xfe"),
    ],
)
def test_another_server_is_recognised(status: int, body: bytes) -> None:
    service = FakeService([(status, body, {"Location": "https://elsewhere.example/"})])
    with pytest.raises(errors.UnexpectedResponse):
        service.client().link("welcome")
    assert len(service.requests) == 1


def test_after_a_rate_limit_the_client_waits_for_retry_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("unlink_client.sync.transport.time.sleep", slept.append)
    limited = (429, hoko("Rate limit exceeded", retryAfter=17), {"Retry-After": "17"})
    service = FakeService([limited, limited, (200, LINK)])
    service.client().link("welcome")
    assert slept == [17, 17]
    assert [(wait.seconds, wait.rate_limited) for wait in service.waits] == [(17, True)] * 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (hoko("Rate limit exceeded", retryAfter=1), "the rate limit is reached"),
        (hoko("Limit reached", retryAfter=1, limit=2), "a limit of the plan is reached"),
        (b"<html>", "the rate limit is reached"),
    ],
    ids=["rate", "plan", "proxy"],
)
def test_a_wait_says_which_limit_is_reached(
    monkeypatch: pytest.MonkeyPatch, body: Any, reason: str
) -> None:
    monkeypatch.setattr("unlink_client.sync.transport.time.sleep", lambda _: None)
    service = FakeService([(429, body), (200, DELETION)])
    service.client().delete(["a"])
    assert [wait.reason for wait in service.waits] == [reason]


def test_a_rate_limit_beyond_the_maximum_wait_raises_at_once() -> None:
    limited = (429, hoko("Limit reached", retryAfter=3000, limit=10), {"Retry-After": "3000"})
    service = FakeService([limited])
    with pytest.raises(errors.RateLimited) as caught:
        service.client().link("welcome")
    assert (caught.value.retry_after, caught.value.limit) == (3000, 10)
    assert service.waits == []


def test_what_was_not_answered_is_sent_again_with_the_same_key() -> None:
    service = FakeService(
        [httpx2.ReadError("gone"), (503, hoko("Service temporarily unavailable")), (200, DELETION)]
    )
    service.client().delete(["a"])
    keys = {request.headers["Idempotency-Key"] for request in service.requests}
    assert len(service.requests) == 3
    assert len(keys) == 1


def test_two_calls_have_two_keys() -> None:
    service = FakeService([(200, DELETION)])
    client = service.client()
    client.delete(["a"])
    client.delete(["a"])
    assert len({request.headers["Idempotency-Key"] for request in service.requests}) == 2


def test_a_service_that_stays_away_is_given_up() -> None:
    service = FakeService([httpx2.ConnectError("refused")])
    with pytest.raises(errors.ConnectionFailed, match=r"No connection to https://go\.example\.com"):
        service.client(Retries(attempts=3, first_pause=0.001)).link("welcome")
    assert len(service.requests) == 3


def test_a_response_without_an_end_is_a_connection_that_failed() -> None:
    service = FakeService([httpx2.ReadTimeout("slow")])
    with pytest.raises(errors.ConnectionFailed, match="did not answer in time"):
        service.client(Retries(attempts=1)).link("welcome")


def test_a_response_that_cannot_be_unpacked_is_a_connection_that_failed() -> None:
    service = FakeService([httpx2.DecodingError("not gzip")])
    with pytest.raises(errors.ConnectionFailed, match="not gzip"):
        service.client(Retries(attempts=2, first_pause=0.001)).link("welcome")
    assert len(service.requests) == 2


def test_an_error_of_the_service_is_not_repeated() -> None:
    service = FakeService([(500, hoko("Internal server error")), (200, DELETION)])
    with pytest.raises(errors.ServerError):
        service.client().delete(["a"])
    assert len(service.requests) == 1


def test_a_first_request_that_still_runs_is_waited_for() -> None:
    running = hoko("A request with this Idempotency-Key is still running")
    service = FakeService([(409, running), (200, DELETION)])
    assert service.client().delete(["a"], idempotency_key="k").state == "complete"


def test_a_repeated_running_delete_names_its_record() -> None:
    running = hoko("A request with this Idempotency-Key is still running")
    service = FakeService([(409, running, {"X-Deletion-Id": "d-1"}), (200, DELETION)])
    assert service.client().delete(["a"], idempotency_key="k").id == DELETION["id"]
    assert service.requests[1].url.path == "/api/deletions/d-1"


def test_a_restore_that_still_runs_is_waited_for() -> None:
    running = hoko("A request with this Idempotency-Key is still running")
    restored = {"restoredIds": ["a"], "refused": []}
    service = FakeService([(409, running, {"X-Deletion-Id": "d-1"}), (200, restored)])
    assert service.client().restore("d-1", idempotency_key="k").restored_ids == ("a",)


def test_the_tree_in_the_docstring_is_the_code() -> None:
    classes = {
        name: kind
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, errors.UnlinkError)
    }
    assert all(f" {name} " in (errors.__doc__ or "").replace("\n", " \n") for name in classes)
    assert all(getattr(unlink_client, name) is kind for name, kind in classes.items())


def test_a_key_that_no_header_can_have_is_not_sent_again_and_again(service: FakeUnlink) -> None:
    waits: list[Wait] = []
    with (
        Unlink(service.url, KEY, on_wait=waits.append) as client,
        pytest.raises(UnlinkError, match="cannot be sent: Illegal header value"),
    ):
        client.create(NewLink(original_url="https://example.com/"), idempotency_key="a\nb")
    assert (waits, service.requests) == ([], [])
