"""Requests of the DynamoDB client are addressed and signed as botocore's own client does it."""

from __future__ import annotations

import datetime as dt
import gc
import json
import os
import threading
import weakref
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from unittest.mock import Mock
from uuid import RFC_4122, UUID

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse, HeadersDict
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.session import get_session
from hypothesis import given
from hypothesis import strategies as st

from functions.aws import plain_requests, signer
from functions.aws.client import client
from functions.aws.signer import DynamoDBAuth
from infra.service_models import OPERATIONS
from tests.conftest import forget_caches

REGION = "eu-central-1"
NOW = dt.datetime(2026, 1, 31, 23, 59, 59, tzinfo=dt.UTC)
KEY = {"pk": {"S": "ws#ü"}}
LENGTH = "Content-Length"

#: Parameters of each operation that the functions call.
CALLS: dict[str, dict[str, Any]] = {
    "BatchExecuteStatement": {"Statements": [{"Statement": "x", "Parameters": [{"S": "é"}]}]},
    "BatchGetItem": {"RequestItems": {"links": {"Keys": [KEY], "ConsistentRead": True}}},
    "BatchWriteItem": {"RequestItems": {"clicks": [{"DeleteRequest": {"Key": KEY}}]}},
    "GetItem": {"TableName": "links", "Key": KEY},
    "PutItem": {"TableName": "links", "Item": KEY},
    "Query": {"TableName": "links", "KeyConditionExpression": "pk=:a"},
    "TransactWriteItems": {"TransactItems": [], "ClientRequestToken": "token"},
    "UpdateItem": {"TableName": "links", "Key": KEY},
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith("AWS_") or name == "_X_AMZN_TRACE_ID":
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a/long+token==")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    stop_clock(monkeypatch, NOW)
    forget_caches()
    yield
    forget_caches()


def stop_clock(patch: pytest.MonkeyPatch, now: dt.datetime) -> None:
    patch.setattr(signer, "time", now.timestamp)
    patch.setattr(botocore.auth, "get_current_datetime", lambda: now)


class _Body:
    def __init__(self, content: bytes = b"{}") -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._content


def sent_by(made: Any, operation: str) -> Any:
    """The request that a client sends for an operation."""
    sent: list[Any] = []

    def response(request: Any, **_: Any) -> AWSResponse:
        sent.append(request)
        return AWSResponse(request.url, 200, {}, _Body())  # type: ignore[arg-type]

    made.meta.events.register("before-send.dynamodb", response)
    try:
        getattr(made, botocore.xform_name(operation))(**CALLS[operation])
    finally:
        made.meta.events.unregister("before-send.dynamodb", response)
    [request] = sent
    return request


def botocores_client(**config: Any) -> Any:
    return get_session().create_client(
        "dynamodb",
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}, **config),
    )


