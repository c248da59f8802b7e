"""The distribution's function, run by Node with the event and the globals that CloudFront gives."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest

from tests.support.template import properties_of, synthesize

#: Bytes of a function's code (CloudFront quotas, "Quotas on CloudFront Functions").
CODE_LIMIT = 10_240

#: What the runtime does not have (Developer Guide, "JavaScript runtime 2.0 features").
MISSING = r"\b(eval|Function|require|import|setTimeout|setInterval|setImmediate|fetch)\b"

#: A fresh context has the language's own globals, and none of Node's.
RUN = """
const vm = require('vm');
const [code, event, raw] = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const context = vm.createContext({}, { codeGeneration: { strings: false, wasm: false } });
vm.runInContext(code, context, { timeout: 1000 });
context.event = event;
if (raw !== 'none') event.request.rawQueryString = () => raw === null ? undefined : raw;
const result = vm.runInContext('handler(event)', context, { timeout: 1000 });
process.stdout.write(JSON.stringify(result));
"""


@pytest.fixture(scope="module")
def code() -> str:
    [function] = properties_of(synthesize(cdn="true"), "AWS::CloudFront::Function")
    assert function["FunctionConfig"]["Runtime"] == "cloudfront-js-2.0"
    return str(function["FunctionCode"])


def run(
    code: str,
    raw: str | None,
    *,
    parsed: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The request that the function returns for a visit with this raw query."""
    event = {
        "version": "1.0",
        "context": {
            "distributionDomainName": "d111111abcdef8.cloudfront.net",
            "distributionId": "EDFDVBD6EXAMPLE",
            "eventType": "viewer-request",
            "requestId": "EXAMPLE",
        },
        "viewer": {"ip": "198.51.100.11"},
        "request": {
            "method": "GET",
            "uri": "/abcdefg",
            "querystring": parsed or {},
            "headers": {name: {"value": value} for name, value in (headers or {}).items()},
            "cookies": {},
        },
    }
    node = subprocess.run(
        ["node", "-e", RUN],
        input=json.dumps([code, event, raw]),
        capture_output=True,
        text=True,
        check=True,
    )
    request: dict[str, Any] = json.loads(node.stdout)
    return request


def test_the_code_is_within_what_the_runtime_takes(code: str) -> None:
    assert len(code.encode()) <= CODE_LIMIT
    assert code.isascii()
    statements = "\n".join(line for line in code.splitlines() if not line.strip().startswith("//"))
    assert not re.search(MISSING, statements)


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        ("a={b}", "a=%7Bb%7D"),
        ("a=b|c&a=d;e&A=f", "a=b%7Cc&a=d%3Be&A=f"),
        ("{name}=1", "%7Bname%7D=1"),
        ("a=%7Bb%7D|", "a=%7Bb%7D%7C"),
    ],
)
def test_what_the_gateway_refuses_is_escaped_and_the_rest_stays(
    code: str, raw: str, sent: str
) -> None:
    assert run(code, raw)["querystring"] == sent


@pytest.mark.parametrize("raw", ["a=1&b=%7B%3B&a=2", "", None])
def test_any_other_query_is_left_to_cloudfront(code: str, raw: str | None) -> None:
    parsed = {"a": {"value": "1"}}
    assert run(code, raw, parsed=parsed)["querystring"] == parsed


def test_a_runtime_without_the_raw_query_still_answers(code: str) -> None:
    parsed = {"a": {"value": "{b}"}}
    assert run(code, "none", parsed=parsed)["querystring"] == parsed


@pytest.mark.parametrize("name", ["purpose", "x-purpose", "x-moz"])
def test_a_prefetch_of_any_name_becomes_sec_purpose(code: str, name: str) -> None:
    headers = run(code, "a=|", headers={name: "prefetch"})["headers"]
    assert headers["sec-purpose"] == {"value": "prefetch"}


def test_a_sec_purpose_that_is_there_stays(code: str) -> None:
    sent = {"sec-purpose": "prefetch;prerender", "purpose": "prefetch"}
    headers = run(code, None, headers=sent)["headers"]
    assert headers["sec-purpose"] == {"value": "prefetch;prerender"}


def test_the_event_type_has_one_function() -> None:
    [distribution] = properties_of(synthesize(cdn="true"), "AWS::CloudFront::Distribution")
    behaviour = distribution["DistributionConfig"]["DefaultCacheBehavior"]
    assert [each["EventType"] for each in behaviour["FunctionAssociations"]] == ["viewer-request"]
