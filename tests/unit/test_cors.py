"""CORS: every origin without credentials, or the configured ones."""

from __future__ import annotations

import pytest

from functions.api.cors import cors_headers
from tests.conftest import forget_caches
from tests.support.template import resources, synthesized_template


def headers(allowed: str | None, monkeypatch: pytest.MonkeyPatch, **sent: str) -> dict[str, str]:
    if allowed is not None:
        monkeypatch.setenv("CORS_ALLOW_ORIGINS", allowed)
    forget_caches()
    response = cors_headers({"headers": sent})
    forget_caches()
    return response


@pytest.mark.parametrize("allowed", ["*", None])
def test_any_origin_may_read_unless_configured(
    monkeypatch: pytest.MonkeyPatch, allowed: str | None
) -> None:
    response = headers(allowed, monkeypatch, Origin="https://a.example")
    assert response["Access-Control-Allow-Origin"] == "*"
    assert "Vary" not in response


@pytest.mark.parametrize("name", ["Origin", "origin"])
@pytest.mark.parametrize("origin", ["https://a.example", "https://b.example"])
def test_a_configured_origin_is_returned_with_vary(
    monkeypatch: pytest.MonkeyPatch, origin: str, name: str
) -> None:
    response = headers("https://a.example,https://b.example", monkeypatch, **{name: origin})
    assert response["Access-Control-Allow-Origin"] == origin
    assert response["Vary"] == "Origin"


@pytest.mark.parametrize(
    "origin", ["https://c.example", "https://a.example.evil.test", "http://a.example", "null", ""]
)
def test_another_origin_is_not_allowed(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    response = headers("https://a.example", monkeypatch, Origin=origin)
    assert response == {"Vary": "Origin"}


def test_scripts_may_read_the_rate_limit_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    exposed = headers("*", monkeypatch)["Access-Control-Expose-Headers"].lower().split(", ")
    assert {
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "ratelimit",
        "ratelimit-policy",
        "x-deletion-id",
        "x-request-id",
        "location",
        "retry-after",
    } <= set(exposed)


def test_functions_and_gateway_expose_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    exposed = headers("*", monkeypatch)["Access-Control-Expose-Headers"].split(", ")
    responses = resources(synthesized_template(), "AWS::ApiGateway::GatewayResponse").values()
    assert responses
    for response in responses:
        by_the_gateway = response["Properties"]["ResponseParameters"][
            "gatewayresponse.header.Access-Control-Expose-Headers"
        ]
        assert sorted(by_the_gateway.strip("'").split(",")) == sorted(exposed)


def test_credentials_are_never_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Fetch standard forbids them together with a wildcard; no caller needs cookies here."""
    for allowed in ("*", "https://a.example"):
        response = headers(allowed, monkeypatch, Origin="https://a.example")
        assert "Access-Control-Allow-Credentials" not in response
    assert "Allow-Credentials" not in str(synthesized_template("prod"))
