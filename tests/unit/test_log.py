"""The redirect's log lines, formatted as Lambda's own runtime client formats them."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from functions import container
from functions.api import redirect_response
from functions.domain.errors import Unavailable
from functions.handlers import redirect
from functions.log import _JsonLines
from tests.support.api_gateway import Context, api_event
from tests.support.links import a_link

ROOT = Path(__file__).parents[2]

bootstrap = pytest.importorskip("awslambdaric.bootstrap", reason="Linux only")


class Sink:
    """Where the runtime sends its lines: CloudWatch Logs, on Lambda."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def log(self, line: str, frame_type: bytes | None = None) -> None:
        self.lines.append(json.loads(line))


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    """Logging as the runtime sets it up for a function with the JSON log format."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "redirect")
    for name in ("low_latency_links", "low_latency_clicks"):
        monkeypatch.setattr(container, name, lambda: None)
    monkeypatch.setattr(bootstrap, "_GLOBAL_AWS_REQUEST_ID", "invocation-1")
    root, own = logging.getLogger(), logging.getLogger("unlink")
    handlers, level, converter = root.handlers[:], root.level, logging.Formatter.converter
    own_handlers = own.handlers[:]
    root.handlers, own.handlers = [], []
    sink = Sink()
    bootstrap._setup_logging(bootstrap.LogFormat.JSON, "INFO", sink)
    yield sink
    root.handlers, root.level, own.handlers = handlers, level, own_handlers
    logging.Formatter.converter = converter


def visit(code: str, request_id: str) -> dict[str, Any]:
    event = api_event("GET /{code}", path={"code": code})
    event["requestContext"]["requestId"] = request_id
    return redirect.handler(event, Context())


def test_a_line_has_the_service_and_the_gateways_request_id(runtime: Sink) -> None:
    response = visit("not a code", "gateway-1")

    assert response["headers"]["X-Request-Id"] == "gateway-1"
    [line] = runtime.lines
    assert line["service"] == "redirect"
    assert line["gatewayRequestId"] == "gateway-1"
    assert (line["message"], line["status"]) == ("redirect", 404)
    # Lambda's own id, which leads to `platform.report`.
    assert line["requestId"] == "invocation-1"


def test_each_invocation_has_its_own_request_id(runtime: Sink) -> None:
    visit("not a code", "gateway-1")
    visit("not a code", "gateway-2")

    assert [line["gatewayRequestId"] for line in runtime.lines] == ["gateway-1", "gateway-2"]


def test_a_failure_has_the_same_fields_and_its_cause(
    runtime: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redirect, "link_of", Mock(side_effect=Unavailable))

    assert visit("abcdefg", "gateway-3")["statusCode"] == 503

    failure, line = runtime.lines
    assert (failure["level"], line["level"]) == ("ERROR", "INFO")
    assert failure["errorType"] == "Unavailable"
    assert failure["errorMessage"]
    for each in (failure, line):
        assert (each["service"], each["gatewayRequestId"]) == ("redirect", "gateway-3")


def test_the_runbooks_queries_name_fields_that_the_lines_have(
    runtime: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = a_link(original_url="https://a.example")
    monkeypatch.setattr(redirect, "link_of", lambda *_: link)
    monkeypatch.setattr(redirect_response, "record_click", lambda *_, **__: None)
    visit("abcdefg", "gateway-4")
    [line] = runtime.lines

    runbook = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    queries = [
        query
        for query in re.findall(r"ask '([^']*)'", runbook)
        if 'service = "redirect"' in query or "gatewayRequestId =" in query
    ]
    assert len(queries) == 3
    keywords = {"filter", "fields", "stats", "sort", "limit", "desc", "by", "and", "or"}
    # What other functions' lines have, and the first line of a process.
    others = {"timestamp", "deletionId", "state", "route", "coldStart"}
    for query in queries:
        text = re.sub(r'"[^"]*"|\bas \w+|\b\w+\(|\b\d+\b', " ", query)
        computed = set(re.findall(r"\bas (\w+)", query))
        used = set(re.findall(r"[A-Za-z]\w*", text)) - keywords - others - computed
        assert used <= set(line), query


def test_elsewhere_a_line_is_json_with_the_same_fields(caplog: pytest.LogCaptureFixture) -> None:
    visit("not a code", "gateway-5")

    [record] = [each for each in caplog.records if each.name == "unlink"]
    line = json.loads(_JsonLines().format(record))
    assert (line["service"], line["gatewayRequestId"]) == ("unlink", "gateway-5")
