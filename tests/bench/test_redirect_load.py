"""The load benchmark's table answers a redirect, and counts what it takes."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from aiohttp.test_utils import make_mocked_request

from bench.redirect_server import Speed, Table, code_of, event_of
from functions import container
from functions.handlers import redirect
from functions.services import visits
from tests.conftest import forget_caches


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("LINKS", "CLICKS"):
        monkeypatch.setenv(f"{name}_TABLE", name.lower())
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    forget_caches()
    visits.forget()
    yield
    visits.forget()
    forget_caches()


def visit(code: str) -> dict[str, object]:
    request = make_mocked_request("GET", f"/{code}", headers={"User-Agent": "Mozilla/5.0"})
    return redirect.handler(event_of(request, 1), None)


def test_a_redirect_takes_one_strong_read_and_one_write_when_its_code_is_known() -> None:
    table = Table(links=3)
    client = container.low_latency_dynamodb()
    client.meta.events.register("before-send.dynamodb", table.respond)

    first = visit(code_of(2))
    cold, table.requests = table.requests, 0
    second = visit(code_of(2))

    assert (cold, table.requests) == (3, 2)
    for response in (first, second):
        assert response["statusCode"] == 302
        headers = response["headers"]
        assert isinstance(headers, dict)
        assert headers["Location"].startswith("https://www.example.com/summer/collection?item=2&")


def test_an_unknown_code_is_not_found() -> None:
    table = Table(links=1)
    client = container.low_latency_dynamodb()
    client.meta.events.register("before-send.dynamodb", table.respond)

    assert visit(code_of(1))["statusCode"] == 404
    assert table.requests == 1


def test_the_speed_of_the_processor_is_the_time_of_its_loops() -> None:
    speed = Speed()
    started = time.thread_time()

    for _ in range(3):
        speed.measure()

    assert speed.loops == 3
    assert 0 < speed.seconds <= time.thread_time() - started
