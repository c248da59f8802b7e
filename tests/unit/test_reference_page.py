"""The documentation: served complete, by this function alone, under any path."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.handlers import pages
from tests.conftest import forget_caches
from tests.support.api_gateway import Reply, send
from tests.support.openapi import openapi_document


@pytest.fixture(autouse=True)
def _fresh(packaged_document: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("API_BASE_URL", raising=False)
    forget_caches()
    yield
    forget_caches()


def get(resource: str, **more: Any) -> Reply:
    return send(pages.handler, f"GET {resource}", **more)


def asset(name: str, **more: Any) -> Reply:
    return get("/api/docs/{asset}", path={"asset": name}, **more)


def addresses(page: Reply) -> list[str]:
    return re.findall(r'(?:href|src|data-document)="([^"]+)"', page.body.decode())


def test_the_document_has_the_requested_base_url() -> None:
    reply = get("/api/openapi.json")

    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    served = reply.json()
    assert served["servers"] == [{"url": "https://api.test/prod"}]
    assert served | {"servers": None} == openapi_document() | {"servers": None}


def test_the_document_has_the_configured_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_BASE_URL", "https://links.example")
    forget_caches()

    assert get("/api/openapi.json").json()["servers"] == [{"url": "https://links.example"}]
    policy = get("/api/docs").headers["Content-Security-Policy"]
    assert "connect-src 'self' https://links.example;" in policy


def test_the_page_can_resolve_all_references_of_the_document() -> None:
    """The page's script follows references to named parts of the document itself."""
    document = openapi_document()
    references = set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(document)))

    assert len(references) > 20
    for reference in references:
        found = re.fullmatch(r"#/components/(\w+)/([\w-]+)", reference)
        assert found, reference
        assert found[2] in document["components"][found[1]]


def test_the_page_loads_only_files_of_its_own_path() -> None:
    page = get("/api/docs")

    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    found = addresses(page)
    assert "openapi.json" in found
    files = [each for each in found if each.startswith("docs/")]
    assert len(files) == 3
    for address in files:
        name, _, version = address.removeprefix("docs/").partition("?v=")
        reply = asset(name, query={"v": version})
        assert reply.status == 200
        assert reply.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert not [each for each in found if "//" in each]


def test_a_trailing_slash_finds_the_assets_too() -> None:
    def with_slash(event: dict[str, Any], context: Any) -> dict[str, Any]:
        event["path"] += "/"
        event["requestContext"]["path"] += "/"
        return pages.handler(event, context)

    page = send(with_slash, "GET /api/docs")

    assert "../openapi.json" in addresses(page)
    assert [each for each in addresses(page) if each.startswith("../docs/start.js?v=")]


def test_there_is_no_inline_script_or_style() -> None:
    text = get("/api/docs").body.decode()

    assert not re.search(r"<style|\sstyle=|\son\w+=", text)
    assert re.findall(r"<script[^>]*>([^<]*)</script>", text) == ["", ""]


@pytest.mark.parametrize("name", ["swagger-ui.js", "swagger-ui.css", "start.js"])
def test_assets_are_compressed_for_clients_that_accept_gzip(name: str) -> None:
    plain = asset(name)
    packed = asset(name, headers={"accept-encoding": "br, gzip;q=0.8"})
    refused = asset(name, headers={"Accept-Encoding": "gzip;q=0"})

    assert plain.headers["Cache-Control"] == "public, no-cache"
    assert refused.body == plain.body
    if len(plain.body) >= 1024:
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body
        assert packed.headers["ETag"] != plain.headers["ETag"]
    assert plain.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_document_is_encoded_once_in_a_process(encoding: str) -> None:
    bodies = []

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        response = pages.handler(event, context)
        bodies.append(response["body"])
        return response

    for _ in range(2):
        send(handler, "GET /api/openapi.json", headers={"Accept-Encoding": encoding})

    first, second = bodies
    assert first is second


def test_an_unchanged_file_gets_304() -> None:
    first = get("/api/openapi.json", headers={"Accept-Encoding": "gzip"})
    tag = first.headers["ETag"]

    again = get("/api/openapi.json", headers={"Accept-Encoding": "gzip", "If-None-Match": tag})

    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)


@pytest.mark.parametrize("name", ["", "secret.txt", "../docs.py", "swagger-ui.js.map"])
def test_other_files_are_not_served(name: str) -> None:
    reply = asset(name)

    assert reply.status == 404
    assert reply.json()["message"] == "Route not found"
