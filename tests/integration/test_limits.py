"""Rate limits: exact windows, the headers of responses, and a failing counter."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from functions.api import caller, rate_limit
from functions.api.routes import links as link_routes
from functions.aws.client import client
from functions.domain.errors import RateLimited, Unavailable
from functions.domain.plans import SCOPES, Plan
from functions.handlers import deletions, links
from tests.conftest import World
from tests.support.interleaving import at_once
from tests.support.virtual_time import MINUTE_END, VirtualClock

pytestmark = pytest.mark.usefixtures("mid_minute")


def count(world: World, limit: int, identity: str | None = None) -> Any:
    return world.access.count_request(identity or world.workspace_id, Plan("test", limit, 1))


def test_the_window_counts_down_and_then_refuses_until_the_minute_ends(
    world: World, mid_minute: VirtualClock
) -> None:
    windows = [count(world, 3) for _ in range(3)]
    assert [window.remaining for window in windows] == [2, 1, 0]
    assert {window.reset for window in windows} == {MINUTE_END}
    with pytest.raises(RateLimited) as refused:
        count(world, 3)
    assert refused.value.retry_after == 47
    mid_minute.pass_by(46.49)
    with pytest.raises(RateLimited) as refused:
        count(world, 3)
    assert refused.value.retry_after == 1
    mid_minute.pass_by(0.01)
    assert count(world, 3).remaining == 2


def test_each_key_has_its_own_window(world: World) -> None:
    count(world, 1)
    assert count(world, 1, f"{world.workspace_id}-other").remaining == 0


@pytest.mark.parametrize("limit", [1, 37])
def test_parallel_callers_never_exceed_the_limit(world: World, limit: int) -> None:
    def attempt() -> int | None:
        try:
            return int(count(world, limit).remaining)
        except RateLimited:
            return None

    callers = at_once([lambda: [attempt() for _ in range(5)]] * 16)
    results = [remaining for caller in callers for remaining in caller]
    assert len(results) == 80
    # Each request of the window was counted exactly once.
    assert Counter(r for r in results if r is not None) == Counter(range(limit))


# -- what callers are told ------------------------------------------------------------------


def ask(
    world: World, route: str, *, module: Any = links, **more: Any
) -> tuple[int, dict[str, str], Any]:
    """(status, headers by lower-case name, body)"""
    reply = world.send(module, route, **more)
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return reply.status, headers, reply.json()


def at_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every further request of the workspace's key exceeds the limit."""
    monkeypatch.setattr(caller, "plans", lambda: {"enterprise": Plan("enterprise", 1, 10_000)})
    world.access.count_request(f"key-{world.workspace_id}", Plan("enterprise", 1, 1))


RATE = {
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "ratelimit",
    "ratelimit-policy",
}


@pytest.mark.parametrize(
    ("route", "more", "status"),
    [
        ("GET /api/links", {}, 200),
        ("GET /api/links/{id}", {"at": "none"}, 404),
        ("POST /api/links", {"body": b"{"}, 400),
        ("GET /api/links", {"scopes": "admin"}, 403),
        ("GET /api/links", {"query": {"cursor": "x"}}, 400),
    ],
)
def test_every_response_has_rate_limit_headers(
    world: World, route: str, more: dict[str, Any], status: int
) -> None:
    answered, headers, _ = ask(world, route, **more)
    assert answered == status
    assert set(headers) >= RATE
    assert headers["x-ratelimit-limit"] == "10000"
    assert headers["x-ratelimit-remaining"] == "9999"
    assert headers["x-ratelimit-reset"] == str(MINUTE_END)
    assert headers["ratelimit-policy"] == '"enterprise";q=10000;w=60'
    assert headers["ratelimit"] == '"enterprise";r=9999;t=47'
    # No cache may keep it, and browsers may not guess its type.
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("a secret detail"), 500), (Unavailable(), 503)]
)
def test_an_error_has_rate_limit_headers_and_is_logged_with_its_request(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
) -> None:
    monkeypatch.setattr(link_routes, "list_page", Mock(side_effect=error))
    monkeypatch.setattr(links.api._log._logger, "propagate", True)
    answered, headers, body = ask(world, "GET /api/links")
    assert answered == status
    assert set(headers) >= RATE
    assert "secret" not in json.dumps(body)
    [line] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert vars(line)["requestId"] == headers["x-request-id"]
    assert vars(line)["route"] == "GET /api/links"


