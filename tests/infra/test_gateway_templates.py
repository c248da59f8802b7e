"""API Gateway's templates, rendered by a VTL engine (velocityjs): what callers read."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.template import (
    Template,
    properties_of,
    resources,
    synthesize,
    synthesized_template,
)

SCRIPT = Path(__file__).parents[1] / "support" / "velocity.mjs"

#: Response type -> status, English, Arabic, message (the contract, and `infra` for the rest).
INVALID_KEY = (401, "Invalid API key", "مفتاح API غير صالح", "Authentication required")
NO_ROUTE = (404, "Not found", "غير موجود", "Route not found")
INVALID = (400, "Invalid request", "طلب غير صالح", "Invalid request")
LIMITED = (429, "Rate limit exceeded", "تم تجاوز حد المعدل", "Rate limit exceeded")
BROKEN = ("Internal server error", "خطأ داخلي في الخادم", "Internal server error")
#: Every type of the API Gateway Developer Guide, "Gateway response types".
EXPECTED: dict[str, tuple[int, str, str, str]] = {
    "ACCESS_DENIED": INVALID_KEY,
    "UNAUTHORIZED": INVALID_KEY,
    "INVALID_API_KEY": INVALID_KEY,
    "MISSING_AUTHENTICATION_TOKEN": NO_ROUTE,
    "RESOURCE_NOT_FOUND": NO_ROUTE,
    "INVALID_SIGNATURE": NO_ROUTE,
    "EXPIRED_TOKEN": NO_ROUTE,
    "DEFAULT_4XX": NO_ROUTE,
    "BAD_REQUEST_BODY": INVALID,
    "BAD_REQUEST_PARAMETERS": INVALID,
    "WAF_FILTERED": (403, "Forbidden", "محظور", "Forbidden"),
    "REQUEST_TOO_LARGE": (
        413,
        "Request body too large",
        "حجم الطلب كبير جدًا",
        "Request body too large",
    ),
    "UNSUPPORTED_MEDIA_TYPE": (
        415,
        "Unsupported media type",
        "نوع الوسائط غير مدعوم",
        "Unsupported media type",
    ),
    "THROTTLED": LIMITED,
    "QUOTA_EXCEEDED": LIMITED,
    "DEFAULT_5XX": (500, *BROKEN),
    "AUTHORIZER_FAILURE": (500, *BROKEN),
    "AUTHORIZER_CONFIGURATION_ERROR": (500, *BROKEN),
    "API_CONFIGURATION_ERROR": (500, *BROKEN),
    "INTEGRATION_FAILURE": (502, *BROKEN),
    "INTEGRATION_TIMEOUT": (504, *BROKEN),
}

#: What a caller may bring into `$context`.
MESSAGES = [
    "Missing Authentication Token",
    'quo"te and \\ back\nslash',
    '"},"admin":true,{"x":"',
    "$context.identity.sourceIp #set($x = 1) #if(true) ${input.body}",
    "\u2028 \x00 مفتاح \U0001f600",
]


class Velocity:
    """One node process for all templates."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def render(
        self,
        template: str,
        *,
        headers: dict[str, str] | None = None,
        context: dict[str, Any] | None = None,
    ) -> tuple[str, dict[str, str]]:
        """The text, and the response headers that the template overrides."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"template": template, "headers": headers or {}, "context": context or {}}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        response = json.loads(self._process.stdout.readline())
        return response["text"], response["overrides"]

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def velocity() -> Iterator[Velocity]:
    engine = Velocity()
    yield engine
    engine.close()


def responses(template: Template) -> dict[str, dict[str, Any]]:
    found = resources(template, "AWS::ApiGateway::GatewayResponse").values()
    return {each["Properties"]["ResponseType"]: each["Properties"] for each in found}


def test_every_gateway_response_has_an_expected_body() -> None:
    assert responses(synthesized_template()).keys() == EXPECTED.keys()


@pytest.mark.parametrize("kind", EXPECTED)
def test_every_gateway_response_is_json_in_both_languages(velocity: Velocity, kind: str) -> None:
    found = responses(synthesized_template())[kind]
    status, english, arabic, message = EXPECTED[kind]
    expected: dict[str, Any] = {
        "statusCode": status,
        "error": {"en": english, "ar": arabic},
        "message": message,
    }
    if status == 429:
        expected["retryAfter"] = 60
    for hostile in MESSAGES:
        context = {
            "error": {"message": hostile, "messageString": json.dumps(hostile)},
            "requestId": hostile,
        }
        text, overrides = velocity.render(
            found["ResponseTemplates"]["application/json"], context=context
        )
        assert json.loads(text) == expected
        assert overrides == {}
    assert found["StatusCode"] == str(status)
    if status == 429:
        headers = found["ResponseParameters"]
        assert headers["gatewayresponse.header.Retry-After"] == f"'{expected['retryAfter']}'"


def test_the_engine_would_show_a_template_that_lets_a_message_through(velocity: Velocity) -> None:
    text, _ = velocity.render(
        '{"message":"$context.error.message"}', context={"error": {"message": MESSAGES[2]}}
    )
    assert text == '{"message":""},"admin":true,{"x":""}'


# -- preflight -------------------------------------------------------------------------------

ORIGINS = ("https://a.test", "https://b.test")


@cache
def preflights(origins: str) -> list[dict[str, Any]]:
    template = synthesize(corsAllowOrigins=origins) if origins != "*" else synthesized_template()
    found = [
        each["Integration"]
        for each in properties_of(template, "AWS::ApiGateway::Method")
        if each["HttpMethod"] == "OPTIONS" and each["Integration"]["Type"] == "MOCK"
    ]
    assert len(found) > 5
    return found


def test_a_preflight_is_204_and_has_no_content(velocity: Velocity) -> None:
    for integration in preflights("*"):
        text, _ = velocity.render(integration["RequestTemplates"]["application/json"])
        assert json.loads(text) == {"statusCode": 204}


@pytest.mark.parametrize("name", ["Origin", "origin"])
@pytest.mark.parametrize("origin", ORIGINS)
def test_a_preflight_names_the_callers_origin_if_it_is_one_of_several(
    velocity: Velocity, name: str, origin: str
) -> None:
    for integration in preflights(",".join(ORIGINS)):
        [response] = integration["IntegrationResponses"]
        template = response["ResponseTemplates"]["application/json"]
        text, overrides = velocity.render(template, headers={name: origin})
        assert overrides == {"Access-Control-Allow-Origin": origin}
        assert response["ResponseParameters"]["method.response.header.Vary"] == "'Origin'"
        assert text.strip() == ""


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": ""},
        {"Origin": "https://a.test.evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": 'https://a.test" || "" == "'},
        {"Origin": "$context.identity.sourceIp"},
    ],
)
def test_a_preflight_names_no_other_origin(velocity: Velocity, headers: dict[str, str]) -> None:
    for integration in preflights(",".join(ORIGINS)):
        [response] = integration["IntegrationResponses"]
        template = response["ResponseTemplates"]["application/json"]
        _, overrides = velocity.render(template, headers=headers)
        assert overrides == {}
        allowed = response["ResponseParameters"][
            "method.response.header.Access-Control-Allow-Origin"
        ]
        assert allowed == f"'{ORIGINS[0]}'"
