"""Responses fit Lambda's limit, measured as Lambda does: the body is a JSON string within JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.api import app
from functions.api.response_size import ENVELOPE, sent_size
from functions.api.routes import create_links
from functions.domain.error_texts import as_text, shortened
from functions.domain.errors import InvalidIds, InvalidRequest, UnlinkError
from functions.handlers import analytics, deletions, links
from tests.conftest import World
from tests.support.api_gateway import Context

LONG = "n" * 2_000_000

#: More than an error of any route needs, and a hundredth of what Lambda takes.
SMALL = 60_000


@pytest.mark.parametrize(
    ("body", "size"),
    [("", 2), ('"', 4), ("\\", 4), ("é", 4), ("\u2028", 8), ("\n", 4), ("\x01", 8)],
)
def test_a_body_is_measured_as_the_runtime_encodes_it(body: str, size: int) -> None:
    assert sent_size(body) == size


def returned(response: dict[str, Any]) -> int:
    """Bytes of what the handler returns, as the Python 3.13 runtime encodes it."""
    return len(json.dumps(response, ensure_ascii=False).encode())


def ask(world: World, module: Any, route: str, **more: Any) -> tuple[int, Any, dict[str, Any]]:
    response = module.handler(world.event(route, **more), Context())
    return response["statusCode"], json.loads(response["body"]), response


# -- errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "route", "more"),
    [
        (links, "POST /api/links", {"body": {LONG: 1}}),
        (links, "POST /api/links", {"body": {'"' * 2_000_000: 1}}),
        (links, "POST /api/links", {"body": [{LONG: 1}]}),
        (
            links,
            "POST /api/links",
            {"body": {"originalUrl": "https://example.com/", "utmParameters": {LONG: "x"}}},
        ),
        (links, "PUT /api/links/{id}", {"at": "some", "body": {LONG: 1}}),
        (links, "GET /api/links", {"query": {LONG: "1"}}),
        (deletions, "POST /api/deletions", {"body": {LONG: 1}}),
        (deletions, "POST /api/deletions", {"body": {"filter": {LONG: 1}}}),
        (deletions, "POST /api/deletions", {"body": {"filter": {LONG: None}}}),
        (deletions, "POST /api/deletions", {"body": {"ids": [LONG]}}),
        (deletions, "POST /api/deletions", {"body": {"ids": [{"id": LONG}]}}),
        (deletions, "DELETE /api/links", {"body": [LONG]}),
        (deletions, "DELETE /api/links", {"body": ['"' * 10_000 + str(n) for n in range(150)]}),
        (deletions, "POST /api/links/bulk-delete", {"body": {"ids": [{"a": LONG}]}}),
        (analytics, "POST /api/installs", {"body": {LONG: 1}}),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_an_error_echoes_little_of_a_huge_request(
    world: World, module: Any, route: str, more: dict[str, Any]
) -> None:
    status, _, response = ask(world, module, route, **more)
    assert status == 400
    assert returned(response) < SMALL


def test_a_shortened_text_has_at_most_four_bytes_per_character() -> None:
    for text in ("a" * 500, '"' * 500, "\x01" * 500, "\U0001f600" * 500, "\x01" * 99):
        # Without the marks around it and around the body.
        assert sent_size(json.dumps(shortened(text), ensure_ascii=False)) - 6 <= 403
    assert shortened("a" * 100) == "a" * 100
    assert shortened("a" * 101) == "a" * 100 + "…"
    assert as_text("\x01" * 20) == "\x01" * 20


def test_every_text_of_an_error_is_bounded() -> None:
    error = InvalidRequest(LONG, details=[LONG] * 1_000, takenCodes=[LONG])
    for body in (error.to_hoko(), error.to_linkforty()):
        assert len(json.dumps(body)) < 200_000
    assert error.message == "n" * 500 + "…"
    assert error.members["details"] == ["n" * 500 + "…"] * 100


def test_shortened_lists_have_a_count() -> None:
    error: UnlinkError = InvalidIds(invalid=[], unknown=[f"id-{n}" for n in range(250)])
    assert error.members["unknownCount"] == 250
    assert len(error.members["unknownIds"]) == 100


# -- links ----------------------------------------------------------------------------------


def test_links_whose_response_would_not_fit_are_not_created(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create_links, "BODY_LIMIT", 600_000)
    # Tags are distinct, because a repeated tag is kept once.
    tags = [f"{n:02}" + '"' * 48 for n in range(18)]
    quotes = {"title": '"' * 200, "description": '"' * 500, "tags": tags}
    new = [{"originalUrl": "https://example.com/"} | quotes for _ in range(100)]

    status, body, _ = ask(world, links, "POST /api/links", body=new)

    assert status == 400
    assert body["message"] == "The response would exceed 6 MB; create fewer links in one request"
    assert world.live_ids() == []

    status, made, response = ask(world, links, "POST /api/links", body=new[:70])
    assert status == 201
    assert len(made) == 70
    assert 600_000 * 0.7 < returned(response) <= 600_000 + ENVELOPE


def test_a_response_that_does_not_fit_is_an_error_in_the_routes_format(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    [link_id] = world.create()
    monkeypatch.setattr(app, "BODY_LIMIT", 200)
    status, body, _ = ask(world, links, "GET /api/links/{id}", at=link_id)
    assert status == 500
    assert body == {
        "statusCode": 500,
        "error": "Internal Server Error",
        "message": "Internal server error",
    }
