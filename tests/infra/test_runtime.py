"""The packaged functions under Lambda's own runtime client: start, logs, large responses, time."""

from __future__ import annotations

import json
import socket
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.costs import LOG_BYTES
from functions.api.response_size import PAYLOAD_LIMIT
from infra.packaging import Target, build_archive
from tests.conftest import World
from tests.support.api_gateway import api_event
from tests.support.lambda_runtime import Runtime, running

pytest.importorskip("awslambdaric", reason="Linux only")
pytestmark = pytest.mark.exhaustive

HANDLERS = sorted(
    path.stem for path in Path("functions/handlers").glob("*.py") if path.stem != "__init__"
)


@pytest.fixture(scope="session")
def dynamodb_url(emulator_url: str) -> str:
    """Over HTTP, because the functions run in separate processes."""
    return emulator_url


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive as Lambda unpacks it."""
    directory = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(build_archive(Target.host())[0]) as packed:
        packed.extractall(directory)
    return directory


def environment(function: str, deployed: dict[str, str]) -> dict[str, str]:
    return deployed | {"POWERTOOLS_SERVICE_NAME": function, "STAGE": "test"}


@pytest.fixture
def redirect(archive: Path, tmp_path: Path, deployed: dict[str, str]) -> Iterator[Runtime]:
    handler = "functions.handlers.redirect.handler"
    with running(archive, handler, tmp_path, environment("redirect", deployed)) as runtime:
        yield runtime


def visit(code: str) -> dict[str, object]:
    event = api_event("GET /{code}", path={"code": code})
    event["requestContext"]["requestId"] = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    return event


def test_every_function_starts_from_the_archive_alone(
    archive: Path, tmp_path: Path, deployed: dict[str, str]
) -> None:
    for start in range(0, len(HANDLERS), 4):
        with ExitStack() as stack:
            for function in HANDLERS[start : start + 4]:
                handler = f"functions.handlers.{function}.handler"
                runtime = stack.enter_context(
                    running(archive, handler, tmp_path, environment(function, deployed))
                )
                runtime.wait_until_ready()


def test_a_function_that_cannot_be_imported_reports_it(archive: Path, tmp_path: Path) -> None:
    with running(archive, "functions.handlers.nothing.handler", tmp_path, {}) as runtime:
        outcome = runtime.invoke({})
    assert outcome.kind == "init/error"
    assert outcome.json["errorType"] == "Runtime.ImportModuleError"


def test_a_visit_is_answered_and_leaves_one_line_of_json(world: World, redirect: Runtime) -> None:
    [link] = world.create_items(1)
    outcomes = [redirect.invoke(visit(link.short_code)) for _ in range(2)]

    assert [outcome.kind for outcome in outcomes] == ["response"] * 2
    for outcome in outcomes:
        assert outcome.json["statusCode"] == 302
        assert outcome.json["headers"]["Location"] == "https://example.com/page"
    first, second = redirect.lines()
    for line in (first, second):
        assert (line["level"], line["message"], line["status"]) == ("INFO", "redirect", 302)
        assert line["service"] == "redirect"
        assert line["gatewayRequestId"] == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
        assert line["linkId"] == link.id
        assert line["timestamp"].endswith("Z")
        assert len(line["requestId"]) == 36
        # What docs/costs.md computes with.
        assert len(json.dumps(line)) <= LOG_BYTES["redirect"]
    assert first["coldStart"] is True
    assert "coldStart" not in second


def test_a_visit_to_a_code_that_does_not_exist_is_a_page(redirect: Runtime) -> None:
    outcome = redirect.invoke(visit("no-such-code"))
    assert outcome.kind == "response"
    assert outcome.json["statusCode"] == 404


def test_responses_stay_under_what_lambda_takes(
    archive: Path, tmp_path: Path, deployed: dict[str, str], world: World
) -> None:
    """As the client encodes them: a body of 6 MB would be refused, and the caller get a 502."""
    handler = "functions.handlers.deletions.handler"
    # The characters that take the most bytes in a response: seven each.
    ids = [f"{n:05d}" + chr(1) * 60 for n in range(10_000)]
    event = world.event("POST /api/links/bulk-delete", body={"ids": ids})
    with running(archive, handler, tmp_path, environment("deletions", deployed)) as runtime:
        outcome = runtime.invoke(event)
    assert outcome.kind == "response"
    assert outcome.json["statusCode"] == 200
    assert len(json.loads(outcome.json["body"])["notFoundIds"]) == 10_000
    assert PAYLOAD_LIMIT / 2 < len(outcome.body) < PAYLOAD_LIMIT


def test_a_function_answers_before_lambda_ends_it(
    archive: Path, tmp_path: Path, deployed: dict[str, str]
) -> None:
    """DynamoDB hangs: the response is a 503 within the time that the invocation has."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        given = environment("links", deployed) | {
            "AWS_ENDPOINT_URL": url,
            "AWS_ENDPOINT_URL_DYNAMODB": url,
        }
        event = api_event("GET /api/links/{id}", workspace_id="acme", at="some-code")
        handler = "functions.handlers.links.handler"
        with running(archive, handler, tmp_path, given) as runtime:
            runtime.wait_until_ready()
            began = time.monotonic()
            outcome = runtime.invoke(event, seconds=8)
            took = time.monotonic() - began
    assert outcome.kind == "response"
    assert outcome.json["statusCode"] == 503
    assert took < 8
