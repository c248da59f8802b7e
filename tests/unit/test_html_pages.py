"""`/` and unknown paths: an HTML page for browsers, JSON for other clients."""

from __future__ import annotations

import pytest

from functions.handlers import pages
from tests.conftest import forget_caches
from tests.support.api_gateway import Reply, send

UNKNOWN = "/{code}/{rest+}"

#: The gateway's own response (infra/api.py), so that clients see one format.
NOT_FOUND = {
    "statusCode": 404,
    "error": {"en": "Not found", "ar": "غير موجود"},
    "message": "Route not found",
}


def ask(path: str, method: str = "GET", *, accept: str = "text/html,*/*", **names: str) -> Reply:
    headers = {"accept": accept}
    return send(pages.handler, f"{method} {path}", path=names or None, headers=headers)


@pytest.mark.parametrize(
    ("path", "names"), [("/", {}), (UNKNOWN, {"code": "a", "rest": "b"})], ids=["/", "/a/b"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_browser_gets_the_404_page(
    monkeypatch: pytest.MonkeyPatch, path: str, names: dict[str, str], method: str
) -> None:
    monkeypatch.delenv("HOME_URL", raising=False)
    forget_caches()

    reply = ask(path, method, **names)

    assert reply.status == 404
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert reply.headers["Cache-Control"] == "no-store"
    assert b"This link does not exist" in reply.body


@pytest.mark.parametrize("path", ["/", UNKNOWN])
def test_other_clients_get_the_json_404(path: str) -> None:
    names = {"code": "a", "rest": "b"} if path == UNKNOWN else {}
    reply = ask(path, accept="application/json", **names)
    assert (reply.status, reply.json()) == (404, NOT_FOUND)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("rest", ["nothing", "links/x/y/z", "deletions/x/y"])
def test_a_browser_gets_json_under_api(method: str, rest: str) -> None:
    reply = ask(UNKNOWN, method, code="api", rest=rest)
    assert reply.headers["Content-Type"] == "application/json"
    assert (reply.status, reply.json()) == (404, NOT_FOUND)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_the_root_redirects_to_the_home_url(
    monkeypatch: pytest.MonkeyPatch, method: str, accept: str
) -> None:
    monkeypatch.setenv("HOME_URL", "https://www.example.com/start")
    forget_caches()

    reply = ask("/", method, accept=accept)

    assert (reply.status, reply.body) == (302, b"")
    assert reply.headers["Location"] == "https://www.example.com/start"
    # Another deployment may name another one.
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["Strict-Transport-Security"] == "max-age=31536000"
    # Other paths do not redirect: a mistyped short link must show the 404 page.
    assert ask(UNKNOWN, method, accept=accept, code="a", rest="b").status == 404