def test_every_operation_is_covered() -> None:
    assert set(CALLS) == OPERATIONS["dynamodb"]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"AWS_SESSION_TOKEN": ""},
        {"AWS_LAMBDA_FUNCTION_NAME": "redirect", "_X_AMZN_TRACE_ID": "Root=1-5759e988"},
        # A local emulator.
        {"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:8000"},
        # A default port, plain HTTP, and a path.
        {"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:80"},
        {"AWS_ENDPOINT_URL_DYNAMODB": "https://dynamodb.test:8443"},
        {"AWS_ENDPOINT_URL_DYNAMODB": "http://dynamodb.test"},
        {"AWS_ENDPOINT_URL_DYNAMODB": "https://proxy.test/dynamodb"},
    ],
)
@pytest.mark.parametrize("operation", sorted(CALLS))
def test_a_request_is_signed_as_botocore_signs_it(
    operation: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    own = sent_by(client("dynamodb"), operation)

    assert own.url == sent_by(botocores_client(), operation).url
    # botocore's signature of the same bytes and headers.
    again = AWSRequest(own.method, own.url, data=own.body)
    for name, value in own.headers.items():
        if name not in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token", "Content-Length"):
            again.headers[name] = value.decode() if isinstance(value, bytes) else value
    for name in ("amz-sdk-invocation-id", "amz-sdk-request"):
        # Added after the signature, by botocore too.
        del again.headers[name]
    token = os.environ["AWS_SESSION_TOKEN"] or None
    SigV4Auth(Credentials("ASIAEXAMPLE", "secret", token), "dynamodb", REGION).add_auth(again)
    for name in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token"):
        expected = again.headers.get(name)
        assert own.headers.get(name) == (expected.encode() if expected else None), name


@pytest.mark.parametrize("operation", sorted(CALLS))
def test_plain_headers_are_those_that_botocore_sends(
    operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "redirect")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988")
    monkeypatch.setattr("uuid.uuid4", lambda: UUID(int=7))
    monkeypatch.setattr(plain_requests, "random_uuid", lambda: str(UUID(int=7)))
    made = client("dynamodb")
    own = sent_by(made, operation)
    for event, handler in (
        ("before-call", plain_requests._hold_headers),
        ("request-created", plain_requests._plain_headers),
        ("request-created", plain_requests._prepare_plainly),
    ):
        made.meta.events.unregister(f"{event}.dynamodb", handler)
    botocores = sent_by(made, operation)

    assert isinstance(own.headers, dict)
    assert not isinstance(botocores.headers, dict)
    assert {"X-Amzn-Trace-Id", "amz-sdk-invocation-id", "Content-Length"} <= own.headers.keys()
    assert len(own.headers) >= 10
    assert sorted(own.headers.items()) == sorted(botocores.headers.items())
    assert (own.method, own.url, own.body) == (botocores.method, botocores.url, botocores.body)
    assert own.stream_output is botocores.stream_output
    assert own.context["retries"] == botocores.context["retries"]


def test_each_invocation_has_its_own_random_uuid() -> None:
    made = client("dynamodb")
    names = {
        sent_by(made, operation).headers["amz-sdk-invocation-id"].decode()
        for operation in CALLS
        for _ in range(50)
    }

    assert len(names) == 50 * len(CALLS)
    for name in names:
        parsed = UUID(name)
        assert (str(parsed), parsed.version, parsed.variant) == (name, 4, RFC_4122)
    # All of the random bits vary: 122 of 128.
    bits = [format(UUID(name).int, "0128b") for name in names]
    assert sum(len(set(column)) == 2 for column in zip(*bits, strict=True)) == 122


@pytest.mark.parametrize(
    ("method", "body", "params"),
    [
        ("GET", b"x", None),
        ("POST", b"", None),
        ("POST", "text", None),
        ("POST", b"x", {"a": "1"}),
    ],
)
def test_an_unusual_request_is_prepared_by_botocore(
    method: str, body: Any, params: dict[str, str] | None
) -> None:
    request = AWSRequest(method, "https://host.test/", data=body, params=params)
    request.headers["X-Custom"] = "1"
    plain_requests._plain_headers(request)
    plain_requests._prepare_plainly(request)

    headers: Any = request.prepare().headers
    assert type(headers) is HeadersDict
    assert headers["x-custom"] == "1"


def test_a_request_is_freed_without_the_garbage_collector() -> None:
    """A cycle in each request would make the collector run during redirects."""
    sent = []

    def response(request: Any, **_: Any) -> AWSResponse:
        sent.append(weakref.ref(request))
        return AWSResponse(request.url, 200, {}, _Body())  # type: ignore[arg-type]

    made = client("dynamodb")
    made.meta.events.register("before-send.dynamodb", response)
    # The collector looks only at what is made from here on.
    gc.freeze()
    made.get_item(**CALLS["GetItem"])
    gc.collect()
    gc.disable()
    try:
        made.get_item(**CALLS["GetItem"])
        assert [each() for each in sent] == [None, None]
        assert not any(type(each) is AWSRequest for each in gc.get_objects())
    finally:
        gc.enable()


def test_plain_headers_go_over_botocores_own_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a server receives: every header once, with its value."""
    received: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.headers.items(), self.rfile.read(int(self.headers[LENGTH]))))
            self.send_response(200)
            self.send_header(LENGTH, "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", url)
        client("dynamodb").get_item(**CALLS["GetItem"])
        thread.join()

    [(headers, body)] = received
    named = dict(headers)
    assert len(headers) == len(named)
    assert json.loads(body) == CALLS["GetItem"]
    assert named["X-Amz-Target"] == "DynamoDB_20120810.GetItem"
    assert named["X-Amz-Security-Token"] == "a/long+token=="
    assert named[LENGTH] == str(len(body))
    assert named["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20260131/")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ThrottlingException"),
        (400, "ResourceNotFoundException"),
        (500, "InternalServerError"),
    ],
)
def test_an_error_is_raised_after_one_attempt(status: int, code: str) -> None:
    """As botocore's own client raises it, without the note that there were no more attempts."""
    own, botocores = (
        error_of(made, status, code) for made in (client("dynamodb"), botocores_client())
    )

    botocores["ResponseMetadata"].pop("MaxAttemptsReached", None)
    assert own == botocores
    assert own["Error"]["Code"] == code


def error_of(made: Any, status: int, code: str) -> Any:
    """The error response of a call that fails with this code."""
    attempts = []

    def response(request: Any, **_: Any) -> AWSResponse:
        attempts.append(request)
        body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no"})
        return AWSResponse(request.url, status, {}, _Body(body.encode()))  # type: ignore[arg-type]

    made.meta.events.register("before-send.dynamodb", response)
    with pytest.raises(ClientError) as raised:
        made.get_item(**CALLS["GetItem"])
    assert len(attempts) == 1
    return raised.value.response


def test_a_connection_error_is_raised_after_one_attempt() -> None:
    attempts = []

    def response(request: Any, **_: Any) -> AWSResponse:
        attempts.append(request)
        raise EndpointConnectionError(endpoint_url=request.url)

    made = client("dynamodb")
    made.meta.events.register("before-send.dynamodb", response)
    with pytest.raises(EndpointConnectionError):
        made.get_item(**CALLS["GetItem"])
    assert len(attempts) == 1


def test_the_quick_way_is_taken_for_every_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SigV4Auth, "add_auth", Mock(side_effect=AssertionError))
    for operation in CALLS:
        assert sent_by(client("dynamodb"), operation).headers["Authorization"]


