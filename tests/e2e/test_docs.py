"""The documentation through the gateway, as a browser loads it."""

from __future__ import annotations

import gzip
import json
import re
import urllib.parse
import urllib.request
from typing import Any

import pytest


def get(url: str) -> tuple[int, Any, bytes]:
    request = urllib.request.Request(
        url,
        headers={
            "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "Accept-Encoding": "gzip, deflate, br, zstd",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        body = response.read()
        if response.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        return response.status, response.headers, body


@pytest.mark.parametrize("path", ["/api/docs", "/api/docs/"])
def test_the_page_loads_files_of_this_stack_only(base_url: str, path: str) -> None:
    status, headers, page = get(base_url + path)

    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    loaded = re.findall(r'(?:src|data-document|rel="stylesheet" href)="([^"]+)"', page.decode())
    kinds = []
    for address in loaded:
        status, headers, body = get(urllib.parse.urljoin(base_url + path, address))
        assert status == 200
        assert body
        kinds.append(headers["Content-Type"].partition(";")[0])
    assert kinds == ["text/css", "text/javascript", "text/javascript", "application/json"]


def test_requests_from_the_page_go_to_this_api(base_url: str) -> None:
    _, headers, body = get(f"{base_url}/api/openapi.json")

    assert headers["Content-Type"] == "application/json"
    document = json.loads(body)
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": base_url}]
