"""HEAD, and methods that a route does not have."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any
from unittest.mock import Mock

import pytest

from functions import container
from functions.api.methods import allowed_methods
from functions.domain.api_keys import generate_api_key
from functions.domain.ids import new_time_ordered_id
from functions.handlers import pages
from functions.repositories.api_keys import ApiKeysTable
from tests.conftest import World
from tests.support.api_gateway import Reply, send
from tests.support.routes import CATCH_ALLS, KEYED
from tests.support.virtual_time import VirtualClock

pytestmark = pytest.mark.usefixtures("deployed")

#: Path -> the function of its catch-all (tests/infra/test_api.py holds the gateway to it).
HANDLERS = {
    path: import_module(f"functions.handlers.{CATCH_ALLS[path]}") for _, path in sorted(KEYED)
}
READ = sorted(path for path in HANDLERS if "GET" in allowed_methods(path))
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PURGE")
REFUSED = [
    (method, path)
    for path in sorted(HANDLERS)
    for method in METHODS
    if method not in allowed_methods(path)
]


def ask(world: World, method: str, resource: str, **more: Any) -> Reply:
    return world.send(HANDLERS[resource], f"{method} {resource}", **more)


def without_counts(reply: Reply) -> tuple[int, dict[str, str], bytes]:
    """A response without the values that differ between two requests of a key."""
    kept = {name: value for name, value in reply.headers.items() if "RateLimit" not in name}
    return reply.status, kept, re.sub(rb'"remaining":[0-9]+', b"", reply.body)


@pytest.mark.parametrize("path", READ)
def test_head_answers_like_get(world: World, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """The body too: the gateway takes Content-Length from it and sends none to HEAD."""
    [link, deleted] = world.create(2)
    deletion = world.soft_delete([deleted])
    values = {"id": deletion.id if "/deletions/" in path else link, "exportId": link}
    given = {name: value for name, value in values.items() if f"{{{name}}}" in path}

    ApiKeysTable(world.dynamodb, world.access.name).create(
        generate_api_key(),
        key_id=f"key-{world.workspace_id}",
        workspace_id=world.workspace_id,
        scopes=["admin"],
        user_id="tester",
        name="test",
    )
    monkeypatch.setenv("QR_BUCKET", "qr")
    monkeypatch.setattr(container, "qr_images", lambda: Mock(get=Mock(return_value=None)))

    got, headed = (ask(world, method, path, path=given) for method in ("GET", "HEAD"))

    assert without_counts(headed) == without_counts(got)
    assert got.body
    assert got.status == (404 if "{exportId}" in path or "/receipts/" in path else 200)


@pytest.mark.parametrize("path", ["/api/links/{id}", "/api/deletions/{id}"])
def test_head_of_a_missing_link_gets_404(world: World, path: str) -> None:
    unknown = new_time_ordered_id()

    got, headed = (ask(world, method, path, at=unknown) for method in ("GET", "HEAD"))

    assert got.status == 404
    assert without_counts(headed) == without_counts(got)


def test_head_needs_the_scope_of_get(world: World) -> None:
    [link] = world.create(1)

    reply = ask(world, "HEAD", "/api/links/{id}", at=link, scopes="linksWrite")

    assert reply.status == 403


def test_head_counts_as_a_request(world: World, mid_minute: VirtualClock) -> None:
    first, second = (ask(world, "HEAD", "/api/links") for _ in range(2))

    left = [int(reply.headers["X-RateLimit-Remaining"]) for reply in (first, second)]
    assert left[1] == left[0] - 1


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_an_unsupported_method_gets_405(world: World, method: str, path: str) -> None:
    names = {name: "x" for name in ("id", "exportId") if f"{{{name}}}" in path}

    reply = ask(world, method, path, path=names, query={"nobody": "knows"}, body={"a": 1})

    assert reply.status == 405
    assert reply.headers["Allow"] == ", ".join(allowed_methods(path))
    assert reply.headers["Strict-Transport-Security"] == "max-age=31536000"
    if path.startswith("/api/deletions"):
        assert reply.json() == {
            "error": {"en": "Method not allowed", "ar": "الطريقة غير مسموح بها"}
        }
    else:
        assert reply.json() == {
            "statusCode": 405,
            "error": "Method Not Allowed",
            "message": "Method not allowed",
        }


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/{code}", "/api/docs", "/api/openapi.json", "/console"])
@pytest.mark.parametrize("accept", ["text/html", "*/*"])
def test_an_unsupported_method_on_an_open_route_gets_405(
    method: str, path: str, accept: str
) -> None:
    names = {"code": "abcd"} if "{code}" in path else None

    reply = send(pages.handler, f"{method} {path}", path=names, headers={"Accept": accept})

    assert reply.status == 405
    assert reply.headers["Allow"] == ", ".join(allowed_methods(path))
    if accept == "text/html" and not path.startswith("/api/"):
        assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
        assert b"Method not allowed" in reply.body
    else:
        assert reply.json()["statusCode"] == 405


@pytest.mark.usefixtures("packaged_document")
@pytest.mark.parametrize("path", ["/api/docs", "/api/openapi.json"])
def test_head_of_the_documentation_answers_like_get(path: str) -> None:
    got, headed = (send(pages.handler, f"{method} {path}") for method in ("GET", "HEAD"))
    assert headed == got
    assert got.body