def test_a_429_in_the_hoko_format_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link] = world.create(1)
    at_limit(world, monkeypatch)
    status, headers, body = ask(world, "DELETE /api/links", module=deletions, body=[link])
    assert status == 429
    assert body == {
        "error": {"en": "Rate limit exceeded", "ar": "تم تجاوز حد المعدل"},
        "retryAfter": 47,
    }
    assert headers["retry-after"] == "47"
    assert headers["x-ratelimit-reset"] == str(MINUTE_END)
    assert headers["x-ratelimit-remaining"] == "0"
    assert set(headers) >= RATE
    assert world.live(link)


def test_a_429_in_the_linkforty_format(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    at_limit(world, monkeypatch)
    status, headers, body = ask(world, "GET /api/links")
    assert status == 429
    assert body == {
        "statusCode": 429,
        "error": "Too Many Requests",
        "message": "Rate limit exceeded. Try again in 47 seconds.",
        "retryAfter": 47,
    }
    assert headers["retry-after"] == "47"


# -- when the counter does not answer -------------------------------------------------------


HANGING = threading.Event()
"""Set to let a call that hangs come to its end."""


def hang(**_: Any) -> None:
    assert HANGING.wait(60)


def throttle(**_: Any) -> None:
    raise ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem")


def deny(**_: Any) -> None:
    raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "UpdateItem")


def lose(**_: Any) -> None:
    raise ConnectTimeoutError(endpoint_url="https://dynamodb.test")


@pytest.mark.parametrize("fault", [hang, throttle, deny, lose])
def test_requests_pass_soon_when_the_counter_is_down(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: Any
) -> None:
    """Refusing all requests would cause the outage that the limiter prevents."""
    monkeypatch.setattr(client("dynamodb"), "update_item", fault)
    monkeypatch.setattr(rate_limit, "LIMITER_WAIT", 0.2)
    HANGING.clear()
    try:
        # The response is sent while the call still hangs.
        status, headers, body = ask(world, "GET /api/links")
    finally:
        HANGING.set()
    assert status == 200
    assert body == {"links": [], "nextCursor": None}
    # Unknown numbers are left out.
    assert not set(headers) & RATE


def test_scopes_are_checked_when_the_counter_is_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client("dynamodb"), "update_item", throttle)
    assert ask(world, "GET /api/links", scopes="linksWrite")[0] == 403


# -- scopes and expiry at the edge ----------------------------------------------------------


@pytest.mark.parametrize("scope", SCOPES)
def test_exactly_the_missing_scopes_are_named_and_nothing_is_read(
    world: World, monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    """`admin` implies no other scope."""
    [link] = world.create(1)
    erasure = {"ids": [link], "mode": "erase"}
    for module, route, more, needed in (
        (links, "GET /api/links", {}, "linksRead"),
        (links, "POST /api/links", {"body": {"originalUrl": "https://a.example/"}}, "linksWrite"),
        (deletions, "DELETE /api/links", {"body": [link]}, "linksWrite"),
        (deletions, "DELETE /api/links/{id}", {"at": link}, "linksErase"),
        (deletions, "POST /api/links/bulk-delete", {"body": {"ids": [link]}}, "linksErase"),
        (deletions, "POST /api/deletions", {"body": {"ids": [link]}}, "linksWrite"),
        (deletions, "POST /api/deletions", {"body": erasure}, "linksErase"),
    ):
        if needed == scope:
            continue
        with monkeypatch.context() as patch:
            for operation in ("get_item", "batch_get_item", "query", "batch_execute_statement"):
                patch.setattr(client("dynamodb"), operation, _no_read)
            status, _, body = ask(world, route, module=module, scopes=scope, **more)
        assert status == 403
        assert body["missingScopes"] == [needed]
    assert world.live(link)


def _no_read(**_: Any) -> None:
    raise AssertionError("something was read before the scope was checked")


def test_a_credential_expires_on_time_although_the_gateway_caches_it(world: World) -> None:
    def listed(expires_at: float) -> tuple[int, dict[str, str], Any]:
        return ask(world, "GET /api/links", caller={"expiresAt": str(int(expires_at))})

    assert listed(time.time() + 60)[0] == 200
    status, headers, body = listed(time.time())
    assert status == 401
    # What the gateway itself answers.
    assert body == {
        "statusCode": 401,
        "error": {"en": "Invalid API key", "ar": "مفتاح API غير صالح"},
        "message": "Authentication required",
    }
    assert headers["x-request-id"]
