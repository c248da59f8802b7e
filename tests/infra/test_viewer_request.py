"""The distribution's function, run by Node with the event and the globals that CloudFront gives."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.template import properties_of, synthesize

#: Bytes of a function's code (CloudFront quotas, "Quotas on CloudFront Functions").
CODE_LIMIT = 10_240

#: What the runtime does not have (Developer Guide, "JavaScript runtime 2.0 features").
MISSING = r"\b(eval|Function|require|import|setTimeout|setInterval|setImmediate|fetch)\b"

#: Answers a line of JSON by a line. Each has a fresh context with the language's own globals, and
#: none of Node's.
RUN = """
const vm = require('vm');
const lines = require('readline').createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const [code, event, raw] = JSON.parse(line);
  const context = vm.createContext({}, { codeGeneration: { strings: false, wasm: false } });
  vm.runInContext(code, context, { timeout: 1000 });
  context.event = event;
  if (raw !== 'none') event.request.rawQueryString = () => raw === null ? undefined : raw;
  const result = vm.runInContext('handler(event)', context, { timeout: 1000 });
  process.stdout.write(JSON.stringify(result) + '\\n');
});
"""


class Distribution:
    """The function's code, and the Node process that runs it."""

    def __init__(self, code: str, node: subprocess.Popen[str]) -> None:
        self.code = code
        self._node = node

    def visit(
        self,
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
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        self._node.stdin.write(json.dumps([self.code, event, raw]) + "\n")
        self._node.stdin.flush()
        # Node ends when the function raises; then there is no line, and this raises too.
        request: dict[str, Any] = json.loads(self._node.stdout.readline())
        return request


@pytest.fixture(scope="module")
def distribution() -> Iterator[Distribution]:
    [function] = properties_of(synthesize(cdn="true"), "AWS::CloudFront::Function")
    assert function["FunctionConfig"]["Runtime"] == "cloudfront-js-2.0"
    with subprocess.Popen(
        ["node", "-e", RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as node:
        yield Distribution(str(function["FunctionCode"]), node)


def test_the_code_is_within_what_the_runtime_takes(distribution: Distribution) -> None:
    code = distribution.code
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
    distribution: Distribution, raw: str, sent: str
) -> None:
    assert distribution.visit(raw)["querystring"] == sent


@pytest.mark.parametrize("raw", ["a=1&b=%7B%3B&a=2", "", None])
def test_any_other_query_is_left_to_cloudfront(distribution: Distribution, raw: str | None) -> None:
    parsed = {"a": {"value": "1"}}
    assert distribution.visit(raw, parsed=parsed)["querystring"] == parsed


def test_a_runtime_without_the_raw_query_still_answers(distribution: Distribution) -> None:
    parsed = {"a": {"value": "{b}"}}
    assert distribution.visit("none", parsed=parsed)["querystring"] == parsed


@pytest.mark.parametrize("name", ["purpose", "x-purpose", "x-moz"])
def test_a_prefetch_of_any_name_becomes_sec_purpose(distribution: Distribution, name: str) -> None:
    headers = distribution.visit("a=|", headers={name: "prefetch"})["headers"]
    assert headers["sec-purpose"] == {"value": "prefetch"}


def test_a_sec_purpose_that_is_there_stays(distribution: Distribution) -> None:
    sent = {"sec-purpose": "prefetch;prerender", "purpose": "prefetch"}
    headers = distribution.visit(None, headers=sent)["headers"]
    assert headers["sec-purpose"] == {"value": "prefetch;prerender"}


def test_the_event_type_has_one_function() -> None:
    [distribution] = properties_of(synthesize(cdn="true"), "AWS::CloudFront::Distribution")
    behaviour = distribution["DistributionConfig"]["DefaultCacheBehavior"]
    assert [each["EventType"] for each in behaviour["FunctionAssociations"]] == ["viewer-request"]