VALUES = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20)
NAMES = st.sampled_from(
    ["X-Amz-Target", "content-type", "User-Agent", "X-Custom", "TE", "X-Amzn-Trace-Id", "Date"]
)


@given(
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=6),
    body=st.one_of(st.binary(max_size=40), st.text(max_size=10), st.none()),
    method=st.sampled_from(["POST", "POST", "POST", "GET", "PUT"]),
    url=st.sampled_from(
        [
            "https://dynamodb.eu-central-1.amazonaws.com/",
            "https://dynamodb.eu-central-1.amazonaws.com",
            "https://DynamoDB.EU-central-1.amazonaws.com/",
            "http://localhost:8000/",
            "https://dynamodb.eu-central-1.amazonaws.com:443/",
            "https://user@dynamodb.eu-central-1.amazonaws.com/",
            "https://[::1]/",
            "https://host.test/a/../b",
            "https://host.test/?b=2&a=1",
        ]
    ),
    context=st.sampled_from([{}, {"payload_signing_enabled": False}, {"checksum": {}}]),
    token=st.sampled_from([None, "", "token=="]),
    parameters=st.sampled_from([None, {}, {"b": "2", "a": "1"}]),
)
def test_any_request_is_signed_as_botocore_signs_it(
    headers: list[tuple[str, str]],
    body: bytes | str | None,
    method: str,
    url: str,
    context: dict[str, Any],
    token: str | None,
    parameters: dict[str, str] | None,
) -> None:
    signed = []
    for kind in (DynamoDBAuth, SigV4Auth):
        request = AWSRequest(method, url, data=body, params=parameters)
        for name, value in headers:
            request.headers[name] = value
        request.context.update(context)
        kind(Credentials("AKID", "secret", token), "dynamodb", REGION).add_auth(request)
        signed.append(sorted(request.headers.items()))
        # A repeated signature replaces the first.
        kind(Credentials("AKID", "secret", token), "dynamodb", REGION).add_auth(request)
        signed.append(sorted(request.headers.items()))

    assert signed[:2] == signed[2:]


def test_the_signing_key_follows_the_day_the_region_and_the_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = set()
    for days in (0, 1):
        stop_clock(monkeypatch, NOW + dt.timedelta(days=days))
        for region in (REGION, "us-east-1"):
            for secret in ("one", "two"):
                signatures = []
                for kind in (DynamoDBAuth, SigV4Auth):
                    request = AWSRequest("POST", "https://host.test/", data=b"{}")
                    kind(Credentials("AKID", secret), "dynamodb", region).add_auth(request)
                    signatures.append(request.headers["Authorization"])
                assert signatures[0] == signatures[1]
                seen.add(signatures[0])
    assert len(seen) == 8


def test_a_preferred_kind_of_signature_is_left_to_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_AUTH_SCHEME_PREFERENCE", "httpBearerAuth,sigv4")
    monkeypatch.setattr(DynamoDBAuth, "_headers_of", None)
    assert b"AWS4-HMAC-SHA256" in sent_by(client("dynamodb"), "GetItem").headers["Authorization"]


def test_without_endpoint_rules_the_endpoints_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """In every region that botocore knows, and in one that it does not."""
    session = get_session()
    regions = [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("dynamodb", partition)
    ]
    assert len(regions) > 30
    for region in (*regions, "eu-nowhere-9"):
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        forget_caches()
        own, botocores = client("dynamodb"), botocores_client()
        assert own.meta.endpoint_url == botocores.meta.endpoint_url
        assert sent_by(own, "GetItem").url == sent_by(botocores, "GetItem").url, region


@pytest.mark.parametrize("region", ["us-east-1", "ca-central-1", "us-gov-west-1"])
@pytest.mark.parametrize(
    "name", ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_ACCOUNT_ID"]
)
def test_variants_of_endpoints_are_the_same(
    name: str, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the rules know them all, so a client that needs one has the rules."""
    plain = sent_by(botocores_client(), "GetItem").url
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setenv(name, "123456789012" if name == "AWS_ACCOUNT_ID" else "true")
    urls = {sent_by(made, "GetItem").url for made in (client("dynamodb"), botocores_client())}
    assert len(urls) == 1
    assert urls != {plain}
