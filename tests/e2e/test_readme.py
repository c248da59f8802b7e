"""The examples of README.md and docs/api.md. Each document runs from top to bottom in one shell."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local.demo_data import Workspace
from local.stack import LocalStack
from tests.support.http_client import Client
from tests.support.markdown_examples import WITH_EXAMPLES, Example, examples

#: Members that differ in every run; only their type is compared.
_VARIES = frozenset(
    {
        "workspaceId",
        "userId",
        "keyId",
        "nextCursor",
        "confirmationToken",
        "retryAfter",
        "clickCount",
        "url",
    }
)
_MASKS = (
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "<time>"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "<day>"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "<host>"),
)
_REST = "…"

EXAMPLES = [example for document in WITH_EXAMPLES for example in examples(document)]

#: By document and line: status and output.
Session = dict[tuple[Path, int], tuple[int, str]]


@pytest.fixture(scope="module")
def session(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """The output of every example, from one shell per document with the variables of a run."""
    return {
        (document, line): response
        for document in WITH_EXAMPLES
        for line, response in _run(stack, document, tmp_path_factory.mktemp("examples")).items()
    }


def _run(stack: LocalStack, document: Path, directory: Path) -> dict[int, tuple[int, str]]:
    demo, other, free = stack.new_workspace(), stack.new_workspace(), stack.new_workspace("free")
    # As in a run, there are links already.
    Client(stack.base_url, demo.api_key).create()
    # The status of each call goes to standard error, so that the output is what a reader sees.
    lines = ["curl() { command curl -sS --max-time 60 -w '%{stderr}%{http_code}\\n' \"$@\"; }"]
    for example in examples(document):
        lines += ["{", example.script, f"}} >{example.line}.out 2>{example.line}.err"]
    script = directory / "session.sh"
    script.write_text("\n".join(lines), encoding="utf-8")
    subprocess.run(
        ["bash", str(script)],
        cwd=directory,
        env={**os.environ, **_variables(stack, demo, other, free)},
        check=False,
        timeout=300,
    )
    return {example.line: _answer(directory, example) for example in examples(document)}


def _variables(
    stack: LocalStack, demo: Workspace, other: Workspace, free: Workspace
) -> dict[str, str]:
    return {
        "BASE_URL": stack.base_url,
        "API_KEY": demo.api_key,
        "READ_KEY": demo.read_key,
        "ADMIN_KEY": demo.admin_key,
        "OTHER_KEY": other.api_key,
        "FREE_KEY": free.api_key,
        "AWS_ENDPOINT_URL": stack.emulator.url,
    }


def _answer(directory: Path, example: Example) -> tuple[int, str]:
    errors = (directory / f"{example.line}.err").read_text(encoding="utf-8").split()
    output = (directory / f"{example.line}.out").read_bytes().decode(errors="replace")
    return int(errors[-1]) if errors and errors[-1].isdigit() else 0, output


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: f"{each.document.name}-{each.line}")
def test_each_example_gives_the_documented_response(session: Session, example: Example) -> None:
    status, output = session[example.document, example.line]

    assert status == example.status, output
    if example.kind == "http":
        sent = {line.strip().lower() for line in masked(output).splitlines()}
        shown = {line.strip().lower() for line in masked(example.response).splitlines()}
        assert shown - sent == set()
    elif example.kind == "json":
        given = _last_json(output)
        difference = differences(json.loads(example.response), given, "")
        assert difference == [], json.dumps(given, indent=2, ensure_ascii=False)


def _last_json(output: str) -> Any:
    """An example with several calls shows the last response."""
    decoder, value, position = json.JSONDecoder(), None, 0
    while position < len(output):
        value, position = decoder.raw_decode(output, position)
        position += len(output[position:]) - len(output[position:].lstrip())
    return value


def masked(text: str) -> str:
    for pattern, name in _MASKS:
        text = pattern.sub(name, text)
    return text


def differences(shown: Any, given: Any, where: str) -> list[str]:
    """The differences between a response and the document, except ids, times and similar values."""
    if isinstance(shown, dict) and isinstance(given, dict):
        found = [f"{where}.{name} is not in the response" for name in shown.keys() - given.keys()]
        if _REST in shown:
            found = [each for each in found if not each.startswith(f"{where}.{_REST} ")]
        else:
            found += [f"{where}.{name} is not shown" for name in given.keys() - shown.keys()]
        for name in shown.keys() & given.keys():
            if name in _VARIES:
                if type(shown[name]) is not type(given[name]):
                    found.append(f"{where}.{name} is {given[name]!r}")
            else:
                found += differences(shown[name], given[name], f"{where}.{name}")
        return found
    if isinstance(shown, list) and isinstance(given, list):
        if len(shown) != len(given):
            return [f"{where} has {len(given)} elements, not {len(shown)}"]
        return [
            each
            for position, (one, other) in enumerate(zip(shown, given, strict=True))
            for each in differences(one, other, f"{where}[{position}]")
        ]
    if isinstance(shown, str) and isinstance(given, str):
        shown, given = masked(shown), masked(given)
    return [] if shown == given and type(shown) is type(given) else [f"{where} is {given!r}"]
