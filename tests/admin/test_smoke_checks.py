"""The checks of `make aws-smoke` that only AWS answers, with stubs that succeed and fail."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import boto3
import pytest
from botocore.stub import Stubber

from tests.smoke import on_aws, stage
from tests.smoke.__main__ import run
from tests.smoke.stage import Failed, Response, Smoke


def stubbed(service: str) -> Stubber:
    """A client of the real SDK, which validates requests and responses."""
    session = boto3.Session(
        aws_access_key_id="a", aws_secret_access_key="b", region_name="eu-west-1"
    )
    stub = Stubber(session.client(service))
    stub.activate()
    return stub


def smoke_with(
    monkeypatch: pytest.MonkeyPatch,
    *,
    stub: Stubber | None = None,
    names: dict[str, list[str]] | None = None,
    call: Callable[[str, str, bytes | None], Response] | None = None,
    domain_url: str = "",
) -> Smoke:
    monkeypatch.setattr(stage, "outputs_of", lambda *_: {"ApiUrl": "https://api.example"})
    monkeypatch.setattr("tests.smoke.stage.Deployment.of", lambda *_: None)
    smoke = Smoke(
        stage="smoke",
        client=lambda _: stub.client if stub else None,
        cdk=lambda *_: 0,
        domain_url=domain_url,
    )
    monkeypatch.setattr(smoke, "named", lambda _kind, part="": (names or {})[part])
    if call is not None:
        monkeypatch.setattr(smoke, "call", lambda method, path, body=None: call(method, path, body))
    monkeypatch.setattr(smoke, "create", lambda: {"shortCode": "abcdefg", "id": "link-1"})
    return smoke


WORKERS = {
    "": ["export", "deletion", "erase", "links"],
    "ExportWorker": ["export"],
    "DeletionWorker": ["deletion"],
    "EraseWorker": ["erase"],
}


@pytest.mark.parametrize(
    ("allowed", "good"),
    [
        (("export", "deletion", "erase"), True),
        (("export", "deletion"), False),
        (("export", "deletion", "erase", "links"), False),
    ],
)
def test_loop_detection_is_off_for_the_workers_alone(
    monkeypatch: pytest.MonkeyPatch, allowed: tuple[str, ...], good: bool
) -> None:
    stub = stubbed("lambda")
    for name in WORKERS[""]:
        response = {"RecursiveLoop": "Allow" if name in allowed else "Terminate"}
        stub.add_response("get_function_recursion_config", response, {"FunctionName": name})
    smoke = smoke_with(monkeypatch, stub=stub, names=WORKERS)
    failed = run(smoke, [on_aws.workers_may_send_to_themselves], lambda _: None)
    assert (failed == []) is good


@pytest.mark.parametrize(
    ("raw", "escaped", "good"), [(400, 302, True), (302, 302, False), (400, 404, False)]
)
def test_a_raw_brace_is_refused_and_an_escaped_one_forwarded(
    monkeypatch: pytest.MonkeyPatch, raw: int, escaped: int, good: bool
) -> None:
    def call(_method: str, path: str, _body: bytes | None) -> Response:
        if "{" in path:
            return raw, "", {}
        return escaped, "", {"location": "https://example.com?a=%7Bb%7D"}

    smoke = smoke_with(monkeypatch, call=call)
    assert (run(smoke, [on_aws.braces_need_escapes], lambda _: None) == []) is good


@pytest.mark.parametrize(
    ("status", "headers", "good"),
    [
        (413, {}, True),
        (413, {"x-ratelimit-limit": "100"}, False),
        (502, {}, False),
    ],
)
def test_the_gateway_refuses_a_large_body_itself(
    monkeypatch: pytest.MonkeyPatch, status: int, headers: dict[str, str], good: bool
) -> None:
    smoke = smoke_with(monkeypatch, call=lambda *_: (status, {}, headers))
    assert (run(smoke, [on_aws.who_refuses_a_large_body], lambda _: None) == []) is good


def test_a_visit_is_searched_in_the_logs_until_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = stubbed("logs")
    for number, rows in enumerate(([], [[{"field": "@message", "value": "{}"}]])):
        stub.add_response("start_query", {"queryId": str(number)})
        stub.add_response("get_query_results", {"status": "Running"}, {"queryId": str(number)})
        stub.add_response(
            "get_query_results", {"status": "Complete", "results": rows}, {"queryId": str(number)}
        )
    monkeypatch.setattr("tests.smoke.stage.time.sleep", lambda _: None)
    smoke = smoke_with(
        monkeypatch,
        stub=stub,
        names={"Redirect": ["group"]},
        call=lambda *_: (404, "", {"x-request-id": "gateway-1"}),
    )
    assert run(smoke, [on_aws.redirects_are_found_in_the_logs], lambda _: None) == []
    stub.assert_no_pending_responses()


def test_a_new_key_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses = itertools.chain([401, 403], itertools.repeat(200))
    smoke = smoke_with(monkeypatch, call=lambda *_: (next(statuses), {}, {}))
    monkeypatch.setattr("tests.smoke.stage.time.sleep", lambda _: None)
    monkeypatch.setattr("tests.smoke.stage.commands.create_workspace", lambda *_, **__: None)
    monkeypatch.setattr("tests.smoke.stage.commands.issue_key", lambda *_, **__: ("ul_live_x", {}))
    smoke.begin()
    assert smoke.erased[0] == 200


def test_ping_needs_a_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failed, match="domainName"):
        on_aws.ping_is_the_gateways(smoke_with(monkeypatch))
