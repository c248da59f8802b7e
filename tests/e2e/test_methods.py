"""HEAD, wrong methods and unknown paths, over HTTP on the deployed stack."""

from __future__ import annotations

import pytest

from local.demo_data import Workspace
from tests.support.http_client import Client, Response

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SECURITY = {
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
}


@pytest.fixture
def api(base_url: str, workspace: Workspace) -> Client:
    return Client(base_url, workspace.admin_key)


def assert_head_is_get(
    client: Client, path: str, headers: dict[str, str] | None = None
) -> Response:
    """HEAD has GET's status, length and type, and no body. Returns GET's response."""
    got, headed = (client.send(method, path, headers=headers) for method in ("GET", "HEAD"))
    assert (headed.status, headed.body) == (got.status, b"")
    for name in ("content-length", "content-type", "location", "etag", "cache-control", "allow"):
        assert headed.headers.get(name) == got.headers.get(name), name
    assert got.headers["content-length"] == str(len(got.body))
    return got


def test_head_answers_like_get_without_a_body(api: Client) -> None:
    link = api.create()
    visitor = Client(api.base_url, "")
    for path in (
        f"/api/links/{link['id']}",
        f"/api/links/{link['shortCode']}",
        "/api/links?limit=1",
        "/api/deletions",
    ):
        assert assert_head_is_get(api, path).status == 200
    assert assert_head_is_get(api, "/api/links/nothing-here").status == 404
    assert assert_head_is_get(visitor, "/api/links").status == 401
    assert assert_head_is_get(visitor, f"/{link['shortCode']}").status == 302
    assert assert_head_is_get(visitor, "/nothing-here").status == 404
    assert assert_head_is_get(visitor, "/nothing-here", BROWSER).body.startswith(b"<!doctype html>")
    assert assert_head_is_get(visitor, "/api/openapi.json").status == 200


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PATCH", "/api/links", "GET, HEAD, POST, DELETE, OPTIONS"),
        ("POST", "/api/links/abcd", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("DELETE", "/api/links/bulk-delete", "POST, OPTIONS"),
        ("GET", "/api/installs", "POST, OPTIONS"),
        ("DELETE", "/api/docs", "GET, HEAD, OPTIONS"),
        ("DELETE", "/abcd", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
    ],
)
def test_a_wrong_method_gets_405_with_the_allowed_methods(
    api: Client, method: str, path: str, allow: str
) -> None:
    response = api.send(method, path, b"{}", {"Content-Type": "text/plain"})

    assert response.status == 405
    assert response.headers["allow"] == allow
    assert response.json == {
        "statusCode": 405,
        "error": "Method Not Allowed",
        "message": "Method not allowed",
    }
    assert SECURITY.items() <= response.headers.items()


def test_a_wrong_method_on_deletions_gets_405_in_the_hoko_format(api: Client) -> None:
    response = api.send("PUT", "/api/deletions")
    assert response.status == 405
    assert response.json["error"]["en"] == "Method not allowed"


def test_a_wrong_method_without_a_credential_gets_401(api: Client) -> None:
    assert Client(api.base_url, "").send("PATCH", "/api/links").status == 401


def test_preflights_need_no_key(api: Client) -> None:
    response = Client(api.base_url, "").send("OPTIONS", "/api/links")
    assert response.status == 204
    assert response.headers["access-control-allow-methods"] == "OPTIONS,POST,GET,DELETE"


@pytest.mark.parametrize("path", ["/", "/a/b", "/a/b/c.html"])
def test_a_browser_gets_an_html_page_for_an_unknown_route(api: Client, path: str) -> None:
    visitor = Client(api.base_url, "")

    page = assert_head_is_get(visitor, path, BROWSER)

    assert page.status == 404
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert b"This link does not exist" in page.body
    assert SECURITY.items() <= page.headers.items()
    assert page.headers["x-frame-options"] == "DENY"
    assert visitor.get(path).json["message"] == "Route not found"


@pytest.mark.parametrize("path", ["/api", "/api/nothing", "/api/links/a/b", "/api/deletions/a/b"])
def test_an_unknown_api_route_is_json_for_browsers_too(api: Client, path: str) -> None:
    response = api.get(path, BROWSER)
    assert response.status == 404
    assert response.json == {
        "statusCode": 404,
        "error": {"en": "Not found", "ar": "غير موجود"},
        "message": "Route not found",
    }


def test_responses_of_the_gateway_itself_set_strict_transport_security(api: Client) -> None:
    refused = Client(api.base_url, "").get("/api/links")
    assert refused.status == 401
    assert SECURITY.items() <= refused.headers.items()
